//! `GET /duty`: one page for whoever is on duty and has no Grafana. Is it us or them: per source the last event, the skew of
//! its clock, whether it is stopped, what of it was refused; and what waits on our side. Nothing personal is on it.

use askama::Template as _;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use hotline_core::rulebook::Rulebook;
use hotline_events::Lang;
use hotline_postgres::dead_letters::{self, Group};
use hotline_postgres::health::{self, Heard};
use hotline_postgres::positions::{self, Position};
use hotline_postgres::sources::{self, Stopped};
use hotline_postgres::standing::{self, Pipeline, Standing};
use hotline_postgres::{InForce, run_snapshot_tx};
use hotline_runtime::problem::Problem;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::error::Error;
use crate::handler::problem;
use crate::{Parts, metrics};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    lang: Option<String>,
}

/// What the page is made of, all of it as of one snapshot.
struct Found {
    standings: Vec<Standing>,
    pipeline: Pipeline,
    heard: Vec<Heard>,
    stopped: Vec<Stopped>,
    refused: Vec<Group>,
    positions: Vec<Position>,
}

#[derive(askama::Template)]
#[template(path = "duty.html")]
struct Page {
    lang: &'static str,
    as_of: String,
    words: Words,
    counts: Vec<Count>,
    sources: Vec<Row>,
    positions: Vec<[String; 3]>,
}

/// A number with its name.
struct Count {
    name: &'static str,
    value: String,
    is_bad: bool,
}

/// A source.
struct Row {
    id: String,
    name: String,
    state: String,
    is_stopped: bool,
    last: String,
    silent: String,
    skew: String,
    refused: i64,
    /// How it is stopped, or taken up again.
    command: String,
}

struct Words {
    title: &'static str,
    as_of: &'static str,
    sources: &'static str,
    headings: [&'static str; 8],
    positions: &'static str,
    position_headings: [&'static str; 3],
    hint: &'static str,
}

pub(crate) async fn page(State(parts): State<Parts>, headers: HeaderMap, uri: Uri) -> Response {
    let asked = Query::<Asked>::try_from_uri(&uri).ok();
    let lang =
        asked.and_then(|Query(asked)| asked.lang.as_deref().map_or(Some(preferred(&headers)), Lang::parse));
    let Some(lang) = lang else {
        return Problem::new(StatusCode::BAD_REQUEST, "query", "The query takes lang, zh or en")
            .into_response();
    };
    match made(&parts, lang).await {
        Ok(html) => {
            let headers = [
                (header::CONTENT_TYPE, "text/html; charset=utf-8"),
                (header::CACHE_CONTROL, "no-store"),
                (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"),
            ];
            (headers, html).into_response()
        }
        Err(error) => problem(&Error::Store(error)).into_response(),
    }
}

/// What the reader's browser asks for first, of the two languages there are.
fn preferred(headers: &HeaderMap) -> Lang {
    let first =
        headers.get(header::ACCEPT_LANGUAGE).and_then(|asked| asked.to_str().ok()).unwrap_or_default();
    if first.trim_start().get(..2).is_some_and(|code| code.eq_ignore_ascii_case("en")) {
        Lang::En
    } else {
        Lang::Zh
    }
}

async fn made(parts: &Parts, lang: Lang) -> Result<String, hotline_postgres::Error> {
    let as_of = (parts.now)();
    let rules = parts.rules.current().await?;
    let zone = &rules.rulebook.timezone;
    let mut at = (as_of, metrics::end_of(zone.to_datetime(as_of).date(), zone).unwrap_or(as_of));
    let found = run_snapshot_tx(&parts.pool, "rates::duty", &mut at, |tx, (as_of, day_ends)| {
        Box::pin(async move {
            Ok(Found {
                standings: standing::by_department(tx, *as_of, *day_ends).await?,
                pipeline: standing::pipeline(tx, *as_of).await?,
                heard: health::heard(tx).await?,
                stopped: sources::list(tx).await?,
                refused: dead_letters::groups(tx).await?,
                positions: positions::list(tx).await?,
            })
        })
    })
    .await?;
    Ok(found.page(&rules, as_of, lang).render().expect("a template of this program writes to a string"))
}

impl Found {
    fn page(&self, rules: &InForce, as_of: Timestamp, lang: Lang) -> Page {
        let rulebook = &*rules.rulebook;
        Page {
            lang: lang.of("zh-CN", "en"),
            as_of: local(as_of, rulebook),
            words: words(lang),
            counts: self.counts(as_of, lang),
            sources: rulebook.sources.keys().map(|id| self.source(id, rulebook, as_of, lang)).collect(),
            positions: self
                .positions
                .iter()
                .map(|position| row_of(position, rulebook, as_of, lang))
                .collect(),
        }
    }

    fn counts(&self, as_of: Timestamp, lang: Lang) -> Vec<Count> {
        let sum = |count: fn(&Standing) -> i64| self.standings.iter().map(count).sum::<i64>();
        let letters: i64 = self.pipeline.dead_letters.iter().map(|letters| letters.open).sum();
        let (waking, since) = self.pipeline.waking;
        let waits = |since: Option<Timestamp>| {
            since.map_or(SignedDuration::ZERO, |since| as_of.duration_since(since))
        };
        let late = waits(since) > SignedDuration::from_mins(2);
        let behind = self.pipeline.receivers.iter().map(|receiver| receiver.behind).sum::<i64>();
        let oldest = self.pipeline.receivers.iter().filter_map(|receiver| receiver.oldest_at).min();
        let stuck = waits(oldest) > SignedDuration::from_mins(15);
        let count =
            |zh, en, value: i64, is_bad| Count { name: lang.of(zh, en), value: value.to_string(), is_bad };
        vec![
            count("在办", "open cases", sum(|one| one.open), false),
            count("已超期", "overdue", sum(|one| one.overdue), sum(|one| one.overdue) > 0),
            count("今日到期", "due today", sum(|one| one.due_today), false),
            count("二十四小时内到期", "due within 24 h", sum(|one| one.near_due), false),
            count("死信", "dead letters", letters, letters > 0),
            count("到时待处理的案件", "cases with something due", waking, late),
            count("待投递的通知", "notices to be delivered", behind, stuck),
        ]
    }

    /// What is said of a source that has none of the events that were looked at.
    fn unheard(&self, lang: Lang) -> String {
        let looked_at: i64 = self.heard.iter().map(|heard| heard.events).sum();
        if looked_at < health::LATEST {
            return lang.of("从未", "never").to_owned();
        }
        lang.of(format!("不在最近 {looked_at} 个事件中"), format!("none of the newest {looked_at} events"))
    }

    fn source(&self, id: &str, rulebook: &Rulebook, as_of: Timestamp, lang: Lang) -> Row {
        let heard = self.heard.iter().find(|heard| heard.source == id);
        let stopped = self.stopped.iter().find(|stopped| stopped.source == id);
        let known = rulebook.sources.get(id);
        let state = stopped.map_or_else(
            || lang.of("运行", "running").to_owned(),
            |stopped| {
                let how = match stopped.stop {
                    sources::Stop::Diverted => lang.of("已分流", "diverted"),
                    sources::Stop::Paused => lang.of("已暂停", "paused"),
                };
                format!("{how} {} · {}", local(stopped.since, rulebook), stopped.why)
            },
        );
        let kept = self.refused.iter().filter(|group| group.source.as_deref() == Some(id));
        let last = heard
            .map(|heard| heard.last_at)
            .into_iter()
            .chain(kept.map(|group| group.last_received_at))
            .max();
        let skew = heard.and_then(|heard| Some((heard.least?, heard.median?)));
        let refused = self.refused.iter().filter(|group| group.source.as_deref() == Some(id));
        let refused: i64 = refused.map(|group| group.letters).sum();
        let command = match (stopped.is_some(), refused) {
            (true, _) => format!("hotline sources resume {id} --why …"),
            (false, 0) => format!("hotline sources pause {id} --why …"),
            (false, _) => format!("hotline dead-letters list --source {id}"),
        };
        Row {
            id: id.to_owned(),
            name: known.map(|source| source.name.clone()).unwrap_or_default(),
            is_stopped: stopped.is_some(),
            state,
            last: last.map_or_else(|| self.unheard(lang), |at| local(at, rulebook)),
            silent: last.map_or_else(|| "-".to_owned(), |at| lasted(as_of.duration_since(at), lang)),
            skew: skew.map_or_else(
                || "-".to_owned(),
                |(least, median)| format!("{} / {}", ahead(least, lang), ahead(median, lang)),
            ),
            refused,
            command,
        }
    }
}

fn row_of(position: &Position, rulebook: &Rulebook, as_of: Timestamp, lang: Lang) -> [String; 3] {
    let last = position.last.as_ref().map(|last| last.received_at);
    [
        position.claim.origin.clone(),
        position.claim.next_offset.to_string(),
        last.map_or_else(
            || "-".to_owned(),
            |at| format!("{} ({})", local(at, rulebook), lasted(as_of.duration_since(at), lang)),
        ),
    ]
}

fn local(at: Timestamp, rulebook: &Rulebook) -> String {
    rulebook.timezone.to_datetime(at).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A skew of some seconds, with its sign; larger ones in two units.
fn ahead(seconds: f64, lang: Lang) -> String {
    let time = SignedDuration::try_from_secs_f64(seconds).unwrap_or(SignedDuration::MAX);
    let sign = if seconds < 0.0 { "−" } else { "" };
    format!("{sign}{}", lasted(time.abs(), lang))
}

/// The largest two units.
fn lasted(time: SignedDuration, lang: Lang) -> String {
    let seconds = time.as_secs().max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => lang.of(format!("{seconds} 秒"), format!("{seconds} s")),
        (0, 0, _) => lang.of(format!("{minutes} 分"), format!("{minutes} min")),
        (0, ..) => lang.of(format!("{hours} 小时 {minutes} 分"), format!("{hours} h {minutes} min")),
        _ => lang.of(format!("{days} 天 {hours} 小时"), format!("{days} d {hours} h")),
    }
}

fn words(lang: Lang) -> Words {
    let headings = lang.of(
        ["来源", "名称", "状态", "最近事件", "静默", "发生至接收（最短/中位）", "死信", "处置"],
        [
            "source",
            "name",
            "state",
            "last event",
            "silent for",
            "from claim to receipt (least / median)",
            "refused",
            "step",
        ],
    );
    Words {
        title: lang.of("值班", "On duty"),
        as_of: lang.of("截至", "as of"),
        sources: lang.of("是他们还是我们", "Us or them"),
        headings,
        positions: lang.of("读到哪里", "How far it is read"),
        position_headings: lang
            .of(["分区", "位置", "最近记录"], ["partition", "position", "last record"]),
        hint: lang.of(
            "来源静默而其他来源有事件：多半是对方；全部静默或到时待处理、待投递在增加：多半是我们，见 hotline doctor。",
            "One source silent while others are heard: probably them. All silent, or what waits here grows: probably us; see \
             hotline doctor.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_told_in_two_units() {
        let told = |seconds| lasted(SignedDuration::from_secs(seconds), Lang::En);
        assert_eq!([told(9), told(61), told(3_700), told(90_000)], ["9 s", "1 min", "1 h 1 min", "1 d 1 h"]);
    }
}
