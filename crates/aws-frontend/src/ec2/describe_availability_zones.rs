//! DescribeAvailabilityZones: the zones that the subnets are in.

use super::errors;
use super::filter::Filters;
use super::selection::one;
use super::zone::{zone_id, zones};
use crate::context::Context;
use aws_api::ec2::{AvailabilityZone, DescribeAvailabilityZonesInput, DescribeAvailabilityZonesOutput};
use aws_protocol::ServiceError;

const FILTERS: &[&str] = &[
    "group-name",
    "message",
    "opt-in-status",
    "parent-zone-id",
    "parent-zone-name",
    "region-name",
    "state",
    "zone-id",
    "zone-name",
    "zone-type",
];

pub(crate) async fn describe_availability_zones(
    context: Context,
    input: DescribeAvailabilityZonesInput,
) -> Result<DescribeAvailabilityZonesOutput, ServiceError> {
    let filters = Filters::of(input.filters.as_deref(), FILTERS)?;
    let region = &*context.scope().region;
    let snapshot = context.records().current();
    let zones = zones(snapshot.networks.get(context.scope()).map(|network| &*network.value));
    let (names, ids) = (input.zone_names.unwrap_or_default(), input.zone_ids.unwrap_or_default());
    let unknown = names.iter().find(|name| !zones.contains(name.as_str()));
    let unknown = unknown.or_else(|| ids.iter().find(|id| !zones.iter().any(|zone| zone_id(region, zone) == **id)));
    if let Some(unknown) = unknown {
        return Err(errors::invalid_value(format!("Invalid availability zone: [{unknown:.200}]")));
    }
    errors::dry_run(input.dry_run)?;
    let mut shown = Vec::new();
    for zone in &zones {
        let id = zone_id(region, zone);
        let named = names.iter().any(|name| **name == **zone) || ids.contains(&id);
        let asked = named || (names.is_empty() && ids.is_empty());
        let properties = [
            one("group-name", format!("{region}-zg-1")),
            one("opt-in-status", "opt-in-not-required"),
            one("region-name", region),
            one("state", "available"),
            one("zone-id", &id),
            one("zone-name", zone),
            one("zone-type", "availability-zone"),
        ];
        if asked && filters.hold(&properties) {
            shown.push(AvailabilityZone {
                zone_name: Some(zone.to_string()),
                zone_id: Some(id),
                region_name: Some(region.to_owned()),
                state: Some("available".to_owned()),
                opt_in_status: Some("opt-in-not-required".to_owned()),
                zone_type: Some("availability-zone".to_owned()),
                group_name: Some(format!("{region}-zg-1")),
                network_border_group: Some(region.to_owned()),
                messages: Some(Vec::new()),
                ..Default::default()
            });
        }
    }
    Ok(DescribeAvailabilityZonesOutput { availability_zones: Some(shown) })
}
