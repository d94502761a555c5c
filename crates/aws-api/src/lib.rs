//! GENERATED shapes and operation tables of the AWS APIs; no behaviour.
