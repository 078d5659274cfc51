//! `hotline token`: who may ask audit, and what.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use hotline_audit::token::{Role, Token};
use hotline_postgres::access::{self, Actor, Entry};
use hotline_postgres::tokens::{self, New, Token as Kept};
use hotline_postgres::{Rules, run_tx};
use hotline_runtime::clock;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::operator::{said, user};
use super::rates::Format;
use crate::global::Global;
use crate::store::{self, Store};
use crate::table;

/// Makes, lists and revokes tokens for those who ask audit. From the first one on nobody is answered without.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hotline token create --name \"audit office\" --role auditor --expires 90d\n  \
                        hotline token create --name \"housing\" --role supervisor --department D1 --department D2\n  \
                        hotline token list\n  hotline token revoke --name housing"
)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Makes a token and prints it, once: only its SHA-256 is kept.
    Create(Create),
    /// Lists them: role, until when, when used last.
    List {
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Revokes one; it is refused from now on.
    Revoke {
        #[arg(long, value_parser = said)]
        name: String,
        /// Who does it; by default the user of this session.
        #[arg(long, value_name = "NAME", env = "USER", default_value_t = user(), value_parser = said)]
        operator: String,
    },
}

#[derive(Debug, clap::Args)]
struct Create {
    /// Whose it is: it stands in the access log.
    #[arg(long, value_parser = said)]
    name: String,
    /// An auditor sees every case and takes lists away, a supervisor sees lists and cases of its departments, an operator asks
    /// who the people of a case are, with a reason.
    #[arg(long, value_parser = ["auditor", "supervisor", "operator"])]
    role: String,
    /// Of a supervisor: what it sees; without, all.
    #[arg(long, value_name = "CODE")]
    department: Vec<String>,
    /// It may ask who the people of a case are, too; with a reason, and recorded.
    #[arg(long)]
    may_unmask: bool,
    /// How long it is good: days (`90d`) or hours (`8h`).
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = span)]
    expires: SignedDuration,
    /// Who makes it; by default the user of this session.
    #[arg(long, value_name = "NAME", env = "USER", default_value_t = user(), value_parser = said)]
    operator: String,
}

/// A token is good for an hour at least, and for two years at most.
fn span(text: &str) -> Result<SignedDuration, String> {
    const HOURS: std::ops::RangeInclusive<i64> = 1..=24 * 731;
    let (number, hours) = match text.split_at_checked(text.len().saturating_sub(1)) {
        Some((number, "d")) => (number, 24),
        Some((number, "h")) => (number, 1),
        _ => return Err("days like 90d, or hours like 8h".to_owned()),
    };
    let hours = number.parse::<i64>().ok().and_then(|number| number.checked_mul(hours));
    hours
        .filter(|hours| HOURS.contains(hours))
        .map(SignedDuration::from_hours)
        .ok_or_else(|| "from one hour to two years".to_owned())
}

pub async fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    store::with(&global.load()?, async |store| match &args.what {
        What::Create(args) => create(store, args).await,
        What::List { format } => list(store, *format).await,
        What::Revoke { name, operator } => revoke(store, name, operator).await,
    })
    .await?;
    Ok(ExitCode::SUCCESS)
}

async fn create(store: &Store, args: &Create) -> anyhow::Result<()> {
    if !args.department.is_empty() && args.role != Role::Supervisor.name() {
        bail!("--department is for supervisors: an {} is not bound to departments", args.role);
    }
    if !args.department.is_empty() {
        let in_force = Rules::new(store.pool.clone()).current().await?;
        for code in &args.department {
            if !in_force.rulebook.departments.contains_key(code.as_str()) {
                bail!("the rulebook has no department {code}: is it spelt so in departments.csv?");
            }
        }
    }
    let token = Token::generate()?;
    let now = clock::now();
    let expires_at = now.checked_add(args.expires).context("the token would never expire")?;
    let new = New {
        name: &args.name,
        role: &args.role,
        departments: (!args.department.is_empty()).then_some(args.department.as_slice()),
        may_unmask: args.may_unmask,
        sha256: token.sha256(),
        created_at: now,
        created_by: &args.operator,
        expires_at,
    };
    let mut context = new;
    let made = run_tx(&store.pool, "token::create", &mut context, |tx, new| {
        Box::pin(async move {
            let made = tokens::insert(tx, new).await?;
            if made.is_some() {
                let filter =
                    json!({ "role": new.role, "departments": new.departments, "may_unmask": new.may_unmask });
                access::append(tx, &entry("token_created", new.name, filter, new.created_by, new.created_at))
                    .await?;
            }
            Ok(made)
        })
    })
    .await?;
    if made.is_none() {
        bail!(
            "there is a token of the name {:?}, or was one: names stand in the access log for good",
            args.name
        );
    }
    // Alone on its line: it goes into a file or a variable.
    println!("{}", token.expose());
    eprintln!("good until {expires_at}; it is shown once and kept nowhere");
    Ok(())
}

fn entry<'e>(
    step: &'static str,
    name: &'e str,
    filter: Value,
    operator: &'e str,
    at: Timestamp,
) -> Entry<'e> {
    let actor = Actor { name: operator, role: "command" };
    Entry { at, actor, step, subject: name, filter, why: None }
}

async fn list(store: &Store, format: Format) -> anyhow::Result<()> {
    let found = run_tx(&store.pool, "token::list", &mut (), |tx, ()| Box::pin(tokens::list(tx))).await?;
    let now = clock::now();
    let state = |token: &Kept| match token {
        token if token.revoked_at.is_some() => "revoked",
        token if token.is_good(now) => "good",
        _ => "expired",
    };
    let heading = ["name", "role", "departments", "unmasks", "state", "expires", "last used"];
    let rows = found.iter().map(|token| {
        [
            token.name.clone(),
            token.role.clone(),
            token.departments.as_ref().map_or_else(|| "*".to_owned(), |list| list.join(" ")),
            if token.may_unmask || token.role == Role::Operator.name() { "yes" } else { "no" }.to_owned(),
            state(token).to_owned(),
            token.expires_at.to_string(),
            token.last_used_on.map_or_else(|| "never".to_owned(), |on| on.to_string()),
        ]
    });
    match format {
        Format::Table => table::print(heading, rows)?,
        Format::Csv => table::print_csv(heading, rows)?,
        Format::Json => {
            let shown = |token: &Kept| {
                json!({
                    "name": token.name,
                    "role": token.role,
                    "departments": token.departments,
                    "may_unmask": token.may_unmask,
                    "state": state(token),
                    "created_at": token.created_at.to_string(),
                    "created_by": token.created_by,
                    "expires_at": token.expires_at.to_string(),
                    "revoked_at": token.revoked_at.map(|at| at.to_string()),
                    "revoked_by": token.revoked_by,
                    "last_used_on": token.last_used_on.map(|on| on.to_string()),
                })
            };
            println!("{}", Value::Array(found.iter().map(shown).collect()));
        }
    }
    Ok(())
}

async fn revoke(store: &Store, name: &str, operator: &str) -> anyhow::Result<()> {
    let mut asked = (name, operator, clock::now());
    let revoked = run_tx(&store.pool, "token::revoke", &mut asked, |tx, (name, operator, now)| {
        Box::pin(async move {
            let revoked = tokens::revoke(tx, name, *now, operator).await?;
            if revoked {
                access::append(tx, &entry("token_revoked", name, json!({}), operator, *now)).await?;
            }
            Ok(revoked)
        })
    })
    .await?;
    if !revoked {
        bail!("there is no token of the name {name:?} to revoke: see `hotline token list`");
    }
    eprintln!("{name} is refused from now on");
    Ok(())
}
