//! Everything that is simulated, and how one step is taken and judged.

use crate::chance::Chance;
use crate::node::FakeNode;
use crate::rules::{self, Book, Runs};
use crate::rules_of_services::{Ledger, Step};
use crate::server::{Bells, Ground, Server};
use crate::services;
use crate::temper::Season;
use crate::weather::Weather;
use crate::{Options, Run};
use model::network::{Network, Range, Subnet};
use model::{NodeId, Snapshot};
use records::Draft;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use store::MemoryStore;
use test_support::{FaultyStore, HandClock, cluster, cluster_id, network, node, scope};

/// Snapshots that are kept to be looked at too late.
const HISTORY: usize = 30;
/// Times that a server may fail to start in a row.
const STARTS: usize = 1000;

pub(crate) struct World {
    pub(crate) chance: Chance,
    pub(crate) clock: Arc<HandClock>,
    ground: Ground,
    pub(crate) bells: Bells,
    pub(crate) weather: Weather,
    pub(crate) server: Server,
    pub(crate) nodes: BTreeMap<NodeId, FakeNode>,
    pub(crate) book: Book,
    pub(crate) ledger: Ledger,
    runs: Runs,
    pub(crate) broken: Vec<String>,
    /// How many tasks were asked for so far: their names.
    pub(crate) tasks: usize,
    /// How many objects of services were made so far: their ids.
    pub(crate) made: usize,
    /// After the rough one nobody looks at what was true a while ago any more.
    pub(crate) season: Season,
    /// What the controller saw that took a turn in this step, if it saw something older than what was there.
    pub(crate) seen: Option<Arc<Snapshot>>,
    /// Whether this seed is more about services than about single tasks.
    pub(crate) serves: bool,
    /// Whether its nodes are in zones.
    zones: bool,
    /// The names of the nodes, to pick one of.
    pub(crate) names: Vec<NodeId>,
    /// Nodes on which, or of whose Units, something has changed in this step.
    pub(crate) touched: BTreeSet<NodeId>,
    history: VecDeque<Arc<Snapshot>>,
    pub(crate) options: Options,
    story: String,
}

impl World {
    /// A cluster, a small network, and one to four nodes that have not joined yet.
    pub(crate) async fn new(options: Options) -> Self {
        let seed = options.seed;
        let mut chance = Chance::new(seed);
        let clock = Arc::new(HandClock::default());
        let faulty = FaultyStore::new(Arc::new(MemoryStore::default()));
        let weather = Weather::over(&faulty, options.fault, chance.fork());
        let (admission, bells) = (Default::default(), Bells::default());
        let ground = Ground { store: faulty, clock: clock.clone(), admission, bells: bells.clone() };
        let server = Server::open(&ground, chance.number()).await;
        let mut draft = Draft::new();
        draft.create(&cluster_id("default"), &cluster("default")).create(&scope(), &small_network());
        services::define(&mut draft);
        let first = server.records().commit(draft).await.expect("an empty store in good weather takes every record");
        let mut world = Self {
            chance,
            clock,
            ground,
            bells,
            weather,
            server,
            nodes: BTreeMap::new(),
            book: Book::default(),
            ledger: Ledger::default(),
            runs: Runs::default(),
            broken: Vec::new(),
            tasks: 0,
            made: 0,
            season: Season::Rough,
            seen: None,
            serves: options.size.is_some() || !seed.is_multiple_of(3),
            zones: seed.is_multiple_of(2),
            names: Vec::new(),
            touched: BTreeSet::new(),
            history: [first].into(),
            options,
            story: format!("seed {seed}\n"),
        };
        for _ in 0..=world.chance.below(4) {
            world.add_node();
        }
        world.change_weather();
        world
    }

    pub(crate) fn add_node(&mut self) -> String {
        let name = format!("n{}", self.nodes.len() + 1);
        let mut made = node(&name, self.chance.one_of(&[512, 1024, 2048]), self.chance.one_of(&[256, 1024, 2048]));
        // Half of all clusters have zones.
        if self.zones {
            let zone = self.chance.one_of(&["us-east-1a", "us-east-1b"]);
            made.attributes.insert("ecs.availability-zone".into(), Some(zone.into()));
        }
        let is_slow = self.chance.one_in(4);
        let slow = if is_slow { ", slow" } else { "" };
        let words = format!("{name} exists: cpu {} memory {}{slow}", made.cpu.ecs_units(), made.memory.mib());
        self.add(FakeNode::new(made, is_slow));
        words
    }

    pub(crate) fn add(&mut self, node: FakeNode) {
        self.names.push(node.node.id.clone());
        self.nodes.insert(node.node.id.clone(), node);
    }

    pub(crate) fn change_weather(&mut self) -> String {
        // A server of a large cluster takes long to start: it falls seldom.
        let one_in = match self.options.size {
            None => self.chance.one_of(&[None, Some(40), Some(12), Some(4)]),
            Some(_) => self.chance.one_of(&[None, Some(20_000)]),
        };
        self.weather.set(one_in);
        match one_in {
            None => "the weather is good".into(),
            Some(n) => format!("one commit in {n} fails"),
        }
    }

    /// A snapshot that may be old, but not below a revision.
    pub(crate) fn a_while_ago(&mut self, floor: u64) -> Arc<Snapshot> {
        let current = self.server.records().current();
        if self.season != Season::Rough || !self.chance.one_in(3) {
            return current;
        }
        let old: Vec<Arc<Snapshot>> = self.history.iter().filter(|s| s.revision >= floor).cloned().collect();
        self.chance.pick(&old).cloned().unwrap_or(current)
    }

    /// Takes steps until a rule is broken.
    pub(crate) async fn go(&mut self, steps: usize) {
        for step in 1..=steps {
            if !self.broken.is_empty() {
                return;
            }
            self.step(step).await;
        }
    }

    async fn step(&mut self, step: usize) {
        let words = self.act().await;
        self.settle(&format!("{step:>4}"), words).await;
        if self.weather.crashes() {
            self.restart_server("the server falls").await;
        }
    }

    /// Lets everything run that the last thing has set off, tells of it and judges it.
    pub(crate) async fn settle(&mut self, step: &str, words: String) {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let now = self.clock.now();
        let ms = now.since_ms(HandClock::START);
        let mut lines = vec![format!("{step} {:>4}.{:03}s  {words}", ms / 1000, ms % 1000)];
        lines.extend(self.weather.happened());
        let (before, after) = (self.history[self.history.len() - 1].clone(), self.server.records().current());
        if after.revision > before.revision {
            let mut done = Vec::new();
            let seen = self.seen.take().unwrap_or_else(|| before.clone());
            let broken = self.book.compare(&before, &after, now, &mut self.touched, &mut done);
            self.broken.extend(broken);
            let broken = self.ledger.compare(&Step { before: &before, seen: &seen, after: &after, now }, &mut done);
            self.broken.extend(broken);
            self.broken.extend(rules::on_records(&after, &self.touched));
            if self.options.size.is_none() {
                self.broken.extend(self.book.check(&after));
            }
            lines.extend(done.into_iter().map(|line| format!("  > {line}")));
            self.history.push_back(after.clone());
            if self.history.len() > HISTORY {
                self.history.pop_front();
            }
        }
        self.seen = None;
        let touched = std::mem::take(&mut self.touched);
        self.broken.extend(self.runs.check(&after, &self.nodes, &touched));
        lines.into_iter().for_each(|line| self.tell(&line));
        let (chance, server, rough) = (&mut self.chance, &mut self.server, self.season == Season::Rough);
        server.placer.listen(|| rough && chance.one_in(10));
        server.collector.listen(|| rough && chance.one_in(10));
        server.scheduler.listen(|| rough && chance.one_in(10));
    }

    /// The rules about everything there is, whatever has changed.
    pub(crate) fn check_all(&mut self) {
        let after = self.server.records().current();
        let all: BTreeSet<NodeId> = self.names.iter().cloned().collect();
        self.broken.extend(self.book.check(&after));
        self.broken.extend(self.runs.check(&after, &self.nodes, &all));
    }

    fn tell(&mut self, line: &str) {
        writeln!(self.story, "{line}").expect("text takes every line");
    }

    /// Ends the server at once and starts another one on the same store; every session breaks.
    pub(crate) async fn restart_server(&mut self, why: &str) {
        let expected = self.server.records().current();
        self.nodes.values_mut().for_each(|node| node.link = None);
        for attempt in 1..=STARTS {
            self.server = Server::open(&self.ground, self.chance.number()).await;
            let opened = self.server.records().current();
            if attempt == 1 && !same_records(&expected, &opened) {
                self.broken.push("what was opened again is not what was followed".into());
            }
            let began = self.server.begin().await;
            self.settle("    ", format!("{why}; another one starts")).await;
            self.weather.crashes();
            if began.is_ok() {
                return;
            }
        }
        self.broken.push("no server starts any more".into());
    }

    pub(crate) fn into_run(mut self) -> Run {
        let broken = std::mem::take(&mut self.broken);
        for rule in &broken {
            self.tell(&format!("BROKEN: {rule}"));
        }
        if !broken.is_empty() {
            let (seed, steps) = (self.options.seed, self.options.steps);
            self.tell(&format!("replay: cargo run -p sim -- --seed {seed} --steps {steps}"));
            if let Some(only) = self.options.fault {
                self.tell(&format!("with one fault: {only:?}"));
            }
        }
        Run { transcript: self.story, commits: self.weather.commits(), broken }
    }
}

fn same_records(a: &Snapshot, b: &Snapshot) -> bool {
    a.revision == b.revision
        && (&a.units, &a.specs, &a.nodes, &a.ledgers) == (&b.units, &b.specs, &b.nodes, &b.ledgers)
        && (&a.clusters, &a.networks, &a.memberships) == (&b.clusters, &b.networks, &b.memberships)
        && (&a.services, &a.service_states, &a.service_events) == (&b.services, &b.service_states, &b.service_events)
        && (&a.deployments, &a.deployment_states) == (&b.deployments, &b.deployment_states)
}

/// Subnets of eleven addresses each and eleven for containers, so that they run out.
fn small_network() -> Network {
    let subnet = |id: &str, third: u8| Subnet {
        id: id.into(),
        range: Range::new(Ipv4Addr::new(10, 42, third, 0), 28),
        zone: "us-east-1a".into(),
    };
    Network {
        subnets: vec![subnet("subnet-a", 0), subnet("subnet-b", 1)],
        container_range: Range::new(Ipv4Addr::new(10, 42, 8, 0), 28),
        ..network()
    }
}
