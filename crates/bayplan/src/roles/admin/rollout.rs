//! `rollout`: a deployment's state and its service's events as lines of JSON, sent when they change; nothing is polled.

pub(crate) mod view;

use super::{Admin, Body, Refusal, find};
use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use model::ecs::service::Controller;
use model::{ServiceId, Snapshot, Timestamp};
use records::Records;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use view::{State, Told, View};

/// What the command line asks.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct Question {
    /// A name or an ARN.
    pub(crate) service: String,
    pub(crate) cluster: Option<String>,
    /// A deployment's id; None is the newest.
    pub(crate) deployment: Option<String>,
    /// The first event that is wanted.
    pub(crate) from_event: u64,
    /// To its end; otherwise only how it stands now.
    pub(crate) follow: bool,
}

impl Admin {
    /// Answers at once and goes on until the deployment is over, or whoever asked has gone.
    pub(super) async fn rollout(&self, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
        let question = super::body(request).await?;
        let question: Question =
            serde_json::from_value(question).map_err(|e| Refusal(StatusCode::BAD_REQUEST, e.to_string()))?;
        let following = Following::begin(&self.records.current(), question)?;
        let lines = stream::unfold((following, self.records.clone()), |(mut following, records)| async move {
            let told = following.next(&records).await?;
            Some((Ok::<_, tonic::Status>(Frame::data(lines(&told))), (following, records)))
        });
        let mut response = Response::new(StreamBody::new(lines).boxed_unsync());
        response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/x-ndjson"));
        Ok(response)
    }
}

fn lines(told: &[Told]) -> Bytes {
    let mut text = Vec::new();
    for line in told {
        serde_json::to_writer(&mut text, line).expect("a value of ours is JSON");
        text.push(b'\n');
    }
    text.into()
}

/// One deployment, and what was told of it already.
pub(crate) struct Following {
    service: ServiceId,
    deployment: Arc<str>,
    from_event: u64,
    follow: bool,
    told: Option<View>,
    is_over: bool,
}

impl Following {
    pub(in crate::roles::admin) fn begin(snapshot: &Snapshot, question: Question) -> Result<Self, Refusal> {
        let service = find::service(snapshot, &question.service, question.cluster.as_deref())?;
        let name = &service.id.name;
        if service.controller == Controller::External {
            return Err(Refusal::not_found(format!(
                "the deployments of service {name} are an external controller's: aws ecs describe-task-sets shows them"
            )));
        }
        let deployment = question.deployment.map(Arc::from).or_else(|| service.deployment.clone());
        let stored = deployment.filter(|id| snapshot.deployments.contains_key(&(service.id.clone(), id.clone())));
        let Some(deployment) = stored else {
            return Err(Refusal::not_found(format!(
                "nothing is kept of a deployment of service {name}: `bayplan why service/{name}` says how it stands"
            )));
        };
        let Question { from_event, follow, .. } = question;
        Ok(Self { service: service.id.clone(), deployment, from_event, follow, told: None, is_over: false })
    }

    /// The newest deployment of a service, from now on.
    pub(crate) fn newest(snapshot: &Snapshot, service: &str) -> Result<Self, String> {
        let question =
            Question { service: service.to_owned(), cluster: None, deployment: None, from_event: 0, follow: true };
        Self::begin(snapshot, question).map_err(|refusal| refusal.1)
    }

    /// What is to be told next; None at the end.
    pub(crate) async fn next(&mut self, records: &Records) -> Option<Vec<Told>> {
        if self.is_over {
            return None;
        }
        records.wait_for(|snapshot| self.news(snapshot, records.now())).await.filter(|news| !news.is_empty())
    }

    /// What a snapshot shows that was not told yet; None for nothing, empty where there is nothing more to come.
    fn news(&mut self, snapshot: &Snapshot, now: Timestamp) -> Option<Vec<Told>> {
        let key = (self.service.clone(), self.deployment.clone());
        let asked = snapshot.deployments.get(&key);
        let Some((asked, view)) = asked.zip(view::view(snapshot, &self.service, &self.deployment, now)) else {
            self.is_over = true;
            return Some(Vec::new());
        };
        let events = view::events(snapshot, asked, self.from_event);
        self.from_event = events.last().map_or(self.from_event, |last| last.number + 1);
        self.is_over = !self.follow || view.status.is_final();
        let is_first = self.told.is_none();
        let is_news = self.told.as_ref() != Some(&view);
        let state = is_news.then(|| Told::State(Box::new(State { at_ms: now.unix_ms(), view: view.clone() })));
        self.told = Some(view);
        // What was said explains what is seen next; only the first line has to say what it is all about.
        let at = if is_first { 0 } else { events.len() };
        let mut news: Vec<Told> = events.into_iter().map(Told::Event).collect();
        news.splice(at..at, state);
        (!news.is_empty()).then_some(news)
    }
}

#[cfg(test)]
mod tests;
