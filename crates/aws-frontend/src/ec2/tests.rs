//! EC2's operations over one Network.

use super::describe_account_attributes::describe_account_attributes;
use super::describe_availability_zones::describe_availability_zones;
use super::describe_regions::describe_regions;
use super::describe_security_groups::describe_security_groups;
use super::describe_subnets::describe_subnets;
use super::describe_vpcs::describe_vpcs;
use crate::testing;
use crate::testing::stage::{GROUP, SUBNETS, Stage, awsvpc, call, json, network};
use aws_api::ec2::{DescribeSubnetsInput, Filter};
use aws_protocol::ServiceError;

fn filter(name: &str, value: &str) -> Option<Vec<Filter>> {
    Some(vec![Filter { name: Some(name.to_owned()), values: Some(vec![value.to_owned()]) }])
}

fn ids(ids: &[&str]) -> Option<Vec<String>> {
    Some(ids.iter().map(|id| (*id).to_owned()).collect())
}

fn refused(result: Result<impl std::fmt::Debug, ServiceError>, code: &str, sentence: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.code, code, "{error}");
    assert!(error.message.contains(sentence), "{error}");
}

async fn subnets(stage: &Stage, input: DescribeSubnetsInput) -> Vec<String> {
    let answer = describe_subnets(stage.context.clone(), input).await.unwrap();
    answer.subnets.unwrap().into_iter().map(|subnet| subnet.subnet_id.unwrap()).collect()
}

#[tokio::test]
async fn the_default_vpc_is_shown_and_found_by_its_filters() {
    let stage = Stage::new().await;
    let answer = describe_vpcs(stage.context.clone(), Default::default()).await.unwrap();
    let vpc = answer.vpcs.unwrap().remove(0);
    assert_eq!((vpc.vpc_id.as_deref(), vpc.is_default), (Some("vpc-1"), Some(true)));
    assert_eq!((vpc.cidr_block.as_deref(), vpc.state.as_deref()), (Some("10.42.0.0/16"), Some("available")));
    for (name, value, found) in [
        ("isDefault", "true", 1),
        ("is-default", "false", 0),
        ("vpc-id", "vpc-*", 1),
        ("cidr", "10.42.0.0/16", 1),
        ("cidr-block-association.cidr-block", "10.0.0.0/8", 0),
        ("tag:Name", "x", 0),
    ] {
        let input = aws_api::ec2::DescribeVpcsInput { filters: filter(name, value), ..Default::default() };
        let answer = describe_vpcs(stage.context.clone(), input).await.unwrap();
        assert_eq!(answer.vpcs.unwrap().len(), found, "{name}={value}");
    }
}

#[tokio::test]
async fn subnets_are_found_by_id_and_by_filter() {
    let stage = Stage::new().await;
    assert_eq!(subnets(&stage, Default::default()).await, SUBNETS);
    let one = DescribeSubnetsInput { subnet_ids: ids(&["subnet-b"]), ..Default::default() };
    assert_eq!(subnets(&stage, one).await, ["subnet-b"]);
    for (name, value, found) in [
        ("vpc-id", "vpc-1", 3),
        ("vpc-id", "vpc-2", 0),
        ("availability-zone", "us-east-1b", 1),
        ("availability-zone-id", "use1-az3", 1),
        ("default-for-az", "true", 3),
        ("cidr-block", "10.42.16.0/20", 1),
        ("state", "pending", 0),
        ("subnet-id", "subnet-?", 3),
    ] {
        let input = DescribeSubnetsInput { filters: filter(name, value), ..Default::default() };
        assert_eq!(subnets(&stage, input).await.len(), found, "{name}={value}");
    }
}

#[tokio::test]
async fn a_tasks_address_is_taken_from_its_subnet() {
    let stage = Stage::new().await;
    let free = async || {
        let input = DescribeSubnetsInput { subnet_ids: ids(&["subnet-a"]), ..Default::default() };
        let answer = describe_subnets(stage.context.clone(), input).await.unwrap();
        answer.subnets.unwrap()[0].available_ip_address_count.unwrap()
    };
    assert_eq!(free().await, 4091);
    stage.register(awsvpc("web")).await;
    let run = aws_api::ecs::RunTaskInput { network_configuration: network(), ..call("web") };
    assert_eq!(stage.run(run).await.unwrap().tasks.unwrap().len(), 1);
    assert_eq!(free().await, 4090);
}

#[tokio::test]
async fn the_default_security_group_is_found_by_id_and_name() {
    let stage = Stage::new().await;
    type Input = aws_api::ec2::DescribeSecurityGroupsInput;
    for (input, found) in [
        (Input::default(), 1),
        (Input { group_ids: ids(&[GROUP]), ..Input::default() }, 1),
        (Input { group_names: ids(&["default"]), ..Input::default() }, 1),
        (Input { filters: filter("group-name", "default"), ..Input::default() }, 1),
        (Input { filters: filter("vpc-id", "vpc-2"), ..Input::default() }, 0),
    ] {
        let answer = describe_security_groups(stage.context.clone(), input).await.unwrap();
        assert_eq!(answer.security_groups.unwrap().len(), found);
    }
    let unknown = Input { group_names: ids(&["web"]), ..Input::default() };
    refused(
        describe_security_groups(stage.context.clone(), unknown).await,
        "InvalidGroup.NotFound",
        "'web' does not exist",
    );
    let unknown = Input { group_ids: ids(&["sg-x"]), ..Input::default() };
    let refusal = describe_security_groups(stage.context.clone(), unknown).await;
    refused(refusal, "InvalidGroup.NotFound", "The security group 'sg-x' does not exist");
}

#[tokio::test]
async fn unknown_ids_filters_sizes_and_tokens_are_refused_as_ec2_does() {
    let stage = Stage::new().await;
    let vpc = aws_api::ec2::DescribeVpcsInput { vpc_ids: ids(&["vpc-x"]), ..Default::default() };
    let refusal = describe_vpcs(stage.context.clone(), vpc).await;
    refused(refusal, "InvalidVpcID.NotFound", "The vpc ID 'vpc-x' does not exist");
    let default = DescribeSubnetsInput::default;
    let empty = Some(vec![Filter { name: Some("state".to_owned()), values: Some(vec![]) }]);
    for (input, code, sentence) in [
        (
            DescribeSubnetsInput { subnet_ids: ids(&["subnet-a", "subnet-x"]), ..default() },
            "InvalidSubnetID.NotFound",
            "The subnet ID 'subnet-x' does not exist",
        ),
        (
            DescribeSubnetsInput { filters: filter("colour", "red"), ..default() },
            "InvalidParameterValue",
            "The filter 'colour' is invalid",
        ),
        (DescribeSubnetsInput { filters: empty, ..default() }, "InvalidParameterValue", "from 1 to 200 values"),
        (DescribeSubnetsInput { max_results: Some(4), ..default() }, "InvalidParameterValue", "greater than 5"),
        (DescribeSubnetsInput { max_results: Some(1001), ..default() }, "InvalidParameterValue", "less than 1000"),
        (
            DescribeSubnetsInput { max_results: Some(5), subnet_ids: ids(&["subnet-a"]), ..default() },
            "InvalidParameterCombination",
            "The parameter subnetIds cannot be used with the parameter maxResults",
        ),
        (DescribeSubnetsInput { next_token: Some("x".to_owned()), ..default() }, "InvalidNextToken", "token"),
        (DescribeSubnetsInput { dry_run: Some(true), ..default() }, "DryRunOperation", "would have succeeded"),
    ] {
        refused(describe_subnets(stage.context.clone(), input).await, code, sentence);
    }
}

#[tokio::test]
async fn zones_and_regions_are_those_of_the_installation() {
    let stage = Stage::new().await;
    type Zones = aws_api::ec2::DescribeAvailabilityZonesInput;
    let zones = async |input: Zones| -> Vec<String> {
        let answer = describe_availability_zones(stage.context.clone(), input).await.unwrap();
        answer.availability_zones.unwrap().into_iter().map(|zone| zone.zone_name.unwrap()).collect()
    };
    assert_eq!(zones(Zones::default()).await, ["us-east-1a", "us-east-1b", "us-east-1c"]);
    assert_eq!(zones(Zones { zone_ids: ids(&["use1-az2"]), ..Zones::default() }).await, ["us-east-1b"]);
    assert_eq!(zones(Zones { filters: filter("zone-name", "*c"), ..Zones::default() }).await, ["us-east-1c"]);
    let unknown = Zones { zone_names: ids(&["us-east-1x"]), ..Zones::default() };
    let refusal = describe_availability_zones(stage.context.clone(), unknown).await;
    refused(refusal, "InvalidParameterValue", "Invalid availability zone: [us-east-1x]");
    let regions = describe_regions(stage.context.clone(), Default::default()).await.unwrap().regions.unwrap();
    assert_eq!(regions[0].region_name.as_deref(), Some("us-east-1"));
    let unknown = aws_api::ec2::DescribeRegionsInput { region_names: ids(&["mars-1"]), ..Default::default() };
    refused(describe_regions(stage.context.clone(), unknown).await, "InvalidParameterValue", "mars-1");
}

#[tokio::test]
async fn account_attributes_name_the_default_vpc() {
    let stage = Stage::new().await;
    type Input = aws_api::ec2::DescribeAccountAttributesInput;
    let input = Input { attribute_names: ids(&["default-vpc"]), ..Input::default() };
    let answer = describe_account_attributes(stage.context.clone(), input).await.unwrap();
    let values = answer.account_attributes.unwrap().remove(0).attribute_values.unwrap();
    assert_eq!(values[0].attribute_value.as_deref(), Some("vpc-1"));
    let unknown = Input { attribute_names: ids(&["colour"]), ..Input::default() };
    refused(describe_account_attributes(stage.context.clone(), unknown).await, "InvalidParameterValue", "colour");
}

#[tokio::test]
async fn without_a_network_lists_are_empty() {
    let context = testing::context().await;
    assert_eq!(describe_vpcs(context.clone(), Default::default()).await.unwrap().vpcs, Some(vec![]));
    assert_eq!(describe_subnets(context.clone(), Default::default()).await.unwrap().subnets, Some(vec![]));
    let groups: aws_api::ec2::DescribeSecurityGroupsInput = json(serde_json::json!({}));
    assert_eq!(describe_security_groups(context, groups).await.unwrap().security_groups, Some(vec![]));
}
