//! Answers and errors as the bytes that clients see.
#![allow(clippy::unwrap_used, reason = "tests end at the first surprise")]

mod support;

use aws_api::ec2::{DescribeVpcsOutput, Tag, Vpc};
use aws_api::schema::{Call, Fault, Structure, Timestamp};
use aws_api::{ecs, sts};
use aws_protocol::{ServiceError, Wire, answer, refuse, route, validate};
use bytes::Bytes;
use http::Response;
use support::parts;

const ID: &str = "7f1b3f8e-0000-4000-8000-000000000001";

fn form_answer<T: Structure>(form: &str, output: &T) -> Response<Bytes> {
    let headers = [(b"content-type".to_vec(), b"application/x-www-form-urlencoded".to_vec())];
    let parts = parts(b"POST", b"/", &headers).unwrap();
    let route = route(&parts, form.as_bytes()).unwrap();
    answer(route.wire, route.operation, output, ID)
}

fn json_answer<O: Call>(output: &O::Output) -> Response<Bytes> {
    let target = format!("AmazonEC2ContainerServiceV20141113.{}", O::OPERATION.name);
    let headers = [(b"x-amz-target".to_vec(), target.into_bytes())];
    let parts = parts(b"POST", b"/", &headers).unwrap();
    let route = route(&parts, b"{}").unwrap();
    answer(route.wire, route.operation, output, ID)
}

fn body(response: &Response<Bytes>) -> &str {
    std::str::from_utf8(response.body()).unwrap()
}

fn header<'r>(response: &'r Response<Bytes>, name: &str) -> &'r str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[test]
fn sts_get_caller_identity() {
    let output = sts::GetCallerIdentityOutput {
        user_id: Some("000000000000".to_owned()),
        account: Some("000000000000".to_owned()),
        arn: Some("arn:aws:iam::000000000000:root".to_owned()),
    };
    let response = form_answer("Action=GetCallerIdentity&Version=2011-06-15", &output);
    assert_eq!(header(&response, "content-type"), "text/xml");
    assert_eq!(header(&response, "x-amzn-requestid"), ID);
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
        <GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
        <GetCallerIdentityResult>\
        <UserId>000000000000</UserId><Account>000000000000</Account><Arn>arn:aws:iam::000000000000:root</Arn>\
        </GetCallerIdentityResult>\
        <ResponseMetadata><RequestId>7f1b3f8e-0000-4000-8000-000000000001</RequestId></ResponseMetadata>\
        </GetCallerIdentityResponse>";
    assert_eq!(body(&response), expected);
}

#[test]
fn ec2_describe_vpcs() {
    let output = DescribeVpcsOutput {
        vpcs: Some(vec![Vpc {
            vpc_id: Some("vpc-1".to_owned()),
            is_default: Some(true),
            cidr_block: Some("172.31.0.0/16".to_owned()),
            tags: Some(vec![Tag { key: Some("Name".to_owned()), value: Some("a<b>&\u{1}".to_owned()) }]),
            ..Default::default()
        }]),
        next_token: None,
    };
    let response = form_answer("Action=DescribeVpcs&Version=2016-11-15", &output);
    assert_eq!(header(&response, "content-type"), "text/xml;charset=UTF-8");
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
        <DescribeVpcsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15\">\
        <requestId>7f1b3f8e-0000-4000-8000-000000000001</requestId>\
        <vpcSet><item>\
        <isDefault>true</isDefault>\
        <tagSet><item><key>Name</key><value>a&lt;b&gt;&amp;\u{fffd}</value></item></tagSet>\
        <vpcId>vpc-1</vpcId><cidrBlock>172.31.0.0/16</cidrBlock>\
        </item></vpcSet>\
        </DescribeVpcsResponse>";
    assert_eq!(body(&response), expected);
}

#[test]
fn json_leaves_out_what_is_absent_and_writes_time_in_seconds() {
    let task = ecs::Task {
        created_at: Some(Timestamp::from_millis(1_700_000_000_125)),
        started_at: Some(Timestamp::from_millis(1_700_000_001_000)),
        containers: Some(vec![]),
        started_by: Some("\"quoted\"\n".to_owned()),
        version: Some(3),
        ..Default::default()
    };
    let output = ecs::DescribeTasksOutput { tasks: Some(vec![task]), failures: None };
    let response = json_answer::<ecs::DescribeTasks>(&output);
    assert_eq!(header(&response, "content-type"), "application/x-amz-json-1.1");
    let expected = r#"{"tasks":[{"containers":[],"createdAt":1700000000.125,"startedAt":1700000001.0,"startedBy":"\"quoted\"\n","version":3}]}"#;
    assert_eq!(body(&response), expected);
}

fn conflict() -> ServiceError {
    ServiceError::of(&ecs::errors::CONFLICT, "the token <x> was used").with("resourceIds", vec!["arn:1"])
}

#[test]
fn an_error_says_the_same_in_every_format() {
    let response = refuse(Wire::JSON, &conflict(), ID);
    assert_eq!((response.status().as_u16(), header(&response, "x-amzn-requestid")), (400, ID));
    let expected = r#"{"__type":"ConflictException","message":"the token <x> was used","resourceIds":["arn:1"]}"#;
    assert_eq!(body(&response), expected);

    let response = refuse(Wire::Query { namespace: "urn:x" }, &conflict(), ID);
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
        <ErrorResponse xmlns=\"urn:x\"><Error><Type>Sender</Type><Code>ConflictException</Code>\
        <Message>the token &lt;x&gt; was used</Message></Error>\
        <RequestId>7f1b3f8e-0000-4000-8000-000000000001</RequestId></ErrorResponse>";
    assert_eq!(body(&response), expected);

    let response = refuse(Wire::Ec2 { namespace: "urn:x" }, &conflict(), ID);
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
        <Response><Errors><Error><Code>ConflictException</Code>\
        <Message>the token &lt;x&gt; was used</Message></Error></Errors>\
        <RequestID>7f1b3f8e-0000-4000-8000-000000000001</RequestID></Response>";
    assert_eq!(body(&response), expected);

    let response = refuse(Wire::Cbor { query_mode: false }, &conflict(), ID);
    assert_eq!(header(&response, "smithy-protocol"), "rpc-v2-cbor");
    let value: serde_json::Value = ciborium::from_reader(&response.body()[..]).unwrap();
    assert_eq!((&value["__type"], &value["resourceIds"][0]), (&"ConflictException".into(), &"arn:1".into()));
}

#[test]
fn a_client_in_query_mode_is_told_the_old_code_and_whose_fault_it_is() {
    let Wire::Json { version, .. } = Wire::JSON else { unreachable!("it is JSON") };
    let error = ServiceError::of(&sts::errors::IDP_COMMUNICATION_ERROR, "no answer");
    let response = refuse(Wire::Json { version, query_mode: true }, &error, ID);
    assert_eq!(header(&response, "x-amzn-query-error"), "IDPCommunicationError;Sender");
    assert_eq!(header(&refuse(Wire::JSON, &error, ID), "x-amzn-query-error"), "");
}

#[test]
fn modelled_errors_carry_their_own_code_status_and_fault() {
    let server = ServiceError::of(&ecs::errors::SERVER, "");
    assert_eq!((server.status, server.fault), (500, Fault::Receiver));
    let claim = ServiceError::of(&sts::errors::IDP_REJECTED_CLAIM, "");
    assert_eq!((claim.status, claim.xml_code), (403, Some("IDPRejectedClaim")));
    let missing = ServiceError::not_built(&ecs::API, ecs::CreateGateway::OPERATION);
    assert_eq!(missing.status, 501);
    assert!(missing.message.contains("ecs:CreateGateway"), "{missing}");
}

#[test]
fn constraints_of_the_model_are_checked() {
    let input = sts::AssumeRoleInput {
        role_arn: Some("short".to_owned()),
        role_session_name: Some("no spaces please".to_owned()),
        duration_seconds: Some(1),
        tags: Some(vec![sts::Tag { key: None, value: Some(String::new()) }]),
        ..Default::default()
    };
    let found: Vec<String> = validate(&input).iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "RoleArn must have a length from 20 to 2048, not 5",
            "RoleSessionName must match the pattern [\\w+=,.@-]*",
            "DurationSeconds must be from 900 to 43200, not 1",
            "Tags[0].Key is required",
        ]
    );
    let input = ecs::RunTaskInput {
        task_definition: Some("app".to_owned()),
        launch_type: Some("CLOUD".to_owned()),
        ..Default::default()
    };
    let found: Vec<String> = validate(&input).iter().map(ToString::to_string).collect();
    assert_eq!(found, ["launchType must be one of EC2, FARGATE, EXTERNAL, MANAGED_INSTANCES, not CLOUD"]);
}
