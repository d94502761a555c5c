//! A cluster that is large from the first step on.

use crate::Size;
use crate::node::FakeNode;
use crate::services::Wanted;
use crate::temper::Season;
use crate::world::World;
use model::NodeId;

/// Tasks of one service.
const OF_ONE: usize = 100;
/// Rounds in which a cluster without faults has to come to what is wanted of it.
const ROUNDS: usize = 100;

impl World {
    /// Lets a large cluster come to be, without faults: its nodes join, its services are created, their tasks come to run.
    pub(crate) async fn grow(&mut self) {
        let Some(Size { nodes, tasks }) = self.options.size else { return };
        self.season = Season::Mended;
        self.weather.set(None);
        let joined = self.names.len();
        for number in joined..nodes {
            let node = test_support::node(&format!("n{}", number + 1), 4096, 8192);
            self.add(FakeNode::new(node, false));
        }
        for (number, first) in (0..tasks).step_by(OF_ONE).enumerate() {
            let count = OF_ONE.min(tasks - first) as u32;
            let words = self.create(&Wanted { name: format!("s{number:02}"), count }).await;
            self.settle("grow", words).await;
        }
        let names: Vec<NodeId> = self.names.clone();
        for _ in 0..ROUNDS {
            if !self.round(&names).await && self.are_steady() || !self.broken.is_empty() {
                break;
            }
        }
        self.season = Season::Rough;
        self.change_weather();
    }
}
