//! EC2's operations over one network.
