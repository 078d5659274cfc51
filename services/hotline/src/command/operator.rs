//! What every command asks for that changes something by hand.

use hotline_postgres::interventions::By;
use hotline_runtime::clock;

/// Who does it, and why: both are kept with what is done.
#[derive(Clone, Debug, clap::Args)]
pub struct Operator {
    /// Why: it is kept with what is done.
    #[arg(long, value_name = "TEXT", value_parser = said)]
    why: String,
    /// Who does it; by default the user of this session.
    #[arg(long, value_name = "NAME", env = "USER", default_value_t = user(), value_parser = said)]
    operator: String,
}

impl Operator {
    pub fn by(&self) -> By<'_> {
        By { operator: &self.operator, why: &self.why, at: clock::now() }
    }
}

/// The user of this process, by name: jobs have no session that would say.
pub fn user() -> String {
    let output = std::process::Command::new("id").arg("-un").output();
    let name = output.ok().and_then(|output| String::from_utf8(output.stdout).ok());
    name.map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}

/// Something, and no more than a few lines.
pub fn said(text: &str) -> Result<String, String> {
    const BYTES_MAX: usize = 1_000;
    let text = text.trim();
    match text.len() {
        0 => Err("it must not be empty".to_owned()),
        _ if text.contains('\0') => Err("U+0000 is no text".to_owned()),
        1..=BYTES_MAX => Ok(text.to_owned()),
        _ => Err(format!("at most {BYTES_MAX} bytes")),
    }
}
