//! `hotline import`: a foreign file through an adapter to events.

use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use hotline_events::adapter::Adapter;
use hotline_events::table::{self, Row};
use hotline_events::{Keep, Tagger, decode};
use serde_json::{Value, json};

use crate::files;
use crate::progress;

/// Maps the rows of a CSV or NDJSON file to events on standard output. Refused rows go to standard error.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hotline import --format csv --adapter deploy/adapters/boston311.jq cases.csv > events.ndjson"
)]
pub struct Args {
    #[arg(long, value_enum)]
    format: Format,
    /// A jq program from a row (an object by column name) to zero or more events.
    #[arg(long, value_name = "FILE.jq")]
    adapter: PathBuf,
    /// The file; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Csv,
    Ndjson,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let name = args.adapter.display().to_string();
    let code =
        std::fs::read_to_string(&args.adapter).with_context(|| format!("cannot read the adapter {name}"))?;
    let adapter =
        Adapter::compile(&name, &code).map_err(|error| anyhow::anyhow!("the adapter {name}: {error}"))?;
    let bar = progress::bytes(files::length(std::slice::from_ref(&args.file)), "importing");
    let input = bar.wrap_read(files::open(&args.file)?);
    let rows: Box<dyn Iterator<Item = Row>> = match args.format {
        Format::Csv => {
            Box::new(table::csv(input).map_err(|error| anyhow::anyhow!("{}: {error}", args.file.display()))?)
        }
        Format::Ndjson => Box::new(table::ndjson(std::io::BufReader::with_capacity(1 << 20, input))),
    };
    let mut import = Import { adapter, tagger: Tagger::unkeyed(), refused: 0 };
    let mut out = BufWriter::with_capacity(1 << 20, std::io::stdout().lock());
    for row in rows {
        import.row(row, &mut out)?;
    }
    out.flush().context("cannot write the events")?;
    bar.finish_and_clear();
    Ok(if import.refused > 0 { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

struct Import {
    adapter: Adapter,
    tagger: Tagger,
    refused: u64,
}

impl Import {
    /// All events of a row, or none of them and a reason.
    fn row(&mut self, row: Row, out: &mut impl Write) -> anyhow::Result<()> {
        let line = row.line;
        let value = match row.value {
            Ok(value) => value,
            Err(error) => {
                return self
                    .refuse(&json!({ "line": line, "code": error.code(), "message": error.to_string() }));
            }
        };
        let events = match self.adapter.run(&value) {
            Ok(events) => events,
            Err(error) => {
                return self
                    .refuse(&json!({ "line": line, "code": error.code(), "message": error.to_string() }));
            }
        };
        let mut text = Vec::with_capacity(1024);
        for (nth, event) in events.iter().enumerate() {
            let event = serde_json::to_vec(event).context("an event cannot be written")?;
            if let Err(error) = decode(&event, &self.tagger, Keep::Fact) {
                let faults: Vec<Value> = error
                    .faults()
                    .iter()
                    .map(|fault| json!({ "pointer": fault.pointer, "code": fault.code }))
                    .collect();
                return self
                    .refuse(&json!({ "line": line, "event": nth, "code": error.code(), "faults": faults }));
            }
            text.extend_from_slice(&event);
            text.push(b'\n');
        }
        out.write_all(&text).context("cannot write the events")
    }

    fn refuse(&mut self, refusal: &Value) -> anyhow::Result<()> {
        self.refused += 1;
        writeln!(std::io::stderr().lock(), "{refusal}").context("cannot write to standard error")
    }
}
