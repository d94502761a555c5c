//! Shapes and operation tables of the AWS APIs, GENERATED from `models/aws` by `cargo xtask generate`; no behaviour.
//!
//! # What is here
//!
//! One module per service ([`ecs`], [`sts`], [`logs`], [`ec2`]), flat: `ecs::Task`, `ecs::CreateClusterInput`. In each
//! - a struct per structure of the model; an operation's own are `<Operation>Input` and `<Operation>Output`, whatever
//!   the model calls them. Acronyms are words: the model's `EFSVolumeConfiguration` is `EfsVolumeConfiguration`;
//! - a unit struct per operation that ties input, output and table entry together: `<CreateCluster as Call>::Input`;
//! - `API`, the service's table of operations, and `errors`, the errors the model declares;
//! - `values`, a module per enumeration with a constant per value and `VALUES`.
//!
//! [`schema`] is written by hand: what the tables are made of, and how a shape is read from and shown to a wire format.
//! `aws-protocol` turns bytes into shapes and back.
//!
//! # How to use a shape
//!
//! Every member is an `Option`, so that absence can be told from emptiness. Enumerations are plain strings: an unknown
//! value arrives as it was sent, and the front-end refuses it with the service's own error.
//!
//! ```
//! use aws_api::ecs::{Cluster, DescribeClusters, DescribeClustersOutput, values};
//! use aws_api::schema::{Call, Timestamp};
//!
//! let answer = DescribeClustersOutput {
//!     clusters: Some(vec![Cluster {
//!         cluster_name: Some("default".to_owned()),
//!         status: Some("ACTIVE".to_owned()),
//!         running_tasks_count: Some(0),
//!         ..Default::default()
//!     }]),
//!     failures: Some(vec![]),
//! };
//! // Every shape has serde's traits, with the wire's names; absent members are left out. Good for storing a face.
//! let text = serde_json::to_string(&answer)?;
//! assert_eq!(
//!     text,
//!     r#"{"clusters":[{"clusterName":"default","status":"ACTIVE","runningTasksCount":0}],"failures":[]}"#
//! );
//! assert_eq!(serde_json::from_str::<DescribeClustersOutput>(&text)?, answer);
//!
//! assert_eq!(DescribeClusters::OPERATION.name, "DescribeClusters");
//! assert!(values::launch_type::VALUES.contains(&values::launch_type::FARGATE));
//! assert_eq!(Timestamp::from_millis(1_500).as_seconds(), 1.5);
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! A wrong JSON type is refused with the way to it:
//!
//! ```
//! let text = r#"{"overrides": {"containerOverrides": [{"cpu": "many"}]}}"#;
//! let error = serde_json::from_str::<aws_api::ecs::RunTaskInput>(text).unwrap_err();
//! assert!(error.to_string().starts_with("overrides.containerOverrides[0].cpu must be an integer, not a string"));
//! ```

pub mod schema;
mod services;

pub use services::*;
