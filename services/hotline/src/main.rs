mod command {
    pub mod due;
    pub mod import;
    pub mod rates;
    pub mod replay;
}
mod files;
mod progress;
use clap::Parser;
#[derive(Parser)]
enum Cli {
    Due(command::due::Args),
    Import(command::import::Args),
    Replay(command::replay::Args),
}
fn main() -> anyhow::Result<std::process::ExitCode> {
    match Cli::parse() {
        Cli::Due(a) => command::due::run(&a),
        Cli::Import(a) => command::import::run(&a),
        Cli::Replay(a) => command::replay::run(&a),
    }
}
