//! The server process: the store and everything that stands on it, as one list; it ends as a whole if one of them fails.

use super::admin::Admin;
use super::log_intake::LogIntake;
use crate::cli::up::Settings;
use crate::clock::SystemClock;
use crate::installation::{Installation, random_hex};
use anyhow::{Context, Result, anyhow};
use aws_frontend::{Frontend, Service};
use bytes::Bytes;
use controllers::{Collector, NodeDesk, Placer, Quiet, Retention, ServiceScheduler};
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use identity::{KeyRing, Keys};
use model::Scope;
use records::Records;
use session::server::Sessions;
use std::convert::Infallible;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use store::{SqliteOptions, SqliteStore};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The largest request body, in bytes; the Logs API's largest batch with its JSON around it fits.
const BODY_MAX: usize = 16 << 20;
const SWEEP_EVERY: Duration = Duration::from_secs(3600);
/// How long a connection may take to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) fn run(data_dir: &Path, settings: Settings) -> Result<ExitCode> {
    super::die_with_parent()?;
    super::log_to_stderr(&settings.log_level)?;
    let installation = Installation::at(data_dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(serve(&installation, &settings))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(installation: &Installation, settings: &Settings) -> Result<()> {
    let (aws, local) = sockets()?;
    let identity = installation.existing_identity()?;
    let scope = Scope::new(identity.account_id.clone(), identity.region.clone());

    let store = SqliteStore::open(SqliteOptions::new(installation.data_dir.join("store.db"))).await?;
    let (records, view) = Records::open(Arc::new(store), Arc::new(SystemClock)).await?;
    let mut running: JoinSet<Result<()>> = JoinSet::new();
    // First: no commit is answered before the view shows it.
    running.spawn(async move { Err(anyhow::Error::from(view.await)) });
    NodeDesk::forget_connections(&records).await?;
    make_network(&records, &scope, identity.network_base).await?;
    aws_frontend::ecs::ensure_default_cluster(&records, &scope).await.map_err(|e| anyhow!("{e}"))?;

    let keys = Arc::new(KeyRing::new(Arc::new(Keys::open(&installation.keys_file())?)));
    let logs = Arc::new(observe::LogStore::open(&installation.data_dir.join("observe"))?);
    let frontend = Arc::new(Frontend { records: records.clone(), logs: logs.clone(), scope: scope.clone() });
    let service = Arc::new(Service::new(frontend.clone(), keys.clone()));
    let epoch = records.status().await?.epoch;
    let desk =
        NodeDesk::issuing(records.clone(), Arc::new(LogIntake::new(frontend.clone())), Arc::new(RoleKeys(keys)), epoch);
    let sessions = Sessions::new(desk);
    let (going_down, goes_down) = watch::channel(false);
    let admin = Arc::new(Admin::new(records.clone(), sessions.clone(), scope, going_down));

    running.spawn(logs_to_disk(logs));
    running.spawn(sweep_logs(frontend.clone()));
    running.spawn(ends(controllers::run(Placer::new(random_seed()), records.clone())));
    running.spawn(schedule_services(settings.clone(), records.clone(), goes_down));
    running.spawn(ends(controllers::run(Collector::new(retention(settings)), records)));
    running.spawn(serve_local(local, sessions, admin));
    running.spawn(serve_aws(aws, service));

    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        Some(ended) = running.join_next() => match ended? {
            Err(error) => Err(error.context("a part of the server failed")),
            Ok(()) => Err(anyhow!("a part of the server ended")),
        },
    }
}

/// The installation's keys, as the desk asks for them.
struct RoleKeys(Arc<KeyRing>);

impl controllers::CredentialIssuer for RoleKeys {
    fn issue(&self, role: &str, uid: &model::UnitUid, expires: model::Timestamp) -> session::Credentials {
        let (access_key_id, secret_access_key, session_token) = self.0.issue(role, uid.as_str(), expires.unix_ms());
        session::Credentials { access_key_id, secret_access_key, session_token }
    }
}

/// Runs the service scheduler, but not while Bayplan goes down: it would start successors of all that is stopped. A scheduler
/// that is dropped in the middle of its turn leaves at most one commit behind, and keeps nothing that a new one would miss.
async fn schedule_services(settings: Settings, records: Records, mut goes_down: watch::Receiver<bool>) -> Result<()> {
    loop {
        goes_down.wait_for(|goes_down| !goes_down).await?;
        tokio::select! {
            () = controllers::run(service_scheduler(settings.healthy_after, random_seed()), records.clone()) => return Ok(()),
            seen = goes_down.wait_for(|goes_down| *goes_down) => drop(seen?),
        }
    }
}

/// Alarms come with CloudWatch; until then none is ever on.
pub(crate) fn service_scheduler(healthy_after_s: u64, seed: u64) -> ServiceScheduler {
    let defaults = controllers::Settings::default();
    let rules = controllers::Settings { healthy_after_ms: healthy_after_s.saturating_mul(1000), ..defaults };
    ServiceScheduler::new(Arc::new(aws_frontend::ecs::ServiceAdmission), Arc::new(Quiet), rules, seed)
}

fn retention(settings: &Settings) -> Retention {
    Retention { stopped_units_ms: settings.keep_stopped.saturating_mul(3_600_000), ..Retention::default() }
}

pub(crate) async fn ends(part: impl Future<Output = ()>) -> Result<()> {
    part.await;
    Ok(())
}

async fn logs_to_disk(logs: Arc<observe::LogStore>) -> Result<()> {
    logs.keep_synced().await;
    Ok(())
}

/// Deletes expired log segments, now and every hour; reads hide them in between.
async fn sweep_logs(frontend: Arc<Frontend>) -> Result<()> {
    loop {
        if let Err(error) = aws_frontend::logs::sweep(&frontend).await {
            tracing::warn!(%error, "expired logs could not be deleted; trying again in an hour");
        }
        tokio::time::sleep(SWEEP_EVERY).await;
    }
}

/// The listening sockets, which the parent gave as standard input and output.
fn sockets() -> Result<(tokio::net::TcpListener, tokio::net::UnixListener)> {
    let aws = std::net::TcpListener::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let local = std::os::unix::net::UnixListener::from(std::io::stdout().as_fd().try_clone_to_owned()?);
    aws.set_nonblocking(true)?;
    local.set_nonblocking(true)?;
    Ok((tokio::net::TcpListener::from_std(aws)?, tokio::net::UnixListener::from_std(local)?))
}

fn random_seed() -> u64 {
    u64::from_str_radix(&random_hex(8), 16).expect("sixteen hex digits are a number of 64 bits")
}

/// The one network of the installation, made when it first starts.
pub(crate) async fn make_network(records: &Records, scope: &Scope, base: std::net::Ipv4Addr) -> Result<()> {
    if records.current().networks.contains_key(scope) {
        return Ok(());
    }
    let id = |kind: &str| -> Arc<str> { format!("{kind}-{}", &random_hex(9)[..17]).into() };
    let network = model::network::Network::carve(
        id("vpc"),
        base,
        &scope.region,
        [id("subnet"), id("subnet"), id("subnet"), id("sg")],
    );
    let mut draft = records::Draft::new();
    draft.create(scope, &network);
    records.commit(draft).await.context("the network cannot be stored")?;
    Ok(())
}

/// One Unix socket for the agent's sessions (HTTP/2) and the command line (HTTP/1).
async fn serve_local(listener: tokio::net::UnixListener, sessions: Arc<Sessions>, admin: Arc<Admin>) -> Result<()> {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        while connections.try_join_next().is_some() {}
        let (session, admin) = (sessions.service(), admin.clone());
        connections.spawn(async move {
            let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                let (mut session, admin) = (session.clone(), admin.clone());
                async move {
                    if request.version() == http::Version::HTTP_2 {
                        let answer = tower::Service::call(&mut session, request).await?;
                        Ok::<_, Infallible>(answer.map(BodyExt::boxed_unsync))
                    } else {
                        Ok(admin.answer(request).await)
                    }
                }
            });
            let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            if let Err(error) = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await {
                tracing::debug!(%error, "a local connection ended");
            }
        });
    }
}

/// The AWS APIs.
async fn serve_aws(listener: tokio::net::TcpListener, service: Arc<Service>) -> Result<()> {
    let mut connections = JoinSet::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, or the client left: the next one may fare better.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::task::yield_now().await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        stream.set_nodelay(true)?;
        let service = service.clone();
        connections.spawn(async move {
            let handler = hyper::service::service_fn(move |request| {
                let service = service.clone();
                async move { Ok::<_, Infallible>(answer(&service, request).await) }
            });
            let mut builder = hyper::server::conn::http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
            if let Err(error) = builder.serve_connection(TokioIo::new(stream), handler).await {
                tracing::debug!(%error, "a client's connection ended");
            }
        });
    }
}

async fn answer(service: &Service, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    if parts.uri.path() == "/_/health" {
        return Response::new(Full::new(Bytes::from_static(b"{\"status\":\"ok\"}\n")));
    }
    match Limited::new(body, BODY_MAX).collect().await {
        Ok(body) => service.answer(&parts, &body.to_bytes()).await.map(Full::new),
        Err(error) => {
            let mut refusal = Response::new(Full::new(Bytes::from(format!("{{\"message\":\"{error}\"}}"))));
            *refusal.status_mut() = http::StatusCode::PAYLOAD_TOO_LARGE;
            refusal
        }
    }
}
