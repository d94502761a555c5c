//! The things that can happen in a step. One that cannot happen now answers None, and another is drawn.

use crate::node::{Deed, Message};
use crate::world::World;
use model::{NodeId, UnitUid};
use session::NodeRegistration;
use session::server::Desk;

/// Nodes of one run, at most.
const NODES_MAX: usize = 6;
/// The most that the clock moves at once.
const CLOCK_MS: u64 = 8_000;

#[derive(Clone, Copy)]
enum Action {
    RunTasks,
    StopTask,
    Drain,
    Clock,
    Weather,
    NewNode,
    Place,
    Collect,
    RestartServer,
    Connect,
    Say,
    Deliver,
    Report,
    Work,
    Break,
    Notice,
    RestartAgent,
    Reboot,
    CreateService,
    UpdateService,
    DeleteService,
    StopDeployment,
    AnswerHook,
    Protect,
    Ring,
    Schedule,
}

/// How often each is drawn, in relation, where it is about single tasks.
const TASKS: [(Action, usize); 21] = [
    (Action::RunTasks, 10),
    (Action::StopTask, 6),
    (Action::Drain, 1),
    (Action::Clock, 20),
    (Action::Weather, 2),
    (Action::NewNode, 1),
    (Action::Place, 14),
    (Action::Collect, 8),
    (Action::RestartServer, 1),
    (Action::Connect, 8),
    (Action::Say, 20),
    (Action::Deliver, 30),
    (Action::Report, 24),
    (Action::Work, 30),
    (Action::Break, 2),
    (Action::Notice, 4),
    (Action::RestartAgent, 2),
    (Action::Reboot, 1),
    (Action::CreateService, 1),
    (Action::UpdateService, 1),
    (Action::Schedule, 8),
];

/// The same where it is about services.
const SERVICES: [(Action, usize); 26] = [
    (Action::RunTasks, 1),
    (Action::StopTask, 2),
    (Action::Drain, 2),
    (Action::Clock, 36),
    (Action::Weather, 2),
    (Action::NewNode, 2),
    (Action::Place, 20),
    (Action::Collect, 4),
    (Action::RestartServer, 1),
    (Action::Connect, 14),
    (Action::Say, 40),
    (Action::Deliver, 50),
    (Action::Report, 50),
    (Action::Work, 60),
    (Action::Break, 2),
    (Action::Notice, 4),
    (Action::RestartAgent, 1),
    (Action::Reboot, 1),
    (Action::CreateService, 5),
    (Action::UpdateService, 5),
    (Action::DeleteService, 1),
    (Action::StopDeployment, 1),
    (Action::AnswerHook, 4),
    (Action::Protect, 1),
    (Action::Ring, 1),
    (Action::Schedule, 50),
];

/// The same in a large cluster, where most that happens happens on nodes.
const LARGE: [(Action, usize); 20] = [
    (Action::RunTasks, 10),
    (Action::StopTask, 20),
    (Action::Drain, 2),
    (Action::Clock, 400),
    (Action::Weather, 2),
    (Action::Place, 400),
    (Action::Collect, 40),
    (Action::Connect, 2_000),
    (Action::Say, 4_000),
    (Action::Deliver, 5_000),
    (Action::Report, 5_000),
    (Action::Work, 6_000),
    (Action::Break, 100),
    (Action::Notice, 400),
    (Action::RestartAgent, 50),
    (Action::Reboot, 5),
    (Action::UpdateService, 4),
    (Action::StopDeployment, 1),
    (Action::Protect, 10),
    (Action::Schedule, 400),
];

impl World {
    /// Draws until something can happen; the clock always can.
    pub(crate) async fn act(&mut self) -> String {
        loop {
            let action = self.draw();
            if let Some(words) = self.happen(action).await {
                return words;
            }
        }
    }

    fn draw(&mut self) -> Action {
        let weights: &[(Action, usize)] = match self.options.size {
            Some(_) => &LARGE,
            None if self.serves => &SERVICES,
            None => &TASKS,
        };
        let mut place = self.chance.below(weights.iter().map(|(_, weight)| weight).sum());
        for (action, weight) in weights {
            if place < *weight {
                return *action;
            }
            place -= weight;
        }
        Action::Clock
    }

    async fn happen(&mut self, action: Action) -> Option<String> {
        match action {
            Action::RunTasks => Some(self.run_tasks().await),
            Action::StopTask => self.stop_task().await,
            Action::Drain => self.drain().await,
            Action::Clock => {
                let ms = 1 + self.chance.ms(CLOCK_MS);
                self.clock.advance_ms(ms);
                Some(format!("{ms} ms go by"))
            }
            Action::Weather => Some(self.change_weather()),
            Action::NewNode => (self.names.len() < NODES_MAX).then(|| self.add_node()),
            Action::Place => self.place().await,
            Action::Collect => self.collect().await,
            Action::Schedule => self.schedule().await,
            Action::CreateService => self.create_service().await,
            Action::UpdateService => self.update_service().await,
            Action::DeleteService => self.delete_service().await,
            Action::StopDeployment => self.stop_deployment().await,
            Action::AnswerHook => self.answer_hook().await,
            Action::Protect => self.protect_task().await,
            Action::Ring => Some(self.ring()),
            Action::RestartServer => {
                self.restart_server("the server is stopped").await;
                Some("all sessions are broken".into())
            }
            _ => {
                let node = self.chance.pick(&self.names)?.clone();
                if self.nodes[&node].is_slow && !self.chance.one_in(4) {
                    return None;
                }
                self.happen_on(action, &node).await
            }
        }
    }

    async fn happen_on(&mut self, action: Action, node: &NodeId) -> Option<String> {
        self.touched.insert(node.clone());
        match action {
            Action::Connect => self.connect(node).await,
            Action::Say => self.say_step(node),
            Action::Deliver => self.deliver(node),
            Action::Report => self.deliver_report(node).await,
            Action::Work => {
                let due = self.nodes[node].due(self.clock.now());
                let uid = self.chance.pick(&due)?.clone();
                self.work(node, &uid)
            }
            Action::Break => {
                let node_there = self.nodes.get_mut(node)?;
                node_there.link.take().map(|_| format!("{node}'s connection breaks"))
            }
            Action::Notice => self.notice(node),
            Action::RestartAgent => {
                self.nodes.get_mut(node)?.restart_agent();
                Some(format!("{node}'s agent falls and is back"))
            }
            Action::Reboot => {
                let there = self.nodes.get_mut(node)?;
                self.book.rebooted(there);
                there.reboot();
                Some(format!("{node} falls and is back with nothing"))
            }
            _ => None,
        }
    }

    pub(crate) async fn place(&mut self) -> Option<String> {
        let now = self.clock.now();
        if !self.server.placer.wants_a_turn(now) {
            return None;
        }
        let snapshot = self.a_while_ago(self.server.placer.floor);
        let age = self.server.records().current().revision - snapshot.revision;
        let records = self.server.records().clone();
        let taken = self.server.placer.turn(snapshot, &records).await;
        Some(format!("the placer takes a turn on a snapshot of {age} revisions ago: {}", words(&taken)))
    }

    pub(crate) async fn collect(&mut self) -> Option<String> {
        let now = self.clock.now();
        if !self.server.collector.wants_a_turn(now) {
            return None;
        }
        let snapshot = self.a_while_ago(self.server.collector.floor);
        let age = self.server.records().current().revision - snapshot.revision;
        let records = self.server.records().clone();
        let taken = self.server.collector.turn(snapshot, &records).await;
        Some(format!("the collector takes a turn on a snapshot of {age} revisions ago: {}", words(&taken)))
    }

    pub(crate) async fn schedule(&mut self) -> Option<String> {
        let now = self.clock.now();
        if !self.server.scheduler.wants_a_turn(now) {
            return None;
        }
        let snapshot = self.a_while_ago(self.server.scheduler.floor);
        let age = self.server.records().current().revision - snapshot.revision;
        let records = self.server.records().clone();
        self.seen = Some(snapshot.clone());
        let taken = self.server.scheduler.turn(snapshot, &records).await;
        Some(format!("the scheduler takes a turn on a snapshot of {age} revisions ago: {}", words(&taken)))
    }

    pub(crate) async fn connect(&mut self, id: &NodeId) -> Option<String> {
        let node = self.nodes.get_mut(id)?;
        if node.link.is_some() {
            return None;
        }
        // As the sessions do: a newer session takes the seat, and the older one does not count as having left.
        self.server.seats.insert(id.clone());
        match self.server.desk.join(NodeRegistration { node: node.node.clone(), keeps: Vec::new() }).await {
            Ok(_) => {
                node.connect(self.server.desk.desired(id, Vec::new()));
                Some(format!("{id} joins"))
            }
            Err(words) => {
                self.server.seats.remove(id);
                self.server.desk.left(id);
                Some(format!("{id} cannot join: {words}"))
            }
        }
    }

    /// The server hears that a connection has broken.
    pub(crate) fn notice(&mut self, id: &NodeId) -> Option<String> {
        let broken = self.nodes.get(id)?.link.is_none() && self.server.seats.remove(id);
        broken.then(|| {
            self.server.desk.left(id);
            format!("the server notices that {id} has left")
        })
    }

    /// The session puts a step on its way.
    pub(crate) fn say_step(&mut self, id: &NodeId) -> Option<String> {
        let link = self.nodes.get_mut(id)?.link.as_mut()?;
        let mut step = link.steps.try_recv().ok()?;
        link.settled.withhold(&mut step);
        let revision = step.revision;
        link.to_node.push_back(Message::Step(step));
        Some(format!("a step as of {revision} is on its way to {id}"))
    }

    /// The next thing that the session has said arrives.
    pub(crate) fn deliver(&mut self, id: &NodeId) -> Option<String> {
        let now = self.clock.now();
        let node = self.nodes.get_mut(id)?;
        match node.link.as_mut()?.to_node.pop_front()? {
            Message::Ack(uid, sequence) => {
                node.acknowledged(&uid, sequence);
                Some(format!("{id} hears that its word of {uid} is stored"))
            }
            Message::Step(step) => {
                let kind = if step.complete { "all of its units" } else { "a change" };
                let (units, gone, revision) = (step.assignments.len(), step.gone.len(), step.revision);
                let counts = if node.take(step, now, &mut self.chance) { "" } else { ", which is too old" };
                Some(format!("{id} is told {kind}: {units} to run, {gone} gone, as of {revision}{counts}"))
            }
        }
    }

    pub(crate) async fn deliver_report(&mut self, id: &NodeId) -> Option<String> {
        let link = self.nodes.get_mut(id)?.link.as_mut()?;
        let update = link.reports.pop_front()?;
        let (uid, sequence) = (UnitUid::new(update.uid.as_str()), update.sequence);
        match self.server.desk.observe(id, update.clone()).await {
            Ok(()) => {
                link.settled.acknowledged(&update);
                link.to_node.push_back(Message::Ack(uid.clone(), sequence));
                Some(format!("{id} reports {uid}"))
            }
            Err(words) => {
                // The session tries again.
                link.reports.push_front(update);
                Some(format!("{id} reports {uid}, which cannot be stored: {words}"))
            }
        }
    }

    /// A Unit on a node moves on.
    pub(crate) fn work(&mut self, id: &NodeId, uid: &UnitUid) -> Option<String> {
        let now = self.clock.now();
        let deed = self.nodes.get_mut(id)?.work(uid, now, self.season, &mut self.chance)?;
        self.book.witness(id, &deed, &self.server.records().current(), &mut self.broken);
        Some(match deed {
            Deed::Began(uid) => format!("{uid} runs on {id}"),
            Deed::Ended(uid, stop) => format!("{uid} has ended on {id}: {}", stop.reason),
            Deed::Other(uid, words) => format!("{uid} {words} on {id}"),
        })
    }
}

fn words(taken: &Result<(), records::CommitError>) -> String {
    match taken {
        Ok(()) => "done".into(),
        Err(error) => error.to_string(),
    }
}
