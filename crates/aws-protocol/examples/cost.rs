//! Prints what the hot paths cost: `cargo run --release -p aws-protocol --example cost`.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement for the terminal")]
#![allow(clippy::disallowed_methods, reason = "it measures with the real clock")]

use std::hint::black_box;
use std::time::Instant;

use aws_api::ecs;
use aws_api::schema::Timestamp;
use aws_protocol::sigv4::{CredentialProblem, Credentials, SecretKey, Secrets, Verifier, sign};
use aws_protocol::{Wire, answer, decode, json, route, validate};

struct OneKey;

impl Secrets for OneKey {
    fn secret(&self, _: &str, _: Option<&str>) -> Result<SecretKey, CredentialProblem> {
        Ok(SecretKey::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"))
    }
}

fn main() {
    let output = ecs::DescribeTasksOutput { tasks: Some((0..100).map(task).collect()), failures: Some(vec![]) };
    println!("one task is {} bytes of JSON", json::encode(&task(1)).len());
    each("DescribeTasks: encode, per task", 100, || {
        answer(Wire::JSON, <ecs::DescribeTasks as aws_api::schema::Call>::OPERATION, &output, "request")
    });

    let arns: Vec<String> = (0..100).map(arn).collect();
    let input = ecs::DescribeTasksInput { cluster: Some("default".to_owned()), tasks: Some(arns), include: None };
    let body = json::encode(&input);
    let parts = request(&body);
    let now = "2026-11-21T12:00:00Z".parse().unwrap();
    let verifier = Verifier::default();
    each("verify a signature over 9 KB", 1, || verifier.verify(&parts, &body, "ecs", &OneKey, now).unwrap());
    each("verify a signature over 2 bytes", 1, || {
        verifier.verify(&request_once(), b"{}", "ecs", &OneKey, now).unwrap()
    });
    let found = route(&parts, &body).unwrap();
    each("route", 1, || route(&parts, &body).unwrap());
    each("decode 100 task ARNs", 1, || decode::<ecs::DescribeTasksInput>(&found, &body).unwrap());
    each("validate them", 1, || validate(&input));
}

fn each<T>(name: &str, items: u32, mut work: impl FnMut() -> T) {
    const ROUNDS: u32 = 2_000;
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            black_box(work());
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS * items));
    }
    println!("{name:<34} {best:8.2} us");
}

fn arn(number: usize) -> String {
    format!("arn:aws:ecs:us-east-1:000000000000:task/default/{number:032x}")
}

fn task(number: usize) -> ecs::Task {
    let text = |text: &str| Some(text.to_owned());
    let time = Some(Timestamp::from_millis(1_780_000_000_123));
    let container = ecs::Container {
        container_arn: Some(arn(number)),
        task_arn: Some(arn(number)),
        name: text("app"),
        image: text("docker.io/library/app:1"),
        runtime_id: text("0123456789abcdef0123456789abcdef-1234567890"),
        last_status: text("RUNNING"),
        network_interfaces: Some(vec![ecs::NetworkInterface {
            attachment_id: text("01234567-89ab-cdef-0123-456789abcdef"),
            private_ipv4_address: text("172.31.0.17"),
            ipv6_address: None,
        }]),
        cpu: text("256"),
        memory: text("512"),
        ..Default::default()
    };
    ecs::Task {
        task_arn: Some(arn(number)),
        cluster_arn: text("arn:aws:ecs:us-east-1:000000000000:cluster/default"),
        task_definition_arn: text("arn:aws:ecs:us-east-1:000000000000:task-definition/app:1"),
        containers: Some(vec![container]),
        availability_zone: text("us-east-1a"),
        connectivity: text("CONNECTED"),
        connectivity_at: time,
        created_at: time,
        started_at: time,
        pull_started_at: time,
        pull_stopped_at: time,
        desired_status: text("RUNNING"),
        last_status: text("RUNNING"),
        launch_type: text("FARGATE"),
        cpu: text("256"),
        memory: text("512"),
        group: text("family:app"),
        version: Some(4),
        overrides: Some(ecs::TaskOverride { container_overrides: Some(vec![]), ..Default::default() }),
        ..Default::default()
    }
}

fn request(body: &[u8]) -> http::request::Parts {
    let mut request = http::Request::post("/")
        .header("host", "127.0.0.1:4566")
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", "AmazonEC2ContainerServiceV20141113.DescribeTasks")
        .body(())
        .unwrap()
        .into_parts()
        .0;
    let secret = OneKey.secret("", None).unwrap();
    let credentials = Credentials { access_key_id: "AKIDEXAMPLE".to_owned(), secret, session_token: None };
    sign(&mut request, body, &credentials, "us-east-1", "ecs", "2026-11-21T12:00:00Z".parse().unwrap());
    request
}

/// Signed once, so that only its copying is measured with it.
fn request_once() -> http::request::Parts {
    thread_local! { static PARTS: http::request::Parts = request(b"{}"); }
    PARTS.with(Clone::clone)
}
