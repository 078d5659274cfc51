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
        eprintln!("hotline: {}", told(&error));
        let code = error
            .downcast_ref::<hotline_runtime::Error>()
            .map_or(EXIT_FAILED, hotline_runtime::Error::exit_code);
        ExitCode::from(code)
    })
}

/// An error with its causes; a cause that the error before it has said already is not said again.
fn told(error: &anyhow::Error) -> String {
    let mut told = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !told.contains(&cause) {
            told.push_str(": ");
            told.push_str(&cause);
        }
    }
    told
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

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn what_an_error_says_of_its_cause_is_said_once() {
        let missing = || hotline_audit::Halt::KeyMissing { path: "log.key".into() };
        let once = told(&anyhow::Error::from(hotline_audit::Error::from(missing())));
        assert_eq!(once, missing().to_string());
        let within = hotline_audit::Error::Store(hotline_postgres::Error::NoRulebook);
        let once = told(&anyhow::Error::from(within));
        assert_eq!(once.matches(&hotline_postgres::Error::NoRulebook.to_string()).count(), 1, "{once}");
        let apart = Err::<(), _>(io::Error::other("away")).context("cannot read it").unwrap_err();
        assert_eq!(told(&apart), "cannot read it: away");
    }
}
