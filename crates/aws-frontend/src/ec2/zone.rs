//! Availability zones: those of the Network's subnets, with ids as AWS spells them.

use model::network::Network;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The zones of a Network by name.
pub(super) fn zones(network: Option<&Network>) -> BTreeSet<Arc<str>> {
    network.into_iter().flat_map(|network| &network.subnets).map(|subnet| subnet.zone.clone()).collect()
}

/// The id of a zone of a region: `us-east-1a` is `use1-az1`.
pub(super) fn zone_id(region: &str, zone: &str) -> String {
    let mut parts = region.split('-');
    let mut short = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part {
            "northeast" | "northwest" | "southeast" | "southwest" => {
                short.extend([part.as_bytes()[0] as char, part.as_bytes()[5] as char]);
            }
            part if part.bytes().all(|b| b.is_ascii_digit()) => short.push_str(part),
            part => short.extend(part.chars().next()),
        }
    }
    let letter = zone.strip_prefix(region).and_then(|rest| rest.bytes().next()).unwrap_or(b'a');
    format!("{short}-az{}", letter.saturating_sub(b'a').saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zone_ids_are_spelled_as_aws_does() {
        for (region, zone, id) in [
            ("us-east-1", "us-east-1a", "use1-az1"),
            ("eu-west-3", "eu-west-3c", "euw3-az3"),
            ("ap-southeast-2", "ap-southeast-2b", "apse2-az2"),
            ("us-gov-west-1", "us-gov-west-1a", "usgw1-az1"),
            ("ca-central-1", "ca-central-1a", "cac1-az1"),
        ] {
            assert_eq!(zone_id(region, zone), id);
        }
    }
}
