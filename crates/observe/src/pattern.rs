//! CloudWatch Logs filter patterns.

#[derive(Debug)]
pub struct Pattern(());
impl Pattern {
    pub fn matches(&self, _message: &str) -> bool {
        true
    }
}
