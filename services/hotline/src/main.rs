//! `hotline`: one binary, a subcommand for each role and command.

mod broker;
mod cli;
mod command;
mod files;
mod folding;
mod global;
mod progress;
mod roles;
mod store;
mod table;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::ExitCode;

use clap::Parser as _;
use hotline_runtime::lifecycle::{EXIT_FAILED, EXIT_OK, EXIT_USAGE};

/// Casework makes and drops many small values in several threads: the system's allocator took an eighth of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to standard output and is no error.
            let code = if error.use_stderr() { EXIT_USAGE } else { EXIT_OK };
            return error.print().map_or(ExitCode::from(EXIT_FAILED), |()| ExitCode::from(code));
        }
    };
    silence_closed_pipes();
    let run = AssertUnwindSafe(|| cli.run());
    let ended = match catch_unwind(run) {
        Ok(ended) => ended,
        Err(panic) if is_closed_pipe(panic.downcast_ref::<String>().map_or("", String::as_str)) => {
            return ExitCode::from(EXIT_OK);
        }
        Err(panic) => resume_unwind(panic),
    };
    ended.unwrap_or_else(|error| {
        // `hotline … | head`: the reader has seen enough.
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            return ExitCode::from(EXIT_OK);
        }
        eprintln!("hotline: {error:#}");
        let code = error
            .downcast_ref::<hotline_runtime::Error>()
            .map_or(EXIT_FAILED, hotline_runtime::Error::exit_code);
        ExitCode::from(code)
    })
}

/// `hotline … | head`: the reader has seen enough, and `println!` panics.
fn is_closed_pipe(panic: &str) -> bool {
    panic.starts_with("failed printing to stdout") && panic.contains("Broken pipe")
}

fn silence_closed_pipes() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !panic.payload().downcast_ref::<String>().is_some_and(|text| is_closed_pipe(text)) {
            tell(panic);
        }
    }));
}
