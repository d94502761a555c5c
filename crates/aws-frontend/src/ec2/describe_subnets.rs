//! DescribeSubnets: the subnets of the default VPC, one in each zone, with how many addresses each has left.

use super::errors;
use super::filter::Filters;
use super::selection::{Asked, Candidate, one, select};
use super::zone::zone_id;
use crate::context::Context;
use aws_api::ec2::{DescribeSubnetsInput, DescribeSubnetsOutput, Subnet};
use aws_protocol::ServiceError;
use model::network::{self, Network};
use model::{Scope, Snapshot};

const FILTERS: &[&str] = &[
    "availability-zone",
    "availabilityZone",
    "availability-zone-id",
    "availabilityZoneId",
    "available-ip-address-count",
    "cidr",
    "cidr-block",
    "cidrBlock",
    "default-for-az",
    "defaultForAz",
    "ipv6-native",
    "map-public-ip-on-launch",
    "owner-id",
    "state",
    "subnet-arn",
    "subnet-id",
    "vpc-id",
];

pub(crate) async fn describe_subnets(
    context: Context,
    input: DescribeSubnetsInput,
) -> Result<DescribeSubnetsOutput, ServiceError> {
    let snapshot = context.records().current();
    let mut candidates = Vec::new();
    if let Some(network) = snapshot.networks.get(context.scope()) {
        candidates.extend(network.subnets.iter().map(|s| candidate(&snapshot, context.scope(), network, s)));
    }
    let asked = Asked {
        operation: "DescribeSubnets",
        ids_field: "subnetIds",
        ids: input.subnet_ids.as_deref().unwrap_or_default(),
        missing: ("InvalidSubnetID.NotFound", "subnet ID"),
        filters: Filters::of(input.filters.as_deref(), FILTERS)?,
        max_results: input.max_results,
        next_token: input.next_token.as_deref(),
    };
    let (subnets, next_token) = select(candidates, &asked)?;
    errors::dry_run(input.dry_run)?;
    Ok(DescribeSubnetsOutput { subnets: Some(subnets), next_token })
}

fn candidate(snapshot: &Snapshot, scope: &Scope, network: &Network, subnet: &network::Subnet) -> Candidate<Subnet> {
    let arn = format!("arn:aws:ec2:{}:{}:subnet/{}", scope.region, scope.account, subnet.id);
    let (cidr, zone_id) = (subnet.range.to_string(), zone_id(&scope.region, &subnet.zone));
    let free = free_addresses(snapshot, subnet);
    let properties = vec![
        one("availability-zone", &subnet.zone),
        one("availabilityZone", &subnet.zone),
        one("availability-zone-id", &zone_id),
        one("availabilityZoneId", &zone_id),
        one("available-ip-address-count", free),
        one("cidr", &cidr),
        one("cidr-block", &cidr),
        one("cidrBlock", &cidr),
        one("default-for-az", true),
        one("defaultForAz", true),
        one("ipv6-native", false),
        one("map-public-ip-on-launch", false),
        one("owner-id", &scope.account),
        one("state", "available"),
        one("subnet-arn", &arn),
        one("subnet-id", &subnet.id),
        one("vpc-id", &network.id),
    ];
    let shown = Subnet {
        subnet_id: Some(subnet.id.to_string()),
        subnet_arn: Some(arn),
        vpc_id: Some(network.id.to_string()),
        owner_id: Some(scope.account.to_string()),
        state: Some("available".to_owned()),
        cidr_block: Some(cidr),
        available_ip_address_count: Some(i32::try_from(free).unwrap_or(i32::MAX)),
        availability_zone: Some(subnet.zone.to_string()),
        availability_zone_id: Some(zone_id),
        default_for_az: Some(true),
        // Nothing here has a public address: tasks reach the outside through their node.
        map_public_ip_on_launch: Some(false),
        assign_ipv6_address_on_creation: Some(false),
        ipv6_native: Some(false),
        enable_dns64: Some(false),
        ..Default::default()
    };
    Candidate { id: subnet.id.to_string(), properties, shown }
}

fn free_addresses(snapshot: &Snapshot, subnet: &network::Subnet) -> usize {
    let units = snapshot.nodes.keys().flat_map(|node| snapshot.units_of_node(node));
    let taken = units.filter(|unit| unit.placement.address().is_some_and(|address| address.subnet == subnet.id));
    subnet.range.usable().len().saturating_sub(taken.count())
}
