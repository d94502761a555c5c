//! placementConstraints and placementStrategy of a call, in the engine's words.

use crate::ecs::errors;
use aws_api::ecs::{PlacementConstraint, PlacementStrategy};
use aws_protocol::ServiceError;
use model::ecs::LaunchType;
use model::query::Query;
use model::unit::placement::BinpackBy;
use model::unit::{Constraint, Strategy};

/// ECS API, RunTask.
const CONSTRAINTS_MAX: usize = 10;
const STRATEGIES_MAX: usize = 5;

/// # Errors
/// InvalidParameterException: too many, an unknown type or field, an expression that does not parse, or Fargate, which places
/// for itself.
pub(in crate::ecs) fn read(
    launch_type: LaunchType,
    constraints: &[PlacementConstraint],
    strategies: &[PlacementStrategy],
) -> Result<(Vec<Constraint>, Vec<Strategy>), ServiceError> {
    let refuse = |message: String| Err(errors::invalid_parameter(message));
    if launch_type == LaunchType::Fargate && !constraints.is_empty() {
        return refuse("Placement constraints are not supported with FARGATE launch type.".into());
    }
    if launch_type == LaunchType::Fargate && !strategies.is_empty() {
        return refuse("Placement strategies are not supported with FARGATE launch type.".into());
    }
    if constraints.len() > CONSTRAINTS_MAX {
        return refuse(format!("placementConstraints can have at most {CONSTRAINTS_MAX} items."));
    }
    if strategies.len() > STRATEGIES_MAX {
        return refuse(format!("placementStrategy can have at most {STRATEGIES_MAX} items."));
    }
    let constraints = constraints.iter().map(constraint).collect::<Result<_, _>>()?;
    let strategies = strategies.iter().map(strategy).collect::<Result<_, _>>()?;
    Ok((constraints, strategies))
}

fn constraint(given: &PlacementConstraint) -> Result<Constraint, ServiceError> {
    let expression = given.expression.as_deref().filter(|expression| !expression.is_empty());
    match (given.r#type.as_deref(), expression) {
        (Some("distinctInstance"), None) => Ok(Constraint::DistinctInstance),
        (Some("distinctInstance"), Some(_)) => {
            Err(errors::invalid_parameter("The placement constraint distinctInstance takes no expression."))
        }
        (Some("memberOf"), Some(expression)) => match Query::parse(expression) {
            Ok(_) => Ok(Constraint::MemberOf { expression: expression.to_owned() }),
            Err(error) => {
                Err(errors::invalid_parameter(format!("Invalid expression in placement constraint: {error}.")))
            }
        },
        (Some("memberOf"), None) => {
            Err(errors::invalid_parameter("The placement constraint memberOf needs an expression."))
        }
        (other, _) => Err(errors::invalid_parameter(format!(
            "Unknown placement constraint type '{}'; use distinctInstance or memberOf.",
            other.unwrap_or_default()
        ))),
    }
}

fn strategy(given: &PlacementStrategy) -> Result<Strategy, ServiceError> {
    let field = given.field.as_deref().unwrap_or_default();
    let wrong_field = |allowed: &str| {
        Err(errors::invalid_parameter(format!(
            "The placement strategy {} cannot have the field '{field}'; use {allowed}.",
            given.r#type.as_deref().unwrap_or_default()
        )))
    };
    match given.r#type.as_deref() {
        // ECS API, PlacementStrategy: the field is not used.
        Some("random") => Ok(Strategy::Random),
        Some("spread") => match field {
            "instanceId" | "host" => Ok(Strategy::Spread { field: field.to_owned() }),
            _ if field.strip_prefix("attribute:").is_some_and(|name| !name.is_empty()) => {
                Ok(Strategy::Spread { field: field.to_owned() })
            }
            _ => wrong_field("instanceId, host or attribute:NAME"),
        },
        Some("binpack") if field.eq_ignore_ascii_case("cpu") => Ok(Strategy::Binpack { by: BinpackBy::Cpu }),
        Some("binpack") if field.eq_ignore_ascii_case("memory") => Ok(Strategy::Binpack { by: BinpackBy::Memory }),
        Some("binpack") => wrong_field("cpu or memory"),
        other => Err(errors::invalid_parameter(format!(
            "Unknown placement strategy type '{}'; use random, spread or binpack.",
            other.unwrap_or_default()
        ))),
    }
}
