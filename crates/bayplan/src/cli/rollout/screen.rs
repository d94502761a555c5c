//! Where a rollout is shown: a terminal that is drawn anew, lines as things change, or JSON.

use super::super::output::Format;
use super::ending::Ending;
use super::words;
use crate::roles::admin::rollout::view::{Told, View};
use anyhow::Result;
use serde_json::json;
use std::io::IsTerminal;

pub(in crate::cli) enum Screen {
    Json,
    Lines,
    Terminal(Terminal),
}

impl Screen {
    pub(in crate::cli) fn new(format: Format) -> Self {
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        match format {
            Format::Json => Self::Json,
            Format::Table if is_dumb || !std::io::stdout().is_terminal() => Self::Lines,
            Format::Table => Self::Terminal(Terminal::default()),
        }
    }

    /// What is written for one thing that was told.
    pub(in crate::cli) fn show(&mut self, before: Option<&View>, told: &Told) -> Result<String> {
        match self {
            Self::Json => Ok(serde_json::to_string(told)? + "\n"),
            Self::Lines => Ok(lines(before, told)),
            Self::Terminal(terminal) => Ok(terminal.draw(before, told, size())),
        }
    }

    /// What is written last.
    pub(super) fn end(&self, view: &View, ending: &Ending) -> Result<String> {
        match self {
            Self::Json => {
                let end = json!({
                    "type": "end", "status": view.status, "exitCode": ending.exit_code(),
                    "what": ending.what, "next": ending.next,
                });
                Ok(serde_json::to_string(&end)? + "\n")
            }
            Self::Lines | Self::Terminal(_) => Ok(format!("{} Next: {}\n", ending.what, ending.next)),
        }
    }
}

fn lines(before: Option<&View>, told: &Told) -> String {
    match told {
        Told::State(state) => {
            let header = if before.is_none() { words::header(&state.view) } else { Vec::new() };
            let at = words::moment(state.at_ms, Some(&state.view));
            let news = words::changes(before, &state.view).into_iter().map(|line| format!("{at}  {line}"));
            header.into_iter().chain(news).map(|line| line + "\n").collect()
        }
        Told::Event(event) => format!("{}  {}\n", words::moment(event.at_ms, before), words::event(event, before)),
    }
}

/// What was drawn last, so that it can be drawn over.
#[derive(Default)]
pub(in crate::cli) struct Terminal {
    drawn: usize,
}

/// Columns and rows.
type Size = (usize, usize);

fn size() -> Size {
    rustix::termios::tcgetwinsize(std::io::stdout())
        .map(|size| (size.ws_col.into(), size.ws_row.into()))
        .ok()
        .filter(|(columns, rows)| *columns > 0 && *rows > 0)
        .unwrap_or((80, 24))
}

impl Terminal {
    /// Events go above the block and stay; the block is replaced.
    fn draw(&mut self, before: Option<&View>, told: &Told, (columns, rows): Size) -> String {
        let (above, view) = match told {
            Told::State(state) if before.is_none() => (words::header(&state.view), Some(&state.view)),
            Told::State(state) => (Vec::new(), Some(&state.view)),
            Told::Event(_) => (lines(before, told).lines().map(str::to_owned).collect(), before),
        };
        // A line that wraps would be two: the block could not be found again.
        let cut = |line: String| line.chars().take(columns.saturating_sub(1)).collect::<String>();
        let block = view.map(words::block).unwrap_or_default();
        let block: Vec<String> = block.into_iter().take(rows.saturating_sub(1)).map(cut).collect();
        let up = match self.drawn {
            0 => String::new(),
            drawn => format!("\x1b[{drawn}A\r\x1b[J"),
        };
        self.drawn = block.len();
        up + &above.into_iter().chain(block).map(|line| line + "\n").collect::<String>()
    }
}

#[cfg(test)]
mod tests;
