//! What the node last said of a Unit; written by the node session alone.

use super::lifecycle::{ContainerState, Health, Lifecycle, StopCause};
use crate::quantity::Timestamp;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;

/// The newest observation of a Unit. Unknown parts are `None`; nothing is invented.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, Debug)]
pub struct Observed {
    pub lifecycle: Lifecycle,
    #[serde(default)]
    pub containers: Vec<ContainerObserved>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<StopObserved>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_started_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_stopped_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopping_at: Option<Timestamp>,
    /// The last container has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_stopped_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<Timestamp>,
}

impl Observed {
    /// The worst health among `essential` containers that have a check; Unknown if none has a verdict.
    pub fn health(&self) -> Health {
        let verdicts = self.containers.iter().filter(|c| c.essential).filter_map(|c| c.health);
        verdicts
            .fold(None, |worst: Option<Health>, next| {
                Some(match (worst, next) {
                    (Some(Health::Unhealthy), _) | (_, Health::Unhealthy) => Health::Unhealthy,
                    (Some(Health::Unknown), _) | (_, Health::Unknown) => Health::Unknown,
                    _ => Health::Healthy,
                })
            })
            .unwrap_or(Health::Unknown)
    }

    /// Whether `next` may follow this observation: lifecycles only advance.
    pub fn admits(&self, next: &Observed) -> bool {
        next.lifecycle >= self.lifecycle
    }
}

/// Why and in what words a Unit ended.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct StopObserved {
    pub cause: StopCause,
    pub reason: String,
}

/// One container of a Unit as last seen.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, Debug)]
pub struct ContainerObserved {
    pub name: Arc<str>,
    #[serde(default)]
    pub essential: bool,
    pub state: ContainerState,
    /// The attempt's own id, 64 hex digits; new with each restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_id: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_digest: Option<Arc<str>>,
    /// None while it runs, and for ever if nobody saw the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub oom_killed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// None without a health check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    #[serde(default)]
    pub restarts: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<PortBinding>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Log lines that a bounded spool had to drop so far.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub log_drops: u64,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// A host port that answers for a container port.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct PortBinding {
    pub host_ip: IpAddr,
    pub host_port: u16,
    pub container_port: u16,
    pub protocol: super::spec::Protocol,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(healths: &[(bool, Option<Health>)]) -> Observed {
        let containers = healths
            .iter()
            .map(|&(essential, health)| ContainerObserved { essential, health, ..Default::default() })
            .collect();
        Observed { containers, ..Default::default() }
    }

    #[test]
    fn a_units_health_is_the_worst_of_its_essential_containers() {
        assert_eq!(with(&[]).health(), Health::Unknown);
        assert_eq!(with(&[(true, None)]).health(), Health::Unknown);
        assert_eq!(with(&[(true, Some(Health::Healthy)), (true, None)]).health(), Health::Healthy);
        assert_eq!(with(&[(true, Some(Health::Healthy)), (true, Some(Health::Unknown))]).health(), Health::Unknown);
        assert_eq!(with(&[(true, Some(Health::Unhealthy)), (true, Some(Health::Unknown))]).health(), Health::Unhealthy);
        assert_eq!(with(&[(true, Some(Health::Healthy)), (false, Some(Health::Unhealthy))]).health(), Health::Healthy);
    }
}
