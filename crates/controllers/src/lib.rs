//! The loop harness and one small file per controller; deciding is the planner's.
