//! Forms: listed, filled, published, shown.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use hotline_postgres::bulletins::{self, Published};
use hotline_postgres::interventions::By;
use hotline_postgres::{Rules, run_tx};
use hotline_rates::Error;
use hotline_rates::form::{BulletinsConfig, Form, forms as read_forms};
use hotline_rates::made::{Allowed, For, Made, make, publish as publish_made, since};
use hotline_rates::print::{Page, csv, html, json, table as text, xlsx};
use hotline_runtime::clock;
use hotline_runtime::config::Config;
use serde_json::json;

use super::{Format, Said, To};
use crate::command::rates;
use crate::global::{Global, Lang};
use crate::store::{self, Store};
use crate::table;

/// What is printed below a published bulletin.
#[derive(Clone, Copy, Debug)]
pub struct With {
    pub annexes: bool,
    pub restated: bool,
}

pub fn forms(global: &Global) -> anyhow::Result<ExitCode> {
    let config = global.load()?;
    let forms = read_forms(config.section::<BulletinsConfig>().dir.as_deref())?;
    let row = |form: &Form| {
        let title = form.title.to(global.lang()).to_owned();
        [form.id.to_string(), form.version.to_string(), title, form.hash.clone()]
    };
    table::print(["form", "version", "title", "sha256"], forms.values().map(row))?;
    Ok(ExitCode::SUCCESS)
}

fn form_of(config: &Config, id: &str) -> anyhow::Result<Form> {
    let mut forms = read_forms(config.section::<BulletinsConfig>().dir.as_deref())?;
    let known = || forms.keys().map(AsRef::as_ref).collect::<Vec<&str>>().join(", ");
    let unknown = Error::UnknownForm { id: id.to_owned(), known: known() };
    Ok(forms.remove(id).ok_or(unknown)?)
}

/// Fills a form and prints it.
pub async fn print(
    global: &Global,
    (id, period): (&str, &str),
    (format, to): (Format, &To),
    annexes: bool,
) -> anyhow::Result<ExitCode> {
    let config = global.load()?;
    let form = form_of(&config, id)?;
    let purpose = if annexes { For::LookingClosely } else { For::Looking };
    let made = store::with(&config, async |store| {
        let rules = Rules::new(store.pool.clone());
        Ok(make(&store.pool, &rules, (&form, period), purpose, clock::now()).await?)
    })
    .await?;
    write(&Page::of(&made, annexes), (format, to), global.lang())?;
    if made.refold_pending {
        eprintln!("not for publication: cases are still being folded by the active rulebook");
    }
    Ok(ExitCode::SUCCESS)
}

pub async fn publish(
    global: &Global,
    (id, period): (&str, &str),
    (allowed, format): (Allowed, Said),
    by: By<'_>,
) -> anyhow::Result<ExitCode> {
    let config = global.load()?;
    let form = form_of(&config, id)?;
    let (number, made) = store::with(&config, async |store| {
        let rules = Rules::new(store.pool.clone());
        Ok(publish_made(&store.pool, &rules, (&form, period), allowed, by).await?)
    })
    .await?;
    let (id, days, figures) = (&made.form.id, made.period, made.figures.len());
    if format == Said::Text {
        println!("bulletin {number}: {id}, {}..{}, {figures} figures", days.from, days.to);
        eprintln!(
            "`hotline bulletin show {number}` prints it, `hotline bulletin --stamp {number}` makes its figures again"
        );
        return Ok(ExitCode::SUCCESS);
    }
    let said = json!({
        "bulletin": number,
        "form": made.form.id.as_str(),
        "from": made.period.from.to_string(),
        "to": made.period.to.to_string(),
        "figures": made.figures.len(),
        "stamp": json::stamp(&made.stamp),
    });
    println!("{said}");
    Ok(ExitCode::SUCCESS)
}

pub async fn published(global: &Global, format: rates::Format) -> anyhow::Result<ExitCode> {
    let listed = store::with(&global.load()?, async |store| {
        Ok(run_tx(&store.pool, "bulletins::list", &mut (), |tx, ()| Box::pin(bulletins::list(tx))).await?)
    })
    .await?;
    let heading =
        ["bulletin", "form", "version", "period", "as of", "published at", "operator", "why", "rulebook"];
    let row = |one: &bulletins::Listed| {
        [
            one.id.to_string(),
            one.form.clone(),
            one.form_version.to_string(),
            one.period.clone(),
            one.as_of.to_string(),
            one.published_at.to_string(),
            one.operator.clone(),
            one.why.clone(),
            one.rulebook_hash.clone(),
        ]
    };
    match format {
        rates::Format::Table => table::print(heading, listed.iter().map(row))?,
        rates::Format::Csv => table::print_csv(heading, listed.iter().map(row))?,
        rates::Format::Json => {
            let rows = listed.iter().map(|one| {
                json!({
                    "bulletin": one.id,
                    "form": one.form,
                    "form_version": one.form_version,
                    "period": one.period,
                    "as_of": one.as_of.to_string(),
                    "published_at": one.published_at.to_string(),
                    "operator": one.operator,
                    "why": one.why,
                    "rulebook": one.rulebook_hash,
                })
            });
            println!("{:#}", rows.collect::<serde_json::Value>());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A published bulletin of the store; the error says where the numbers are.
pub async fn by_id(store: &Store, id: i64) -> anyhow::Result<Published> {
    let mut asked = id;
    let found =
        run_tx(&store.pool, "bulletins::by_id", &mut asked, |tx, id| Box::pin(bulletins::by_id(tx, *id)));
    found.await?.with_context(|| {
        format!("there is no published bulletin {id}; `hotline bulletin published` lists them")
    })
}

pub async fn show(
    global: &Global,
    id: i64,
    (format, to): (Format, &To),
    with: With,
) -> anyhow::Result<ExitCode> {
    let page = store::with(&global.load()?, async |store| {
        let published = by_id(store, id).await?;
        let made = Made::of_published(&store.pool, &published).await?;
        let page = Page::of(&made, with.annexes).published(&published);
        if !with.restated {
            return Ok(page);
        }
        let rules = Rules::new(store.pool.clone());
        Ok(page.since(&since(&store.pool, &rules, &made, clock::now()).await?))
    })
    .await?;
    write(&page, (format, to), global.lang())?;
    Ok(ExitCode::SUCCESS)
}

fn write(page: &Page, (format, to): (Format, &To), lang: Lang) -> anyhow::Result<()> {
    let bytes = match format {
        Format::Json => format!("{:#}\n", json::json(page, lang)).into_bytes(),
        Format::Table => text::table(page, lang).into_bytes(),
        Format::Csv => csv::csv(page, lang, to.bom)?,
        Format::Xlsx => xlsx::xlsx(page, lang)?,
        Format::Html => html::html(page, lang)?.into_bytes(),
    };
    if let Some(path) = &to.output {
        return std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()));
    }
    let mut out = std::io::stdout().lock();
    anyhow::ensure!(
        format != Format::Xlsx || !out.is_terminal(),
        "a workbook is no text: name a file with --output"
    );
    out.write_all(&bytes)?;
    Ok(out.flush()?)
}
