//! Containers on Linux: namespaces, mounts, cgroups, capabilities, seccomp; with `supervisor` the only unsafe code.
