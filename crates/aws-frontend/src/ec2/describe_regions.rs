//! DescribeRegions: the installation's one region.

use super::errors;
use super::filter::Filters;
use super::selection::one;
use crate::context::Context;
use aws_api::ec2::{DescribeRegionsInput, DescribeRegionsOutput, Region};
use aws_protocol::ServiceError;

const FILTERS: &[&str] = &["endpoint", "opt-in-status", "region-name"];

pub(crate) async fn describe_regions(
    context: Context,
    input: DescribeRegionsInput,
) -> Result<DescribeRegionsOutput, ServiceError> {
    let filters = Filters::of(input.filters.as_deref(), FILTERS)?;
    let region = &*context.scope().region;
    if let Some(unknown) = input.region_names.iter().flatten().find(|name| *name != region) {
        return Err(errors::invalid_value(format!("Invalid region name: {unknown:.200}")));
    }
    errors::dry_run(input.dry_run)?;
    let endpoint = format!("ec2.{region}.amazonaws.com");
    let properties =
        [one("endpoint", &endpoint), one("opt-in-status", "opt-in-not-required"), one("region-name", region)];
    let shown = Region {
        region_name: Some(region.to_owned()),
        endpoint: Some(endpoint),
        opt_in_status: Some("opt-in-not-required".to_owned()),
        geography: None,
    };
    Ok(DescribeRegionsOutput { regions: Some(if filters.hold(&properties) { vec![shown] } else { Vec::new() }) })
}
