//! The network interface of a task that has an address of its own.

use super::is_over;
use aws_api::ecs::{Attachment, KeyValuePair, NetworkInterface};
use model::Scope;
use model::ecs::TaskFace;
use model::unit::placement::UnitAddress;
use model::unit::{Lifecycle, Unit};
use std::net::Ipv4Addr;

/// The subnet of a task with an address: the one it got, else the first one it may get.
pub(super) fn subnet(unit: &Unit) -> Option<&str> {
    let own = unit.placement.address().map(|own| &*own.subnet);
    own.or_else(|| unit.scheduling.subnets.first().map(|first| &**first))
}

pub(super) fn attachments(unit: &Unit, face: &TaskFace) -> Vec<Attachment> {
    let Some(id) = &face.attachment_id else { return Vec::new() };
    let status = match unit.observed.lifecycle {
        _ if is_over(unit) => "DELETED",
        Lifecycle::Accepted => "PRECREATED",
        _ => "ATTACHED",
    };
    let detail = |name: &str, value: String| KeyValuePair { name: Some(name.to_owned()), value: Some(value) };
    let mut details: Vec<KeyValuePair> =
        subnet(unit).map(|subnet| detail("subnetId", subnet.to_owned())).into_iter().collect();
    if let Some(own) = attached(unit) {
        details.extend([
            detail("networkInterfaceId", interface_id(unit)),
            detail("macAddress", mac_address(own.address)),
            detail("privateDnsName", private_dns_name(&unit.name.cluster().scope, own.address)),
            detail("privateIPv4Address", own.address.to_string()),
        ]);
    }
    vec![Attachment {
        id: Some(id.to_string()),
        r#type: Some("ElasticNetworkInterface".to_owned()),
        status: Some(status.to_owned()),
        details: Some(details),
    }]
}

/// What each container shows of the task's interface.
pub(super) fn interfaces(unit: &Unit, face: &TaskFace) -> Vec<NetworkInterface> {
    let shown = face.attachment_id.as_ref().zip(attached(unit));
    let interface = shown.map(|(id, own)| NetworkInterface {
        attachment_id: Some(id.to_string()),
        private_ipv4_address: Some(own.address.to_string()),
        ipv6_address: None,
    });
    interface.into_iter().collect()
}

/// The address, once the node has taken the task up.
fn attached(unit: &Unit) -> Option<&UnitAddress> {
    unit.placement.address().filter(|_| unit.observed.lifecycle > Lifecycle::Accepted)
}

/// `eni-` and 17 hex digits, those of the Unit's never-reused id.
fn interface_id(unit: &Unit) -> String {
    let uid = unit.uid.as_str();
    format!("eni-{}", uid.get(..17).unwrap_or(uid))
}

/// As the node makes it of the address.
fn mac_address(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("02:b9:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

/// EC2 User Guide, "Amazon EC2 instance hostname types": us-east-1 has a domain of its own.
fn private_dns_name(scope: &Scope, address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    match &*scope.region {
        "us-east-1" => format!("ip-{a}-{b}-{c}-{d}.ec2.internal"),
        region => format!("ip-{a}-{b}-{c}-{d}.{region}.compute.internal"),
    }
}
