//! What Amazon ECS's schedulers decide: services.

pub mod service;
