//! `hotline erase`: the persons of cases are erased, by name or by the day of closing.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use hotline_postgres::erasures::{self, CASES_MAX, Erased, Filter};
use hotline_postgres::interventions::By;
use hotline_postgres::{Rules, run_snapshot_tx, run_tx};
use hotline_runtime::clock;
use indicatif::ProgressBar;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::json;
use smol_str::SmolStr;
use tokio::time::{Instant, sleep};

use super::instant;
use super::operator::{said, user};
use crate::global::{Global, Lang};
use crate::progress;
use crate::store::{self, Store};

/// How long transactions that may still see what was destroyed are waited for.
const WAIT_SECONDS: u64 = 120;

/// Destroys the keys of cases, and with them all that is kept of persons there: in events, in dead letters, in every copy of
/// the files that is made from now on. What departments did and when, the rates and the proofs stay. It cannot be undone. What
/// it does not reach at once, and when that is gone, is told at the end: backups, the topic, the write-ahead log.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hotline erase 12345:20260309001 --why \"request of 2 March, no. 17\" --dry-run\n  \
                  hotline erase --closed-before 2024-01-01 --class ordinary --why \"retention, two years\"\n  \
                  hotline erase --list >erased.ndjson   # to be erased again where an older backup is restored"
)]
pub struct Args {
    /// The cases, as 12345:20260309001.
    #[arg(value_name = "CASE", conflicts_with = "closed_before")]
    cases: Vec<SmolStr>,
    /// Every case whose last round was closed before this day, in the zone of the rulebook. Goes on where it was interrupted.
    #[arg(long, value_name = "DATE", value_parser = instant::parse_day)]
    closed_before: Option<Date>,
    /// Of those only the cases of this class.
    #[arg(long, value_name = "CLASS", requires = "closed_before")]
    class: Option<String>,
    /// Says what would be destroyed and destroys nothing.
    #[arg(long)]
    dry_run: bool,
    /// Every case that was erased, and when, a JSON object a line.
    #[arg(long, conflicts_with_all = ["cases", "closed_before"])]
    list: bool,
    /// Why: it is kept with what is done. Name no person here: this stays.
    #[arg(long, visible_alias = "reason", value_name = "TEXT", value_parser = said, required_unless_present = "list")]
    why: Option<String>,
    /// Who does it; by default the user of this session.
    #[arg(long, value_name = "NAME", env = "USER", default_value_t = user(), value_parser = said)]
    operator: String,
    /// How long to wait for transactions that may still see what was destroyed, before the files are written anew.
    #[arg(long, value_name = "SECONDS", default_value_t = WAIT_SECONDS)]
    wait: u64,
    /// As a JSON object.
    #[arg(long)]
    json: bool,
}

pub async fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    if !args.list && args.cases.is_empty() && args.closed_before.is_none() {
        bail!("name cases, or --closed-before a day, or --list");
    }
    let lang = global.lang();
    store::with(
        &global.load()?,
        async |store| if args.list { list(store).await } else { erase(store, args, lang).await },
    )
    .await
}

async fn list(store: &Store) -> anyhow::Result<ExitCode> {
    /// Lines read at once.
    const PAGE: i64 = 10_000;
    let mut out = std::io::stdout().lock();
    let mut after = String::new();
    loop {
        let page = run_tx(&store.pool, "erasures::list", &mut after, |tx, after| {
            Box::pin(erasures::list(tx, after, PAGE))
        })
        .await?;
        for (case, at) in &page {
            writeln!(out, "{}", json!({ "case": case, "erased_at": at.to_string() }))?;
        }
        match page.into_iter().next_back() {
            Some((case, _)) => after = case,
            None => return Ok(ExitCode::SUCCESS),
        }
    }
}

async fn erase(store: &Store, args: &Args, lang: Lang) -> anyhow::Result<ExitCode> {
    let by = By { operator: &args.operator, why: args.why.as_deref().unwrap_or_default(), at: clock::now() };
    let done = match args.closed_before {
        Some(day) => closed_before(store, day, args, by).await?,
        None => named(store, args, by).await?,
    };
    let written_anew = if args.dry_run { None } else { Some(write_anew(store, by, args.wait).await?) };
    done.tell(args, written_anew, lang)?;
    // What is left to do is said, and in the code too.
    Ok(if written_anew == Some(false) { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

/// What was, or would be, destroyed.
#[derive(Default)]
struct Done {
    erased: Erased,
    /// Letters of no known case that name one of the cases.
    unplaced: u64,
}

async fn named(store: &Store, args: &Args, by: By<'_>) -> anyhow::Result<Done> {
    let cases: BTreeSet<SmolStr> = args.cases.iter().cloned().collect();
    let mut all: Vec<SmolStr> = cases.iter().cloned().collect();
    let unknown =
        run_tx(&store.pool, "erasures::unknown", &mut all, |tx, all| Box::pin(erasures::unknown(tx, all)))
            .await?;
    if !unknown.is_empty() {
        bail!(
            "nothing is known of {}: a case is named <hotline>:<number>; nothing was erased",
            unknown.join(", ")
        );
    }
    let mut done = Done::default();
    for page in all.chunks(CASES_MAX) {
        done.erased.add(step(store, page, args.dry_run, by).await?);
    }
    done.unplaced = unplaced(store, &cases, args.dry_run, by).await?;
    Ok(done)
}

async fn closed_before(store: &Store, day: Date, args: &Args, by: By<'_>) -> anyhow::Result<Done> {
    let mut filter = Filter { closed_before: midnight(store, day).await?, class: args.class.clone() };
    let name = "erasures::count";
    let count =
        run_snapshot_tx(&store.pool, name, &mut filter, |tx, filter| Box::pin(erasures::count(tx, filter)))
            .await?;
    walk(store, &filter, count, args.dry_run, by).await
}

/// Erases the persons of cases that were closed long enough ago, and tells what came of it.
pub(super) async fn closed(
    store: &Store,
    filter: &Filter,
    count: u64,
    by: By<'_>,
) -> anyhow::Result<ExitCode> {
    let done = walk(store, filter, count, false, by).await?;
    let written_anew = write_anew(store, by, WAIT_SECONDS).await?;
    println!("persons erased: those of {} cases", done.erased.cases);
    if written_anew {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!(
        "a transaction that may see them is under way: run `hotline retention apply` again, so that the files are written anew"
    );
    Ok(ExitCode::from(2))
}

async fn walk(store: &Store, filter: &Filter, count: u64, dry_run: bool, by: By<'_>) -> anyhow::Result<Done> {
    let bar: ProgressBar = progress::count(count, if dry_run { "looking" } else { "erasing" });
    let (mut done, mut cases, mut after) = (Done::default(), BTreeSet::new(), SmolStr::default());
    loop {
        let mut asked = (filter, after.as_str());
        let page = run_tx(&store.pool, "erasures::page", &mut asked, |tx, (filter, after)| {
            Box::pin(erasures::page(tx, filter, after))
        })
        .await?;
        let Some(last) = page.last() else { break };
        after = last.clone();
        done.erased.add(step(store, &page, dry_run, by).await?);
        bar.inc(page.len() as u64);
        cases.extend(page);
    }
    bar.finish_and_clear();
    done.unplaced = unplaced(store, &cases, dry_run, by).await?;
    Ok(done)
}

/// The beginning of a day where the rulebook counts days.
async fn midnight(store: &Store, day: Date) -> anyhow::Result<Timestamp> {
    let rules = Rules::new(store.pool.clone()).current().await?;
    let zone: &TimeZone = &rules.rulebook.timezone;
    zone.to_timestamp(day.at(0, 0, 0, 0)).context("the day is out of range")
}

async fn step(store: &Store, cases: &[SmolStr], dry_run: bool, by: By<'_>) -> anyhow::Result<Erased> {
    let mut asked = (cases, by);
    let done = if dry_run {
        run_tx(&store.pool, "erasures::found", &mut asked, |tx, (cases, _)| {
            Box::pin(erasures::found(tx, cases))
        })
        .await
    } else {
        run_tx(&store.pool, "erasures::erase", &mut asked, |tx, (cases, by)| {
            Box::pin(erasures::erase(tx, cases, by))
        })
        .await
    };
    Ok(done?)
}

async fn unplaced(
    store: &Store,
    cases: &BTreeSet<SmolStr>,
    dry_run: bool,
    by: By<'_>,
) -> anyhow::Result<u64> {
    if cases.is_empty() {
        return Ok(0);
    }
    let mut asked = (&store.master, cases, (!dry_run).then_some(by));
    let name = "erasures::unplaced";
    let found = run_tx(&store.pool, name, &mut asked, |tx, (master, cases, by)| {
        Box::pin(erasures::unplaced(tx, master, cases, by.as_ref()))
    });
    Ok(found.await?)
}

/// Writes the files anew once nobody can see what was destroyed; whether that was soon enough.
async fn write_anew(store: &Store, by: By<'_>, wait_seconds: u64) -> anyhow::Result<bool> {
    /// How soon transactions are looked at again.
    const AGAIN_AFTER: Duration = Duration::from_millis(100);
    let onlookers = async || {
        run_tx(&store.pool, "erasures::onlookers", &mut (), |tx, ()| Box::pin(erasures::onlookers(tx))).await
    };
    let deadline = Instant::now() + Duration::from_secs(wait_seconds);
    let mut before = onlookers().await?;
    while !before.is_empty() && Instant::now() < deadline {
        sleep(AGAIN_AFTER).await;
        let now = onlookers().await?;
        before.retain(|one| now.contains(one));
    }
    if !before.is_empty() {
        return Ok(false);
    }
    let mut by = by;
    run_tx(&store.pool, "erasures::rewrite", &mut by, |tx, by| Box::pin(erasures::rewrite(tx, by))).await?;
    Ok(true)
}

impl Done {
    fn tell(&self, args: &Args, written_anew: Option<bool>, lang: Lang) -> anyhow::Result<()> {
        let Erased { cases, keys, parts, letters } = self.erased;
        let unplaced = self.unplaced;
        let mut out = std::io::stdout().lock();
        if args.json {
            let said = json!({
                "dry_run": args.dry_run, "cases": cases, "keys": keys, "parts": parts, "letters": letters,
                "unplaced_letters": unplaced, "files_written_anew": written_anew,
            });
            writeln!(out, "{said}")?;
            return Ok(());
        }
        match (lang, args.dry_run) {
            (Lang::Zh, true) => writeln!(
                out,
                "试运行：将删除 {cases} 件工单的个人信息（密钥 {keys}，密封数据 {parts}，异常数据 {letters}，另有无主异常数据 {unplaced}）；未作任何改动"
            )?,
            (Lang::Zh, false) => writeln!(
                out,
                "已删除 {cases} 件工单的个人信息（密钥 {keys}，密封数据 {parts}，异常数据 {letters}，另有无主异常数据 {unplaced}）"
            )?,
            (Lang::En, true) => writeln!(
                out,
                "would erase the persons of {cases} cases: {keys} keys, {parts} sealed parts, {letters} dead letters and {unplaced} of no \
                 known case; nothing was changed"
            )?,
            (Lang::En, false) => writeln!(
                out,
                "erased the persons of {cases} cases: {keys} keys, {parts} sealed parts, {letters} dead letters and {unplaced} of no known \
                 case"
            )?,
        }
        let left = match (lang, written_anew) {
            (_, None) => return Ok(()),
            (Lang::Zh, Some(false)) => "有事务仍在运行，数据文件尚未重写：请稍后对同一工单再次运行本命令",
            (Lang::En, Some(false)) => {
                "a transaction is still under way that may see them: the files are not written anew yet; run the same command again"
            }
            (Lang::Zh, Some(true)) => {
                "数据文件已重写。以下内容随时间消失：预写日志（被覆盖后）、消息主题（保留期满后）、以前的备份（删除后）。恢复旧备份后须再次删除：hotline erase --list"
            }
            (Lang::En, Some(true)) => {
                "the files were written anew. What ages: the write-ahead log (until it is written over), the topic (its retention), older \
                 backups (until they are deleted). After an older backup is restored, erase again: hotline erase --list"
            }
        };
        writeln!(out, "{left}")?;
        Ok(())
    }
}
