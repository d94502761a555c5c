//! The one binary: reads as the list of everything that runs and every command there is.

mod cli;
mod clock;
mod installation;
mod roles;

use clap::Parser;
use cli::{Cli, Command};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        // What a user types.
        Command::Up(up) => cli::up::run(&cli.data_dir, up),
        Command::Down(down) => cli::down::run(&cli.data_dir, &down),
        Command::Env(env) => cli::env::run(&cli.data_dir, &env),
        Command::Image(image) => cli::image::run(&cli.data_dir, image),
        Command::Ps(ps) => cli::ps::run(&cli.data_dir, &ps),
        Command::Rollout(rollout) => cli::rollout::run(&cli.data_dir, &rollout),
        Command::Simulate(simulate) => cli::simulate::run(&simulate),
        Command::Logs(logs) => cli::logs::run(&cli.data_dir, &logs),
        Command::Exec(exec) => cli::exec::run(&cli.data_dir, &exec),
        Command::Spot(spot) => cli::spot::run(&cli.data_dir, &spot),
        Command::Why(why) => cli::why::run(&cli.data_dir, &why),
        Command::Doctor(doctor) => cli::doctor::run(&cli.data_dir, &doctor),

        // What `up` starts.
        Command::Parent(up) => roles::parent::run(&cli.data_dir, up, roles::parent::Greeting::OneLine),
        Command::Server(up) => roles::server::run(&cli.data_dir, up),
        Command::Agent(up) => roles::agent::run(&cli.data_dir, up),

        // What the demo image runs.
        Command::Hello(hello) => cli::hello::run(&hello),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("bayplan: {error:#}");
            ExitCode::from(cli::exit_code(&error))
        }
    }
}
