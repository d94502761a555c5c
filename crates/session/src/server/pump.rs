//! One agent's session, from hello to the end of its stream.
//!
//! It never stops reading because the agent does not: what it has to say waits here, bounded by the node's Units.

use super::logs::Logs;
use super::observations::Observations;
use super::seat::Seat;
use super::{Desk, Sessions, Settled};
use crate::wire::{self, AgentMessage, Hello, ServerMessage, agent_message, server_message};
use crate::{Desired, NodeRegistration};
use model::{NodeId, UnitUid};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::mpsc;
use tonic::{Status, Streaming};

pub(super) async fn run(
    sessions: Arc<Sessions>,
    mut from_agent: Streaming<AgentMessage>,
    to_agent: mpsc::Sender<ServerMessage>,
) -> Result<(), Status> {
    let registration = match from_agent.message().await? {
        Some(AgentMessage { kind: Some(agent_message::Kind::Hello(hello)) }) => understand(&hello)?,
        _ => return Err(Status::invalid_argument("a session begins with hello")),
    };
    let (node, keeps) = (registration.node.id.clone(), registration.keeps.clone());
    let (seat, replaced) = Seat::take(sessions.clone(), node.clone()).await;
    let session = async {
        let welcome = sessions.desk.join(registration).await.map_err(Status::failed_precondition)?;
        let document = serde_json::to_vec(&welcome).expect("a welcome has only string keys");
        let welcome = server_message::Kind::Welcome(wire::WelcomeFrame { document });
        to_agent.send(message(welcome)).await.map_err(|_| Status::cancelled("the agent hung up"))?;
        seat.open(to_agent.clone());
        Pump::new(sessions.desk.clone(), node).run(keeps, &mut from_agent, &to_agent).await
    };
    tokio::select! {
        biased;
        _ = replaced => Err(Status::aborted("a newer session of this node has taken over")),
        ended = session => ended,
    }
}

fn understand(hello: &Hello) -> Result<NodeRegistration, Status> {
    if hello.protocol != wire::PROTOCOL {
        let words = format!("this server speaks session protocol {}, the agent {}", wire::PROTOCOL, hello.protocol);
        return Err(Status::failed_precondition(words));
    }
    serde_json::from_slice(&hello.node).map_err(|e| Status::invalid_argument(e.to_string()))
}

struct Pump {
    desk: Arc<dyn Desk>,
    node: NodeId,
    /// What the agent is to be told, in order. Steps join it only when it is empty; acknowledgements are few.
    unsaid: VecDeque<ServerMessage>,
    observations: Observations,
    settled: Settled,
    logs: Logs,
}

impl Pump {
    fn new(desk: Arc<dyn Desk>, node: NodeId) -> Self {
        let observations = Observations::new(desk.clone(), node.clone());
        let logs = Logs::new(desk.clone(), node.clone());
        Self { desk, node, unsaid: VecDeque::new(), observations, settled: Settled::default(), logs }
    }

    async fn run(
        mut self,
        keeps: Vec<UnitUid>,
        from_agent: &mut Streaming<AgentMessage>,
        to_agent: &mpsc::Sender<ServerMessage>,
    ) -> Result<(), Status> {
        let mut desired = self.desk.desired(&self.node, keeps);
        loop {
            tokio::select! {
                permit = to_agent.reserve(), if !self.unsaid.is_empty() => {
                    let permit = permit.map_err(|_| Status::cancelled("the agent hung up"))?;
                    if let Some(next) = self.unsaid.pop_front() {
                        permit.send(next);
                    }
                }
                step = desired.recv(), if self.unsaid.is_empty() => match step {
                    Some(mut step) => {
                        self.settled.withhold(&mut step);
                        self.say(server_message::Kind::Desired(encode(step)));
                    }
                    None => return Err(Status::unavailable("the server is shutting down")),
                },
                message = from_agent.message(), if !self.logs.is_full() => match message? {
                    None => return Ok(()),
                    Some(AgentMessage { kind: Some(kind) }) => self.take(kind)?,
                    Some(AgentMessage { kind: None }) => {}
                },
                update = self.observations.stored() => {
                    self.settled.acknowledged(&update);
                    let ack = wire::ObservedAck { uid: update.uid, sequence: update.sequence };
                    self.say(server_message::Kind::ObservedAck(ack));
                }
                ack = self.logs.taken() => self.say(server_message::Kind::LogAck(ack)),
            }
        }
    }

    fn say(&mut self, kind: server_message::Kind) {
        self.unsaid.push_back(message(kind));
    }

    fn take(&mut self, kind: agent_message::Kind) -> Result<(), Status> {
        match kind {
            agent_message::Kind::Hello(_) => return Err(Status::invalid_argument("hello was said already")),
            agent_message::Kind::Observed(update) => self.observations.push(update),
            agent_message::Kind::Logs(batch) => self.logs.push(batch),
        }
        Ok(())
    }
}

fn message(kind: server_message::Kind) -> ServerMessage {
    ServerMessage { kind: Some(kind) }
}

fn encode(step: Desired) -> wire::DesiredFrame {
    let document = |a| serde_json::to_vec(a).expect("an assignment has only string keys");
    wire::DesiredFrame {
        epoch: step.epoch,
        revision: step.revision,
        complete: step.complete,
        assignments: step.assignments.iter().map(document).collect(),
        gone: step.gone.iter().map(ToString::to_string).collect(),
    }
}
