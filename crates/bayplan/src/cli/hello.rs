//! `bayplan hello`: the small web server inside the demo image.

use anyhow::Result;
use clap::Args;
use nix::sys::signal::{SigSet, Signal};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(crate) struct Hello {
    /// The port to answer on
    #[arg(long, default_value_t = 8080)]
    port: u16,
}

pub(crate) fn run(hello: &Hello) -> Result<ExitCode> {
    end_when_told()?;
    let listener = TcpListener::bind(("0.0.0.0", hello.port))?;
    super::output::say(&format!("hello: answering on port {}\n", hello.port))?;
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    for stream in listener.incoming() {
        let mut stream = stream?;
        let mut request = String::new();
        // A visitor who hangs up in the middle gets no answer.
        let asked = BufReader::new(&stream).read_line(&mut request);
        if asked.is_err() {
            continue;
        }
        let path = request.split_whitespace().nth(1).unwrap_or("/").to_owned();
        super::output::say(&format!("hello: {path}\n"))?;
        let body = format!("Hello from {} in a container run by Bayplan.\n", host.trim());
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        let _ = stream.write_all(answer.as_bytes());
    }
    Ok(ExitCode::SUCCESS)
}

/// A container's first process is not ended by a signal that it does not ask for.
fn end_when_told() -> Result<()> {
    let mut ends = SigSet::empty();
    ends.add(Signal::SIGTERM);
    ends.add(Signal::SIGINT);
    ends.thread_block()?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        if ends.wait().is_ok() {
            std::process::exit(0);
        }
    })?;
    Ok(())
}
