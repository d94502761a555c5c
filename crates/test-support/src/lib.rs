//! Fixtures, fakes and `check_*` functions for tests.
