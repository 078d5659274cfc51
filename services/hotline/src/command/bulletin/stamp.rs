//! `hotline bulletin --stamp`: the figures of a bulletin made again, from the ledger alone.
//!
//! Neither tallies nor stored scores are looked at: the events that were known then are folded under the rulebook of the
//! stamp, and every figure is compared.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use hotline_core::bulletin::{Change, Figure, Figures, changes};
use hotline_core::fold::FOLD_VERSION;
use hotline_postgres::bulletins::Stamp;
use hotline_postgres::figures::Known;
use hotline_postgres::{PgConnection, rulebooks, run_read_tx};
use hotline_rates::form::Form;
use hotline_rates::made::{Spans, add_reported};
use hotline_rates::print::json;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::form::by_id;
use crate::folding::{Cases, Reach, read_ledger};
use crate::global::Global;
use crate::store::{self, Store};

pub async fn run(global: &Global, stamp: &str) -> anyhow::Result<ExitCode> {
    let config = global.load()?;
    let (stamp, figures, again) = store::with(&config, async |store| {
        let (stamp, figures) = match stamp.parse::<i64>() {
            Ok(id) => {
                let published = by_id(store, id).await?;
                (published.frozen.stamp, published.frozen.figures)
            }
            Err(_) => of_file(Path::new(stamp))?,
        };
        let again = make_again(store, &stamp).await?;
        Ok((stamp, figures, again))
    })
    .await?;
    let differences = changes(&figures, &again);
    for change in &differences {
        println!("{}", shown(change));
    }
    if stamp.fold_version != FOLD_VERSION {
        eprintln!(
            "it was folded by fold {} of the program; this is fold {FOLD_VERSION}, which may judge otherwise",
            stamp.fold_version
        );
    }
    eprintln!("{} figures made again from the ledger, {} differ", figures.len(), differences.len());
    Ok(if differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn of_file(path: &Path) -> anyhow::Result<(Stamp, Figures)> {
    let text = std::fs::read_to_string(path).with_context(|| {
        format!("{} is neither the number of a bulletin nor a file that can be read", path.display())
    })?;
    let value: Value =
        serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))?;
    json::read(&value).with_context(|| {
        format!("{} is no bulletin of --format json: its stamp or its figures are missing", path.display())
    })
}

/// The figures of a stamp, from the events that were known to it.
async fn make_again(store: &Store, stamp: &Stamp) -> anyhow::Result<Figures> {
    let mut hash = stamp.rulebook_hash.as_str();
    let found = run_read_tx(&store.pool, "bulletin::rulebook", &mut hash, |tx, hash| {
        Box::pin(async move {
            let activations = rulebooks::list(tx).await?;
            match activations.iter().find(|one| one.hash == *hash) {
                Some(activation) => rulebooks::by_seq(tx, activation.seq).await.map(Some),
                None => Ok(None),
            }
        })
    });
    let rulebook = found
        .await?
        .with_context(|| {
            format!("the rulebook {} of the stamp was never active in this database", stamp.rulebook_hash)
        })?
        .rulebook;
    let form = form_of(stamp)?;
    let asked = form.asked(&rulebook)?;
    let mut reading = Reading { stamp, form: &form, cases: Cases::new(&rulebook), reported: Figures::new() };
    run_read_tx(&store.pool, "bulletin::again", &mut reading, |tx, reading| Box::pin(reading.read(tx)))
        .await??;
    // The database is not kept waiting while cases are folded.
    let Reading { mut cases, reported, .. } = reading;
    let mut spans = Spans::new(&form, &asked, &rulebook, &stamp.spans);
    // Decisions of ours that were taken stand in the ledger; none is taken here.
    cases.scores(Timestamp::MIN, |score| {
        for table in spans.tables() {
            table.add_score(score, stamp.as_of);
        }
    });
    let mut figures = spans.figures();
    figures.extend(reported);
    Ok(figures)
}

struct Reading<'r> {
    stamp: &'r Stamp,
    form: &'r Form,
    cases: Cases<'r>,
    reported: Figures,
}

impl Reading<'_> {
    /// The inner error is a row of the ledger that cannot be read.
    async fn read(&mut self, tx: &mut PgConnection) -> Result<anyhow::Result<()>, hotline_postgres::Error> {
        let stamp = self.stamp;
        if let Err(error) = read_ledger(tx, &mut self.cases, Reach::Known(stamp)).await? {
            return Ok(Err(error));
        }
        let ledger_below = stamp.ledger_below.unwrap_or(i64::MAX);
        let known = Known { positions: &stamp.positions, ledger_below };
        add_reported(tx, self.form, &stamp.spans, Some(known), &mut self.reported).await?;
        Ok(Ok(()))
    }
}

fn form_of(stamp: &Stamp) -> anyhow::Result<Form> {
    let form = Form::read(&stamp.form.id, &stamp.form.text)?;
    if form.hash != stamp.form.hash {
        bail!("the form's text is not the one of the stamp: its hash is {}", form.hash);
    }
    Ok(form)
}

fn shown(change: &Change<'_>) -> Value {
    let figure = |figure: Option<&Figure>| {
        figure.map(|figure| {
            json!({
                "numerator": figure.sums.map(|sums| sums.numerator),
                "denominator": figure.sums.map(|sums| sums.denominator),
                "scale": figure.sums.map(|sums| sums.scale),
                "value": figure.value,
                "rank": figure.rank,
            })
        })
    };
    json!({
        "span": change.place.span.name(),
        "sort": change.place.sort.name(),
        "id": change.place.id.as_str(),
        "department": change.place.department.as_str(),
        "published": figure(change.before),
        "again": figure(change.after),
    })
}
