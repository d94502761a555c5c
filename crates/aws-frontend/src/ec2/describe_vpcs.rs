//! DescribeVpcs: the default VPC, which is the installation's Network.

use super::errors;
use super::filter::Filters;
use super::selection::{Asked, Candidate, one, select};
use crate::context::Context;
use aws_api::ec2::{DescribeVpcsInput, DescribeVpcsOutput, Vpc, VpcCidrBlockAssociation, VpcCidrBlockState};
use aws_protocol::ServiceError;
use model::Scope;
use model::network::Network;

const FILTERS: &[&str] = &[
    "cidr",
    "cidr-block",
    "cidrBlock",
    "cidr-block-association.association-id",
    "cidr-block-association.cidr-block",
    "cidr-block-association.state",
    "dhcp-options-id",
    "is-default",
    "isDefault",
    "owner-id",
    "state",
    "vpc-id",
];

pub(crate) async fn describe_vpcs(
    context: Context,
    input: DescribeVpcsInput,
) -> Result<DescribeVpcsOutput, ServiceError> {
    let snapshot = context.records().current();
    let network = snapshot.networks.get(context.scope());
    let candidates = network.iter().map(|network| candidate(context.scope(), network)).collect();
    let asked = Asked {
        operation: "DescribeVpcs",
        ids_field: "vpcIds",
        ids: input.vpc_ids.as_deref().unwrap_or_default(),
        missing: ("InvalidVpcID.NotFound", "vpc ID"),
        filters: Filters::of(input.filters.as_deref(), FILTERS)?,
        max_results: input.max_results,
        next_token: input.next_token.as_deref(),
    };
    let (vpcs, next_token) = select(candidates, &asked)?;
    errors::dry_run(input.dry_run)?;
    Ok(DescribeVpcsOutput { vpcs: Some(vpcs), next_token })
}

/// The id of what follows from the VPC, in the form of its kind: `vpc-0123…` has `dopt-0123…`.
fn derived(kind: &str, network: &Network) -> String {
    format!("{kind}-{}", network.id.strip_prefix("vpc-").unwrap_or(&network.id))
}

fn candidate(scope: &Scope, network: &Network) -> Candidate<Vpc> {
    let (cidr, association) = (network.range.to_string(), derived("vpc-cidr-assoc", network));
    let properties = vec![
        one("cidr", &cidr),
        one("cidr-block", &cidr),
        one("cidrBlock", &cidr),
        one("cidr-block-association.association-id", &association),
        one("cidr-block-association.cidr-block", &cidr),
        one("cidr-block-association.state", "associated"),
        one("dhcp-options-id", derived("dopt", network)),
        one("is-default", true),
        one("isDefault", true),
        one("owner-id", &scope.account),
        one("state", "available"),
        one("vpc-id", &network.id),
    ];
    let shown = Vpc {
        vpc_id: Some(network.id.to_string()),
        owner_id: Some(scope.account.to_string()),
        state: Some("available".to_owned()),
        is_default: Some(true),
        instance_tenancy: Some("default".to_owned()),
        dhcp_options_id: Some(derived("dopt", network)),
        cidr_block: Some(cidr.clone()),
        cidr_block_association_set: Some(vec![VpcCidrBlockAssociation {
            association_id: Some(association),
            cidr_block: Some(cidr),
            cidr_block_state: Some(VpcCidrBlockState { state: Some("associated".to_owned()), status_message: None }),
        }]),
        ..Default::default()
    };
    Candidate { id: network.id.to_string(), properties, shown }
}
