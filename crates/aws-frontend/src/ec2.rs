//! Amazon EC2, as much of it as a client of ECS reads: the one Network of the installation and where it is. One operation a
//! file; `filter`, `selection` and `errors` are what they share.

mod describe_account_attributes;
mod describe_availability_zones;
mod describe_regions;
mod describe_security_groups;
mod describe_subnets;
mod describe_vpcs;
mod errors;
mod filter;
mod selection;
#[cfg(test)]
mod tests;
mod zone;

use crate::table::{Status, Table};
use aws_api::ec2;

/// The operations of EC2 that are built.
pub fn table() -> Table {
    Table::new(&ec2::API)
        .on::<ec2::DescribeAccountAttributes, _, _>(
            Status::Yes,
            describe_account_attributes::describe_account_attributes,
        )
        .on::<ec2::DescribeAvailabilityZones, _, _>(
            Status::Yes,
            describe_availability_zones::describe_availability_zones,
        )
        .on::<ec2::DescribeRegions, _, _>(
            Status::Partial("Only the installation's own region exists."),
            describe_regions::describe_regions,
        )
        .on::<ec2::DescribeSecurityGroups, _, _>(
            Status::Partial("Only the default security group exists."),
            describe_security_groups::describe_security_groups,
        )
        .on::<ec2::DescribeSubnets, _, _>(
            Status::Partial("Only the subnets of the default VPC exist."),
            describe_subnets::describe_subnets,
        )
        .on::<ec2::DescribeVpcs, _, _>(Status::Partial("Only the default VPC exists."), describe_vpcs::describe_vpcs)
}
