//! How commands speak: data on stdout, tables for people, JSON for scripts; a closed pipe ends a command quietly.

use anyhow::Result;
use std::io::Write;

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Format {
    #[default]
    Table,
    Json,
}

/// Writes lines to stdout; whoever closed it has seen enough.
pub(crate) fn say(text: &str) -> Result<()> {
    tell(text).map(drop)
}

/// Writes lines to stdout; false when nobody reads them any more.
pub(crate) fn tell(text: &str) -> Result<bool> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        done => Ok(done.map(|()| true)?),
    }
}

/// A moment as people and tools read it, in UTC, to the second.
pub(crate) fn moment(unix_ms: u64) -> String {
    let at = i64::try_from(unix_ms / 1000).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    at.map_or_else(|| "-".to_owned(), |at| at.to_string())
}

pub(crate) fn json(value: &impl serde::Serialize) -> Result<()> {
    say(&format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// Columns as wide as their widest cell, two spaces apart.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|r| r[column].chars().count());
        cells.chain([head[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded: Vec<String> = cells.iter().zip(&widths).map(|(cell, w)| format!("{cell:<w$}")).collect();
        padded.join("  ").trim_end().to_owned() + "\n"
    };
    let body: String = rows.iter().map(|row| line(row.iter().map(String::as_str).collect())).collect();
    line(head.to_vec()) + &body
}
