//! One file per AWS operation: validate, convert, commit, answer; knows no planner, controller or runtime.
