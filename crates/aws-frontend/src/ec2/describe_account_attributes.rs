//! DescribeAccountAttributes: what an account has by default; limits of what cannot be made here are 0.

use super::errors;
use crate::context::Context;
use aws_api::ec2::{
    AccountAttribute, AccountAttributeValue, DescribeAccountAttributesInput, DescribeAccountAttributesOutput,
};
use aws_protocol::ServiceError;

pub(crate) async fn describe_account_attributes(
    context: Context,
    input: DescribeAccountAttributesInput,
) -> Result<DescribeAccountAttributesOutput, ServiceError> {
    let snapshot = context.records().current();
    let network = snapshot.networks.get(context.scope());
    let all = [
        ("default-vpc", network.map_or_else(|| "none".to_owned(), |network| network.id.to_string())),
        ("max-elastic-ips", "0".to_owned()),
        ("max-instances", "0".to_owned()),
        ("supported-platforms", "VPC".to_owned()),
        ("vpc-max-elastic-ips", "0".to_owned()),
        ("vpc-max-security-groups-per-interface", "5".to_owned()),
    ];
    let names = input.attribute_names.unwrap_or_default();
    if let Some(unknown) = names.iter().find(|name| !all.iter().any(|(known, _)| known == name)) {
        let message = format!("Value ( {unknown:.200} ) for parameter attributeName is invalid.");
        return Err(errors::invalid_value(message));
    }
    errors::dry_run(input.dry_run)?;
    let asked = all.into_iter().filter(|(name, _)| names.is_empty() || names.iter().any(|asked| asked == name));
    let shown = asked.map(|(name, value)| AccountAttribute {
        attribute_name: Some(name.to_owned()),
        attribute_values: Some(vec![AccountAttributeValue { attribute_value: Some(value) }]),
    });
    Ok(DescribeAccountAttributesOutput { account_attributes: Some(shown.collect()) })
}
