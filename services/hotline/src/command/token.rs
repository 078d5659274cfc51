//! `hotline token`: who may ask audit, and what.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use hotline_audit::token::{Role, Token};
use hotline_postgres::access::{self, Actor, Entry};
use hotline_postgres::tokens::{self, New, Token as Kept};
use hotline_postgres::{Rules, run_tx};
use hotline_runtime::clock;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::instant;
use super::operator::{said, user};
use super::rates::Format;
use crate::global::{Global, Lang};
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
    const FORM: &str = "days such as 90d, or hours such as 8h";
    const HOURS: std::ops::RangeInclusive<i64> = 1..=24 * 731;
    let (number, hours) = match text.split_at_checked(text.len().saturating_sub(1)) {
        Some((number, "d")) => (number, 24),
        Some((number, "h")) => (number, 1),
        _ => return Err(FORM.to_owned()),
    };
    let number = number.parse::<i64>().map_err(|_| FORM.to_owned())?;
    number
        .checked_mul(hours)
        .filter(|hours| HOURS.contains(hours))
        .map(SignedDuration::from_hours)
        .ok_or_else(|| format!("from one hour (1h) to two years (731d): {FORM}"))
}

pub async fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    let lang = global.lang();
    store::with(&global.load()?, async |store| match &args.what {
        What::Create(args) => create(store, args, lang).await,
        What::List { format } => list(store, *format, lang).await,
        What::Revoke { name, operator } => revoke(store, name, operator).await,
    })
    .await?;
    Ok(ExitCode::SUCCESS)
}

async fn create(store: &Store, args: &Create, lang: Lang) -> anyhow::Result<()> {
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
    let zone = instant::zone(store).await?;
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
    let until = instant::told(expires_at, &zone);
    eprintln!(
        "{}",
        match lang {
            Lang::Zh => format!("有效期至 {until}；令牌只显示这一次，不在任何地方保存"),
            Lang::En => format!("good until {until}; it is shown once and kept nowhere"),
        }
    );
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

/// Whether a token is good, by its code.
fn state(token: &Kept, now: Timestamp) -> &'static str {
    match token {
        token if token.revoked_at.is_some() => "revoked",
        token if token.is_good(now) => "good",
        _ => "expired",
    }
}

/// What stands over the columns.
fn heading(lang: Lang) -> [&'static str; 7] {
    match lang {
        Lang::Zh => ["名称", "角色", "承办单位", "可查看个人信息", "状态", "有效期至", "最近使用"],
        Lang::En => ["name", "role", "departments", "unmasks", "state", "expires", "last used"],
    }
}

/// A token in words; its role and departments as they are said to commands.
fn row(token: &Kept, now: Timestamp, zone: &TimeZone, lang: Lang) -> [String; 7] {
    let unmasks = token.may_unmask || token.role == Role::Operator.name();
    let state = match (state(token, now), lang) {
        ("revoked", Lang::Zh) => "已撤销",
        ("good", Lang::Zh) => "有效",
        (_, Lang::Zh) => "已过期",
        (state, Lang::En) => state,
    };
    [
        token.name.clone(),
        token.role.clone(),
        token.departments.as_ref().map_or_else(|| "*".to_owned(), |list| list.join(" ")),
        if unmasks { lang.of("是", "yes") } else { lang.of("否", "no") }.to_owned(),
        state.to_owned(),
        instant::told(token.expires_at, zone),
        token.last_used_on.map_or_else(|| lang.of("从未", "never").to_owned(), |on| on.to_string()),
    ]
}

async fn list(store: &Store, format: Format, lang: Lang) -> anyhow::Result<()> {
    let found = run_tx(&store.pool, "token::list", &mut (), |tx, ()| Box::pin(tokens::list(tx))).await?;
    let now = clock::now();
    let zone = instant::zone(store).await?;
    let rows = |lang| found.iter().map(|token| row(token, now, &zone, lang)).collect::<Vec<_>>();
    match format {
        Format::Table => table::print(heading(lang), rows(lang))?,
        // Programs read it, whatever the language of whoever runs them.
        Format::Csv => table::print_csv(heading(Lang::En), rows(Lang::En))?,
        Format::Json => {
            let shown = |token: &Kept| {
                json!({
                    "name": token.name,
                    "role": token.role,
                    "departments": token.departments,
                    "may_unmask": token.may_unmask,
                    "state": state(token, now),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_a_token_is_good_is_asked_for_with_an_example() {
        assert_eq!(span("90d"), Ok(SignedDuration::from_hours(90 * 24)));
        assert_eq!(span("8h"), Ok(SignedDuration::from_hours(8)));
        for text in ["bad", "", "8", "week", "h", "0h", "732d", "99999999999999999d"] {
            let said = span(text).unwrap_err();
            assert!(said.contains("days such as 90d, or hours such as 8h"), "{text}: {said}");
        }
    }

    #[test]
    fn a_token_is_listed_in_words_and_in_the_time_of_the_place() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let token = Kept {
            id: 1,
            name: "housing".to_owned(),
            role: "supervisor".to_owned(),
            departments: Some(vec!["D1".to_owned(), "D2".to_owned()]),
            may_unmask: false,
            sha256: Vec::new(),
            created_at: at("2026-09-01T00:00:00Z"),
            created_by: "x".to_owned(),
            expires_at: at("2026-11-30T16:00:00.654321Z"),
            revoked_at: None,
            revoked_by: None,
            last_used_on: None,
        };
        let zone = TimeZone::fixed(jiff::tz::offset(8));
        let shown = |now: &str, lang| row(&token, at(now), &zone, lang).join(" | ");
        assert_eq!(
            shown("2026-10-01T00:00:00Z", Lang::En),
            "housing | supervisor | D1 D2 | no | good | 2026-12-01T00:00:00+08:00 | never"
        );
        assert_eq!(
            shown("2026-12-31T00:00:00Z", Lang::Zh),
            "housing | supervisor | D1 D2 | 否 | 已过期 | 2026-12-01T00:00:00+08:00 | 从未"
        );
    }
}
