//! `hotline what-if`: what a draft of the rulebook would change, before anybody is judged by it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use hotline_core::case::CaseFacts;
use hotline_core::compare::{Asked, Comparison, Dispatches, Pair, Returns};
use hotline_core::fold::settle;
use hotline_core::rate::{ALL, Query, Row};
use hotline_core::rulebook::Rulebook;
use hotline_postgres::{PgConnection, Rules, cases, rulebooks, run_read_tx};
use hotline_rates::row::number;
use hotline_runtime::clock;
use indicatif::ProgressBar;
use jiff::Timestamp;
use serde_json::{Value, json};
use smol_str::SmolStr;

use super::instant;
use super::rates::{Format, percent};
use crate::files;
use crate::folding::{Cases, read_files};
use crate::global::{Global, Lang};
use crate::progress;
use crate::store::{self, Store};
use crate::table;

/// Folds every case under a draft of the rulebook beside the one in force, and shows what would change: rates, the cases
/// that change side, and where routing would have sent them. Nothing is written.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
        hotline what-if --rulebook draft --period 2026-01-01..2026-11-01 --rate on_time_closure.due\n  \
        hotline what-if --rulebook draft --against deploy/rulebook --period 2026-09-01..2026-11-01 \\\n    \
        deploy/sample/events.ndjson\n\n\
        The totals of the draft are those of `hotline replay --rulebook draft` over `hotline export`, where both rulebooks \
        list the same sources with the same trusted_before. Dispatch decisions of ours that were taken stay as they are \
        under either. Of a source of snapshots only the newest is there, so that the past is that of now.")]
pub struct Args {
    /// The draft: a rulebook directory.
    #[arg(long, value_name = "DIR")]
    rulebook: PathBuf,
    /// Compare with this rulebook, over FILEs instead of the database.
    #[arg(long, value_name = "DIR", requires = "files")]
    against: Option<PathBuf>,
    /// Days FROM..TO, TO not included.
    #[arg(long, value_name = "FROM..TO")]
    period: String,
    /// Ids of rates and scores, separated by commas; by default every rate that both rulebooks have.
    #[arg(long, value_name = "ID[,ID]", value_delimiter = ',')]
    rate: Vec<String>,
    /// department[,hotline][,case_type]
    #[arg(long, default_value = "department")]
    by: String,
    /// What is known at this instant; by default now.
    #[arg(long, value_name = "T", value_parser = instant::parse)]
    as_of: Option<Timestamp>,
    /// List at most so many cases, by default 100; they are counted all the same. CSV has the rates alone.
    #[arg(long, value_name = "N")]
    cases: Option<usize>,
    /// Also the rows that stay as they are.
    #[arg(long)]
    all: bool,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Event NDJSON instead of the database; `-` is standard input.
    #[arg(value_name = "FILE", requires = "against")]
    files: Vec<PathBuf>,
}

/// Cases that are listed.
const CASES: usize = 100;

pub async fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    if args.format == Format::Csv && args.cases.is_some() {
        bail!("CSV has the rates alone: take --format json, or the table, for cases and routing");
    }
    let draft = files::rulebook(&args.rulebook)?.rulebook;
    let as_of = args.as_of.unwrap_or_else(clock::now);
    if let Some(against) = &args.against {
        let live = files::rulebook(against)?.rulebook;
        let (live_query, draft_query) = args.queries(&live, &draft)?;
        let mut comparison = Comparison::new(
            Asked { query: &live_query, rulebook: &live },
            Asked { query: &draft_query, rulebook: &draft },
            as_of,
            args.cases.unwrap_or(CASES),
        );
        over_files(&args.files, (&live, &draft), as_of, &mut comparison)?;
        return print(&comparison, (&live, &draft), as_of, args, global.lang());
    }
    store::with(&global.load()?, async |store| {
        let rules = Rules::new(store.pool.clone());
        let live = rules.current().await?;
        let (live_query, draft_query) = args.queries(&live.rulebook, &draft)?;
        let comparison = Comparison::new(
            Asked { query: &live_query, rulebook: &live.rulebook },
            Asked { query: &draft_query, rulebook: &draft },
            as_of,
            args.cases.unwrap_or(CASES),
        );
        let both = (&*live.rulebook, &draft);
        let comparison = over_database(store, live.seq, both, args.as_of, as_of, comparison).await?;
        print(&comparison, both, as_of, args, global.lang())
    })
    .await
}

impl Args {
    fn queries<'r>(&self, live: &'r Rulebook, draft: &'r Rulebook) -> anyhow::Result<(Query<'r>, Query<'r>)> {
        let rates = if self.rate.is_empty() {
            let both: Vec<&str> =
                draft.rates.keys().filter(|id| live.rates.contains_key(*id)).map(SmolStr::as_str).collect();
            if both.is_empty() {
                bail!("the two rulebooks have no rate in common: name what to compare with --rate");
            }
            both.join(",")
        } else {
            self.rate.join(",")
        };
        let ask = hotline_rates::Ask::parse(&rates, &self.by, &self.period)?;
        // What only the draft knows has nothing to be compared with, and is shown all the same.
        let known_to = |rulebook: &Rulebook| {
            let is_known = |id: &String| {
                rulebook.rates.contains_key(id.as_str()) || rulebook.scores.contains_key(id.as_str())
            };
            hotline_rates::Ask {
                ids: ask.ids.iter().filter(|id| is_known(id)).cloned().collect(),
                ..ask.clone()
            }
        };
        let unknown =
            |id: &&String| ![live, draft].into_iter().any(|rulebook| known_to(rulebook).ids.contains(id));
        if ask.ids.iter().any(|id| unknown(&id)) {
            // Its error lists what there is.
            ask.query(draft)?;
        }
        Ok((known_to(live).query(live)?, known_to(draft).query(draft)?))
    }
}

/// Folds the cases of files under both.
fn over_files<'r>(
    paths: &[PathBuf],
    (live, draft): (&'r Rulebook, &'r Rulebook),
    as_of: Timestamp,
    comparison: &mut Comparison<'r>,
) -> anyhow::Result<()> {
    let (mut of_live, mut of_draft) = (Cases::new(live), Cases::new(draft));
    let refused = read_files(paths, |event| {
        let Some((case, fact)) = of_live.decoded(event)? else { return Ok(()) };
        // What one refuses the other may take.
        let taken = of_live.add_fact(case.clone(), fact.clone(), as_of);
        of_draft.add_fact(case, fact, as_of).and(taken)
    })?;
    if refused > 0 {
        eprintln!("{refused} events were refused and are in no figure");
    }
    let (mut of_live, mut of_draft) = (of_live.into_facts(), of_draft.into_facts());
    let cases: BTreeSet<SmolStr> = of_live.keys().chain(of_draft.keys()).cloned().collect();
    let bar = progress::count(cases.len() as u64, "folding");
    for case in cases {
        let folded = |facts: Option<CaseFacts>, rulebook: &Rulebook| {
            settle(&case, &mut facts.unwrap_or_default(), rulebook, as_of).0
        };
        comparison.add(&folded(of_live.remove(&case), live), &folded(of_draft.remove(&case), draft));
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

/// A walk over the database's cases.
struct Walk<'r> {
    seq: i64,
    rulebooks: (&'r Rulebook, &'r Rulebook),
    /// None: everything that is there.
    seen_by: Option<Timestamp>,
    as_of: Timestamp,
    comparison: Comparison<'r>,
    bar: ProgressBar,
    /// Another rulebook was activated since.
    changed: bool,
}

async fn over_database<'r>(
    store: &Store,
    seq: i64,
    rulebooks: (&'r Rulebook, &'r Rulebook),
    seen_by: Option<Timestamp>,
    as_of: Timestamp,
    comparison: Comparison<'r>,
) -> anyhow::Result<Comparison<'r>> {
    let bar = progress::count(0, "folding");
    let mut walk = Walk { seq, rulebooks, seen_by, as_of, comparison, bar, changed: false };
    run_read_tx(&store.pool, "what_if", &mut walk, |tx, walk| Box::pin(walk.over(tx))).await?;
    walk.bar.finish_and_clear();
    if walk.changed {
        bail!("another rulebook was activated just now: run this again");
    }
    Ok(walk.comparison)
}

impl Walk<'_> {
    async fn over(&mut self, tx: &mut PgConnection) -> Result<(), hotline_postgres::Error> {
        if rulebooks::active_seq(tx).await? != Some(self.seq) {
            self.changed = true;
            return Ok(());
        }
        let all: i64 = cases::progress(tx).await?.iter().map(|(_, _, cases)| cases).sum();
        self.bar.set_length(all.cast_unsigned());
        let (live, draft) = self.rulebooks;
        cases::walk_facts(tx, |case, facts| {
            let folded = |rulebook: &Rulebook| {
                let mut seen = match self.seen_by {
                    Some(at) => facts.seen_by(at, rulebook),
                    None => facts.clone(),
                };
                settle(case, &mut seen, rulebook, self.as_of).0
            };
            self.comparison.add(&folded(live), &folded(draft));
            self.bar.inc(1);
        })
        .await
    }
}

fn print(
    compared: &Comparison<'_>,
    (live, draft): (&Rulebook, &Rulebook),
    as_of: Timestamp,
    args: &Args,
    lang: Lang,
) -> anyhow::Result<ExitCode> {
    let mut pairs = compared.pairs();
    warn(&pairs, (live, draft), lang);
    if !args.all && args.format != Format::Json {
        pairs.retain(|pair| pair.is_changed() || pair.department() == ALL);
    }
    match args.format {
        Format::Json => println!("{:#}", whole(compared, &pairs, (live, draft), as_of)),
        Format::Csv => table::print_csv(HEADING_EN, pairs.iter().map(|pair| line(pair, draft, Lang::En)))?,
        Format::Table => for_people(compared, &pairs, draft, lang)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What makes the comparison say less than it seems to.
fn warn(pairs: &[Pair], (live, draft): (&Rulebook, &Rulebook), lang: Lang) {
    let has_data = |row: &Option<Row>| row.as_ref().is_some_and(|row| row.denominator != 0);
    if !pairs.iter().any(|pair| has_data(&pair.live) || has_data(&pair.draft)) {
        let (zh, en) =
            ("此期间没有任何数据：请核对 --period", "nothing counts in this period: look at --period");
        eprintln!("{}", lang.of(zh, en));
    }
    let dropped: Vec<&str> =
        live.sources.keys().filter(|id| !draft.sources.contains_key(*id)).map(SmolStr::as_str).collect();
    if !dropped.is_empty() {
        let dropped = dropped.join(", ");
        eprintln!(
            "{}",
            lang.of(
                format!("草案没有列出来源 {dropped}：其事件不再计入，有事件时草案不能启用"),
                format!("the draft does not list {dropped}: their events count no longer, and where there are some it cannot be activated"),
            )
        );
    }
}

fn whole(
    compared: &Comparison<'_>,
    pairs: &[Pair],
    (live, draft): (&Rulebook, &Rulebook),
    as_of: Timestamp,
) -> Value {
    let rates = pairs.iter().map(|pair| {
        let mut shown = place_of(pair.live.as_ref(), pair.draft.as_ref());
        shown["changed"] = pair.is_changed().into();
        shown
    });
    let moved = compared.moved.iter().map(|moved| {
        let mut shown = place_of(moved.live.as_ref(), moved.draft.as_ref());
        shown["case"] = moved.case.as_str().into();
        shown
    });
    json!({
        "as_of": as_of.to_string(),
        "live": live.hash.as_str(),
        "draft": draft.hash.as_str(),
        "cases": compared.cases,
        "changed": compared.changed,
        "rates": rates.collect::<Vec<_>>(),
        "scores": scores(compared),
        "moved": moved.collect::<Vec<_>>(),
        "moved_count": compared.moved_count,
        "routing": routing(&compared.dispatches),
    })
}

/// The points of each department under both rulebooks.
fn points(compared: &Comparison<'_>) -> BTreeMap<[String; 4], [Option<f64>; 2]> {
    let (live, draft) = compared.answers();
    let mut points: BTreeMap<[String; 4], [Option<f64>; 2]> = BTreeMap::new();
    for (side, answer) in [live, draft].into_iter().enumerate() {
        for standing in answer.standings {
            let code = |code: &Option<SmolStr>| code.as_deref().unwrap_or_default().to_owned();
            let key = [
                standing.score.to_string(),
                standing.department.to_string(),
                code(&standing.hotline),
                code(&standing.case_type),
            ];
            points.entry(key).or_default()[side] = Some(standing.points);
        }
    }
    points
}

fn scores(compared: &Comparison<'_>) -> Value {
    let shown =
        points(compared).into_iter().map(|([score, department, hotline, case_type], [live, draft])| {
            let mut by = json!({ "department": department });
            for (name, code) in [("hotline", hotline), ("case_type", case_type)] {
                if !code.is_empty() {
                    by[name] = code.into();
                }
            }
            json!({ "score": score, "by": by, "live": live, "draft": draft })
        });
    shown.collect()
}

fn place_of(live: Option<&Row>, draft: Option<&Row>) -> Value {
    let row = live.or(draft);
    let side = |row: Option<&Row>| {
        row.map(|row| {
            json!({
                "numerator": number(row.numerator, row.scale),
                "denominator": number(row.denominator, row.scale),
                "value": row.value(),
            })
        })
    };
    let mut by = json!({});
    if let Some(row) = row {
        by["department"] = row.department.as_str().into();
        for (name, code) in [("hotline", &row.hotline), ("case_type", &row.case_type)] {
            if let Some(code) = code {
                by[name] = code.as_str().into();
            }
        }
    }
    json!({ "rate": row.map(|row| row.rate.as_str()), "by": by, "live": side(live), "draft": side(draft) })
}

fn routing(dispatches: &Dispatches) -> Value {
    let returns = |of: Returns| json!({ "dispatches": of.dispatches, "returned": of.returned });
    let rules = dispatches.rules.iter().map(|(rule, used)| {
        json!({
            "rule": rule.as_str(),
            "slots": used.slots,
            "as_done": returns(used.as_done),
            "elsewhere": returns(used.elsewhere),
        })
    });
    let moved = dispatches.moved.iter().map(|moved| {
        json!({
            "case": moved.case.as_str(),
            "round": moved.round,
            "department": moved.department.as_str(),
            "returned": moved.returned,
            "live": moved.live.as_deref(),
            "draft": moved.draft.as_str(),
            "rule": moved.rule.as_str(),
        })
    });
    json!({
        "slots": dispatches.slots,
        "by_hotline": dispatches.by_hotline,
        "by_rule": dispatches.by_rule,
        "unfilled": dispatches.unfilled,
        "live_agrees": dispatches.live_agrees,
        "draft_agrees": dispatches.draft_agrees,
        "as_done": returns(dispatches.as_done),
        "elsewhere": returns(dispatches.elsewhere),
        "without_rule": dispatches.without_rule,
        "rules": rules.collect::<Vec<_>>(),
        "moved": moved.collect::<Vec<_>>(),
    })
}

const HEADING_EN: [&str; 8] =
    ["rate", "department", "hotline", "case_type", "in force", "draft", "points", "name"];
const HEADING_ZH: [&str; 8] = ["指标", "承办单位", "热线", "诉求类型", "现行", "草案", "百分点", "名称"];

fn fraction(row: Option<&Row>, lang: Lang) -> String {
    let Some(row) = row else { return "-".to_owned() };
    let none = if lang == Lang::Zh { "无数据" } else { "no data" };
    let value = percent(row).unwrap_or_else(|| none.to_owned());
    format!("{}/{} {value}", number(row.numerator, row.scale), number(row.denominator, row.scale))
}

fn line(pair: &Pair, rulebook: &Rulebook, lang: Lang) -> [String; 8] {
    let Some(row) = pair.live.as_ref().or(pair.draft.as_ref()) else { return Default::default() };
    let values = [&pair.live, &pair.draft].map(|row| row.as_ref().and_then(Row::value));
    let change = match values {
        [Some(live), Some(draft)] if pair.is_changed() => format!("{:+.2}", (draft - live) * 100.0),
        _ => String::new(),
    };
    let code = |code: &Option<SmolStr>| code.as_deref().unwrap_or_default().to_owned();
    [
        row.rate.to_string(),
        row.department.to_string(),
        code(&row.hotline),
        code(&row.case_type),
        fraction(pair.live.as_ref(), lang),
        fraction(pair.draft.as_ref(), lang),
        change,
        name_of(rulebook, &row.department, lang),
    ]
}

fn name_of(rulebook: &Rulebook, department: &str, lang: Lang) -> String {
    let known = rulebook.departments.get(department);
    known.map(|known| lang.of(&known.name_zh, &known.name_en).clone()).unwrap_or_default()
}

fn for_people(compared: &Comparison<'_>, pairs: &[Pair], draft: &Rulebook, lang: Lang) -> anyhow::Result<()> {
    let zh = lang == Lang::Zh;
    let (cases, changed) = (compared.cases, compared.changed);
    if zh {
        println!("{cases} 件诉求按两套规则库分别计算，其中 {changed} 件的指标结果会改变。\n");
    } else {
        println!("{cases} cases folded under both rulebooks; {changed} of them would count otherwise.\n");
    }
    let heading = if zh { HEADING_ZH } else { HEADING_EN };
    let shown = |points: Option<f64>| points.map_or_else(|| "-".to_owned(), |points| format!("{points:.2}"));
    let scores =
        points(compared).into_iter().map(|([score, department, hotline, case_type], [live, now])| {
            let name = name_of(draft, &department, lang);
            let change = live.zip(now).map_or_else(String::new, |(live, now)| format!("{:+.2}", now - live));
            [score, department, hotline, case_type, shown(live), shown(now), change, name]
        });
    table::print(heading, pairs.iter().map(|pair| line(pair, draft, lang)).chain(scores))?;
    if !compared.moved.is_empty() {
        let heading = if zh {
            ["诉求件", "指标", "承办单位", "现行", "草案"]
        } else {
            ["case", "rate", "department", "in force", "draft"]
        };
        println!();
        table::print(
            heading,
            compared.moved.iter().filter_map(|moved| {
                let row = moved.live.as_ref().or(moved.draft.as_ref())?;
                let share = |row: Option<&Row>| {
                    row.map_or_else(
                        || "-".to_owned(),
                        |row| {
                            format!(
                                "{}/{}",
                                number(row.numerator, row.scale),
                                number(row.denominator, row.scale)
                            )
                        },
                    )
                };
                Some([
                    moved.case.to_string(),
                    row.rate.to_string(),
                    row.department.to_string(),
                    share(moved.live.as_ref()),
                    share(moved.draft.as_ref()),
                ])
            }),
        )?;
        let more = compared.moved_count - compared.moved.len() as u64;
        if more > 0 && zh {
            println!("另有 {more} 项未列出，见 --cases");
        } else if more > 0 {
            println!("{more} more are not listed, see --cases");
        }
    }
    println!();
    routing_for_people(&compared.dispatches, zh)
}

fn routing_for_people(dispatches: &Dispatches, zh: bool) -> anyhow::Result<()> {
    let Dispatches { slots, by_hotline, by_rule, live_agrees, draft_agrees, as_done, elsewhere, .. } =
        dispatches;
    let (without_rule, unfilled) = (dispatches.without_rule, dispatches.unfilled);
    if zh {
        println!(
            "派单：期内应派单 {slots} 次：热线自派 {by_hotline} 次，按规则派单 {by_rule} 次，未派 {unfilled} 次；其中草案无规则可用 {without_rule} 次。"
        );
        println!("与热线自派一致：现行 {live_agrees} 次，草案 {draft_agrees} 次。");
        println!(
            "草案与实际去向一致 {} 次，其中退单 {} 次；草案另派他处 {} 次，其中退单 {} 次。",
            as_done.dispatches, as_done.returned, elsewhere.dispatches, elsewhere.returned
        );
    } else {
        println!(
            "Routing: {slots} dispatches were due: the hotline made {by_hotline}, rules {by_rule}, nobody {unfilled}; for \
             {without_rule} of all the draft has no rule."
        );
        println!("Agreement with the hotline's own: in force {live_agrees}, draft {draft_agrees}.");
        println!(
            "The draft agrees with what was done in {} cases, of which {} were given back; it would have sent {} \
             elsewhere, of which {} were given back.",
            as_done.dispatches, as_done.returned, elsewhere.dispatches, elsewhere.returned
        );
    }
    let unused: Vec<&str> =
        dispatches.rules.iter().filter(|(_, used)| used.slots == 0).map(|(rule, _)| rule.as_str()).collect();
    if !unused.is_empty() {
        let label = if zh { "从未用到的规则" } else { "Rules never used" };
        println!("{label}: {}", unused.join(", "));
    }
    if !dispatches.moved.is_empty() {
        let heading = if zh {
            ["诉求件", "轮次", "实际", "退单", "现行", "草案", "规则"]
        } else {
            ["case", "round", "went to", "returned", "in force", "draft", "rule"]
        };
        println!();
        table::print(
            heading,
            dispatches.moved.iter().map(|moved| {
                let returned = match (moved.returned, zh) {
                    (true, true) => "是",
                    (true, false) => "yes",
                    (false, _) => "",
                };
                [
                    moved.case.to_string(),
                    moved.round.to_string(),
                    moved.department.to_string(),
                    returned.to_owned(),
                    moved.live.as_deref().unwrap_or("-").to_owned(),
                    moved.draft.to_string(),
                    moved.rule.to_string(),
                ]
            }),
        )?;
    }
    Ok(())
}
