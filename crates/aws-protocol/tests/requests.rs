//! Routing and decoding: what real clients send, and what no client should.
#![allow(clippy::unwrap_used, reason = "tests end at the first surprise")]

mod support;

use aws_api::schema::{Call, Fault, Structure};
use aws_api::{ec2, ecs, logs, sts};
use aws_protocol::{JsonVersion, Refusal, Route, ServiceError, Wire, cbor, decode, json, route};
use http::request::Parts;
use proptest::prelude::*;
use support::{parts, signed};

fn request(method: &str, target: &str, headers: &[(&str, &str)]) -> Parts {
    let headers: Vec<(Vec<u8>, Vec<u8>)> =
        headers.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect();
    parts(method.as_bytes(), target.as_bytes(), &headers).unwrap()
}

/// The decoded input as JSON, whichever the operation.
fn decoded(route: &Route<'_>, body: &[u8]) -> serde_json::Value {
    fn as_json<T: Structure>(route: &Route<'_>, body: &[u8]) -> serde_json::Value {
        serde_json::to_value(decode::<T>(route, body).unwrap()).unwrap()
    }
    match route.operation.name {
        "ListClusters" => as_json::<ecs::ListClustersInput>(route, body),
        "RunTask" => as_json::<ecs::RunTaskInput>(route, body),
        "DescribeTasks" => as_json::<ecs::DescribeTasksInput>(route, body),
        "PutLogEvents" => as_json::<logs::PutLogEventsInput>(route, body),
        "GetCallerIdentity" => as_json::<sts::GetCallerIdentityInput>(route, body),
        "AssumeRole" => as_json::<sts::AssumeRoleInput>(route, body),
        "DescribeVpcs" => as_json::<ec2::DescribeVpcsInput>(route, body),
        "DescribeSubnets" => as_json::<ec2::DescribeSubnetsInput>(route, body),
        other => panic!("no sample calls {other}"),
    }
}

#[test]
fn what_botocore_writes_is_read_as_it_was_meant() {
    for sample in signed().samples {
        let parts = sample.parts();
        let route = route(&parts, sample.body.as_bytes()).unwrap();
        assert_eq!((route.api.name, route.operation.name), (sample.service.as_str(), sample.operation.as_str()));
        assert_eq!(decoded(&route, sample.body.as_bytes()), sample.input, "{}", sample.name);
    }
}

#[test]
fn the_json_version_is_answered_as_it_was_asked() {
    for (kind, expected) in
        [("application/x-amz-json-1.0", JsonVersion::V1_0), ("application/x-amz-json-1.1", JsonVersion::V1_1)]
    {
        let target = "AmazonEC2ContainerServiceV20141113.ListClusters";
        let parts = request("POST", "/", &[("x-amz-target", target), ("content-type", kind)]);
        assert_eq!(route(&parts, b"{}").unwrap().wire, Wire::Json { version: expected, query_mode: false });
    }
}

fn refused(parts: &Parts, body: &[u8]) -> (Wire, ServiceError) {
    let Refusal { wire, error } = route(parts, body).unwrap_err();
    (wire, *error)
}

#[test]
fn an_unknown_operation_is_named_in_the_clients_own_format() {
    let form = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
    let scope = "AWS4-HMAC-SHA256 Credential=A/20261121/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=0";
    let cases = [
        (request("POST", "/", &[("x-amz-target", "AmazonEC2ContainerServiceV20141113.Nonsense")]), "", "Nonsense"),
        (request("POST", "/", &[("x-amz-target", "DynamoDB_20120810.ListTables")]), "", "DynamoDB_20120810"),
        (request("POST", "/", &form), "Action=Nonsense&Version=2011-06-15", "Nonsense"),
        (request("POST", "/", &[form[0], ("authorization", scope)]), "Action=Nonsense", "Nonsense"),
        (request("GET", "/?Action=ListUsers&Version=2010-05-08", &[]), "", "ListUsers"),
        (request("POST", "/", &form), "Version=2011-06-15", "Action"),
        (request("POST", "/service/X/operation/Y", &[("smithy-protocol", "rpc-v2-cbor")]), "", "X"),
        (request("GET", "/", &[]), "", "GET /"),
    ];
    for (parts, body, named) in &cases {
        let (wire, error) = refused(parts, body.as_bytes());
        assert_eq!((error.status, error.fault), (400, Fault::Sender));
        assert!(error.message.contains(named), "{}", error.message);
        let code = match wire {
            Wire::Json { .. } | Wire::Cbor { .. } => "UnknownOperationException",
            _ if *named == "Action" => "MissingAction",
            _ => "InvalidAction",
        };
        assert_eq!(error.code, code, "{parts:?}");
    }
}

#[test]
fn form_services_are_told_apart_by_scope_else_by_version_and_action() {
    let form = ("content-type", "application/x-www-form-urlencoded");
    let plain = request("POST", "/", &[form]);
    assert_eq!(route(&plain, b"Action=DescribeVpcs&Version=2016-11-15").unwrap().api.name, "ec2");
    assert_eq!(route(&plain, b"Action=GetCallerIdentity&Version=2011-06-15").unwrap().api.name, "sts");
    let scope = "AWS4-HMAC-SHA256 Credential=A/20261121/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=0";
    let scoped = request("POST", "/", &[form, ("authorization", scope)]);
    assert_eq!(route(&scoped, b"Action=DescribeVpcs").unwrap().api.name, "ec2");
    assert_eq!(refused(&scoped, b"Action=GetCallerIdentity").1.code, "InvalidAction");
}

/// What a body that does not fit is answered with.
fn json_error<T: Structure>(body: &str) -> String {
    json::decode::<T>(body.as_bytes()).unwrap_err().to_string()
}

#[test]
fn a_wrong_type_is_named_with_the_way_to_it() {
    type Input = <ecs::RegisterTaskDefinition as Call>::Input;
    for (body, message) in [
        (
            r#"{"containerDefinitions": [{"name": "a"}, {"memory": "512"}]}"#,
            "containerDefinitions[1].memory must be an integer, not a string",
        ),
        (r#"{"family": 7}"#, "family must be a string, not a number"),
        (r#"{"tags": {"key": "k"}}"#, "tags must be a list, not an object"),
        (r#"{"tags": [null]}"#, "tags[0] must be an object, not null"),
        (
            r#"{"containerDefinitions": [{"dockerLabels": {"a.b": true}}]}"#,
            "containerDefinitions[0].dockerLabels.a.b must be a string, not a boolean",
        ),
        (
            r#"{"containerDefinitions": [{"cpu": 1.5}]}"#,
            "containerDefinitions[0].cpu must be an integer of at most 64 bits, not a fractional or larger number",
        ),
        (
            r#"{"containerDefinitions": [{"cpu": 3000000000}]}"#,
            "containerDefinitions[0].cpu must be an integer of at most 32 bits, not a larger number",
        ),
        ("[]", "the request must be an object, not a list"),
    ] {
        assert_eq!(json_error::<Input>(body), message);
    }
    assert!(json_error::<Input>("{\"family\": }").starts_with("the body is not valid JSON: expected value at line 1"));
    assert!(json_error::<Input>("{} {}").contains("trailing characters"));
}

#[test]
fn unknown_members_and_nulls_are_skipped() {
    let input: ecs::ListClustersInput = json::decode(br#"{"nextToken": null, "fromTheFuture": {"a": [1]}}"#).unwrap();
    assert_eq!(input, ecs::ListClustersInput::default());
    assert_eq!(json::decode::<ecs::ListClustersInput>(b"").unwrap(), ecs::ListClustersInput::default());
}

fn form_error<T: Structure>(action: &str, body: &str) -> ServiceError {
    let parts = request("POST", "/", &[("content-type", "application/x-www-form-urlencoded")]);
    let body = format!("Action={action}{body}");
    let route = route(&parts, body.as_bytes()).unwrap();
    decode::<T>(&route, body.as_bytes()).unwrap_err()
}

#[test]
fn a_form_that_does_not_fit_is_refused_by_the_parameters_name() {
    for (body, message) in [
        ("&MaxResults=many", "MaxResults must be an integer, not many"),
        ("&DryRun=yes", "DryRun must be true or false, not yes"),
        ("&VpcId.x=vpc-1", "VpcId.x must end in a number"),
        ("&VpcId.1.2=vpc-1", "VpcId.1 must be a single value"),
    ] {
        let error = form_error::<ec2::DescribeVpcsInput>("DescribeVpcs&Version=2016-11-15", body);
        assert_eq!((error.code.as_ref(), error.message.as_str()), ("InvalidParameterValue", message));
    }
    let error = form_error::<sts::AssumeRoleInput>("AssumeRole&Version=2011-06-15", "&DurationSeconds=1h");
    assert_eq!((error.code.as_ref(), error.message.contains("DurationSeconds")), ("MalformedInput", true));
    let deep = format!("&{}=x", ["VpcId"; 40].join("."));
    let error = form_error::<ec2::DescribeVpcsInput>("DescribeVpcs&Version=2016-11-15", &deep);
    assert!(error.message.contains("more than 32 parts"), "{}", error.message);
}

#[test]
fn lists_in_forms_are_ordered_by_number_and_may_be_empty() {
    let parts = request("POST", "/", &[("content-type", "application/x-www-form-urlencoded")]);
    let body = b"Action=DescribeVpcs&Version=2016-11-15&VpcId.10=c&VpcId.2=b&VpcId.1=a&Filter=";
    let route = route(&parts, body).unwrap();
    let input: ec2::DescribeVpcsInput = decode(&route, body).unwrap();
    assert_eq!(input.vpc_ids, Some(vec!["a".to_owned(), "b".to_owned(), "c".to_owned()]));
    assert_eq!(input.filters, Some(vec![]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_body_makes_a_decoder_panic(bytes: Vec<u8>) {
        let _ = json::decode::<ecs::RegisterTaskDefinitionInput>(&bytes);
        let _ = cbor::decode::<ecs::RegisterTaskDefinitionInput>(&bytes);
        let parts = request("POST", "/", &[("content-type", "application/x-www-form-urlencoded")]);
        if let Ok(route) = route(&parts, &bytes) {
            let _ = decode::<ec2::DescribeVpcsInput>(&route, &bytes);
        }
    }

    #[test]
    fn no_form_makes_a_decoder_panic(text in "((VpcId|Filter|Value|Name|member|[0-9]{1,9}|DryRun)[.=&]){0,12}[ -$&-~]{0,5}") {
        let parts = request("POST", "/", &[("content-type", "application/x-www-form-urlencoded")]);
        let ec2 = format!("Action=DescribeVpcs&Version=2016-11-15&{text}");
        let found = route(&parts, ec2.as_bytes()).unwrap();
        let _ = decode::<ec2::DescribeVpcsInput>(&found, ec2.as_bytes());
        let sts = format!("Action=AssumeRole&Version=2011-06-15&Tags.{text}");
        let found = route(&parts, sts.as_bytes()).unwrap();
        let _ = decode::<sts::AssumeRoleInput>(&found, sts.as_bytes());
    }

    #[test]
    fn no_damaged_body_makes_a_decoder_panic(at: usize, byte: u8, cut: usize) {
        let input = ecs::RunTaskInput {
            task_definition: Some("app".to_owned()),
            count: Some(3),
            tags: Some(vec![ecs::Tag { key: Some("k".to_owned()), value: None }]),
            ..Default::default()
        };
        for (whole, is_json) in [(json::encode(&input), true), (cbor::encode(&input), false)] {
            let mut damaged = whole.clone();
            damaged[at % whole.len()] = byte;
            damaged.truncate(1 + cut % whole.len());
            if is_json {
                let _ = json::decode::<ecs::RunTaskInput>(&damaged);
            } else {
                let _ = cbor::decode::<ecs::RunTaskInput>(&damaged);
            }
        }
    }
}

#[test]
fn bottomless_nesting_is_refused_without_harm() {
    for open in ["[", "{\"tags\":"] {
        assert!(json::decode::<ecs::RunTaskInput>(open.repeat(100_000).as_bytes()).is_err());
    }
    assert!(cbor::decode::<ecs::RunTaskInput>(&[0x81; 100_000]).is_err());
}
