//! DescribeSecurityGroups: the default group of the default VPC.

use super::errors;
use super::filter::Filters;
use super::selection::{Asked, Candidate, one, select};
use crate::context::Context;
use aws_api::ec2::{
    DescribeSecurityGroupsInput, DescribeSecurityGroupsOutput, IpPermission, IpRange, SecurityGroup, UserIdGroupPair,
};
use aws_protocol::ServiceError;
use model::Scope;
use model::network::Network;

const NAME: &str = "default";
const DESCRIPTION: &str = "default VPC security group";
const FILTERS: &[&str] = &[
    "description",
    "egress.ip-permission.cidr",
    "egress.ip-permission.protocol",
    "group-id",
    "group-name",
    "ip-permission.group-id",
    "ip-permission.protocol",
    "ip-permission.user-id",
    "owner-id",
    "vpc-id",
];

pub(crate) async fn describe_security_groups(
    context: Context,
    input: DescribeSecurityGroupsInput,
) -> Result<DescribeSecurityGroupsOutput, ServiceError> {
    let snapshot = context.records().current();
    let network = snapshot.networks.get(context.scope());
    for name in input.group_names.iter().flatten() {
        if network.is_none() || name != NAME {
            return Err(errors::not_found("InvalidGroup.NotFound", "security group", name));
        }
    }
    let candidates = network.iter().map(|network| candidate(context.scope(), network)).collect();
    let asked = Asked {
        operation: "DescribeSecurityGroups",
        ids_field: "groupIds",
        ids: input.group_ids.as_deref().unwrap_or_default(),
        missing: ("InvalidGroup.NotFound", "security group"),
        filters: Filters::of(input.filters.as_deref(), FILTERS)?,
        max_results: input.max_results,
        next_token: input.next_token.as_deref(),
    };
    let (groups, next_token) = select(candidates, &asked)?;
    errors::dry_run(input.dry_run)?;
    Ok(DescribeSecurityGroupsOutput { security_groups: Some(groups), next_token })
}

/// The group as AWS makes it with a VPC: all from its own members, all to everywhere.
fn candidate(scope: &Scope, network: &Network) -> Candidate<SecurityGroup> {
    let (id, account) = (network.default_security_group.to_string(), scope.account.to_string());
    let properties = vec![
        one("description", DESCRIPTION),
        one("egress.ip-permission.cidr", "0.0.0.0/0"),
        one("egress.ip-permission.protocol", "-1"),
        one("group-id", &id),
        one("group-name", NAME),
        one("ip-permission.group-id", &id),
        one("ip-permission.protocol", "-1"),
        one("ip-permission.user-id", &account),
        one("owner-id", &account),
        one("vpc-id", &network.id),
    ];
    let all = IpPermission {
        ip_protocol: Some("-1".to_owned()),
        ip_ranges: Some(Vec::new()),
        ipv6_ranges: Some(Vec::new()),
        prefix_list_ids: Some(Vec::new()),
        user_id_group_pairs: Some(Vec::new()),
        ..Default::default()
    };
    let own = UserIdGroupPair { user_id: Some(account.clone()), group_id: Some(id.clone()), ..Default::default() };
    let everywhere = IpRange { cidr_ip: Some("0.0.0.0/0".to_owned()), description: None };
    let shown = SecurityGroup {
        group_id: Some(id.clone()),
        group_name: Some(NAME.to_owned()),
        description: Some(DESCRIPTION.to_owned()),
        security_group_arn: Some(format!("arn:aws:ec2:{}:{account}:security-group/{id}", scope.region)),
        vpc_id: Some(network.id.to_string()),
        owner_id: Some(account),
        ip_permissions: Some(vec![IpPermission { user_id_group_pairs: Some(vec![own]), ..all.clone() }]),
        ip_permissions_egress: Some(vec![IpPermission { ip_ranges: Some(vec![everywhere]), ..all }]),
        tags: None,
    };
    Candidate { id, properties, shown }
}
