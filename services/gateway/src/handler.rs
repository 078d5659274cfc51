//! `POST /v1/events`, and what every request goes through.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::http::request::Parts as Head;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use hotline_core::fact::PIPELINE_SOURCE;
use hotline_core::fold::View;
use hotline_events::intake::{Batch, Origin, Outcome, Record, RecordContent};
use hotline_events::{Event, show};
use hotline_postgres::handover::{Handover, Refusal, Reply};
use hotline_postgres::{Error as StoreError, InForce, Sort};
use hotline_runtime::problem::{Problem, ProblemCode};
use jiff::Timestamp;
use serde::Deserialize;
use smol_str::SmolStr;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::answer::{EventResult, Name, answer};
use crate::intake::{Item, Taken, source_of};
use crate::metrics::FromSource;
use crate::signature::{Allowed, Distrust};
use crate::{Gateway, Sink, access, body, case, desk, event, intake, metrics};

/// The route by which events come.
const EVENTS: &str = "events";
/// When to come again while the store is away.
const RETRY_SECONDS: u64 = 5;
/// Bodies above this size are taken apart on a thread of their own, so that others are not kept waiting.
const INLINE_BYTES_MAX: usize = 16 * 1024;
/// An operator's step: an event at most, and a few words.
const STEP_BYTES_MAX: usize = 512 * 1024;

pub(crate) fn router(gateway: &Arc<Gateway>, reads: Router, open: Router) -> Router {
    let observed = |route| from_fn_with_state((Arc::clone(gateway), route), observe);
    let events = Router::new().route("/v1/events", post(events)).route_layer(observed(EVENTS));
    let cases = Router::new().route("/v1/cases/{id}", get(case::show)).route_layer(observed("cases"));
    let outcomes =
        Router::new().route("/v1/events/{source}/{id}", get(event::show)).route_layer(observed("event"));
    let counted = |routes: Router| {
        if routes.has_routes() { routes.route_layer(observed("reads")) } else { routes }
    };
    let (reads, open) = (counted(reads), counted(open));
    let steps = desk::steps()
        .route_layer(observed("steps"))
        .layer(DefaultBodyLimit::max(STEP_BYTES_MAX))
        .with_state(Arc::clone(gateway))
        .route_layer(from_fn_with_state(Arc::clone(gateway), access::check_operator));
    let reads = cases
        .merge(outcomes)
        .merge(desk::reads().route_layer(observed("desk")))
        .with_state(Arc::clone(gateway))
        .merge(reads)
        .route_layer(from_fn_with_state(Arc::clone(gateway), access::check));
    let method =
        || async { Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "This is not asked that way") };
    events
        .with_state(Arc::clone(gateway))
        .merge(reads)
        .merge(steps)
        .merge(open)
        .method_not_allowed_fallback(method)
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "no_route", "There is nothing here") })
}

/// Gives a request its place, counts it, and keeps answers out of caches.
async fn observe(
    State((gateway, route)): State<(Arc<Gateway>, &'static str)>,
    request: Request,
    next: Next,
) -> Response {
    let begun_at = Instant::now();
    // Sending takes its place when the body is there: who only begins to send keeps nobody else out.
    let sends = route == EVENTS;
    let mut response = if sends {
        next.run(request).await
    } else {
        match gateway.reads.try_acquire() {
            Ok(_slot) => next.run(request).await,
            Err(_) => busy().into_response(),
        }
    };
    let code = response.extensions().get::<ProblemCode>().map_or("ok", |code| code.0);
    let source = response.extensions().get::<FromSource>().map_or(metrics::OTHER, |source| &source.0);
    metrics::request(route, source, (response.status(), code), begun_at.elapsed());
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What to answer when there is no place.
pub(crate) fn busy() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Too many requests are at work")
        .retry_after(1)
        .closing()
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    dry_run: bool,
    /// Whose rows these are, where an adapter maps them.
    source: Option<String>,
}

async fn events(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let received_at = (gateway.parts.now)();
    let deadline = Instant::now() + gateway.config.request_wait;
    let (head, body) = request.into_parts();
    let mut source = None;
    let answered = async {
        let asked = asked(&head)?;
        gateway.keys.look_at(&head.headers, received_at).map_err(distrusted)?;
        let bytes_max = gateway.config.body_bytes_max;
        let (body, _share) = body::read(&head.headers, body, bytes_max, &gateway.bodies, deadline).await?;
        let _slot = gateway.slots.try_acquire().map_err(|_| busy())?;
        metrics::body(body.len());
        let allowed = gateway.keys.verify(&head.headers, &body, received_at).map_err(distrusted)?;
        let rules = match &gateway.parts.sink {
            // Events for a topic are taken in while the database is away.
            Sink::Topic(_) if !asked.dry_run => gateway.parts.rules.current_or_last(RULES_PATIENCE).await,
            _ => gateway.parts.rules.current().await,
        };
        let rules = rules.map_err(|error| unavailable(&error))?;
        let taken = take_apart(&gateway, &rules, &allowed, &asked, head, body).await?;
        source = first_source(&taken);
        admit(&gateway, &rules, &allowed, &taken)?;
        let work = Work { gateway: &gateway, rules: &rules, received_at, deadline };
        work.settle(taken, asked.dry_run).await
    };
    let mut response = answered.await.unwrap_or_else(|problem: Problem| problem.into_response());
    // An unlisted source must not become a label.
    let is_known = !matches!(response.extensions().get::<ProblemCode>(), Some(ProblemCode("unknown_source")));
    if let Some(source) = source.filter(|_| is_known) {
        response.extensions_mut().insert(FromSource(source));
    }
    response
}

fn asked(head: &Head) -> Result<Asked, Problem> {
    let wrong =
        |_| Problem::new(StatusCode::BAD_REQUEST, "query", "The query takes dry_run=true|false and source");
    Query::<Asked>::try_from_uri(&head.uri).map(|Query(asked)| asked).map_err(wrong)
}

fn distrusted(distrust: Distrust) -> Problem {
    let (code, title) = match distrust {
        Distrust::Missing => ("signature_missing", "Events are signed as Standard Webhooks says"),
        Distrust::Stale => ("signature_stale", "The signature is more than five minutes from our clock"),
        Distrust::Bad => ("signature_bad", "The signature is of no secret that is known"),
    };
    Problem::new(StatusCode::UNAUTHORIZED, code, title)
}

fn unlisted() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unknown_source", "The source is not listed in the rulebook")
}

/// What to answer when the store says no.
pub(crate) fn unavailable(error: &StoreError) -> Problem {
    match error {
        StoreError::NoRulebook => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no_rulebook", "No rulebook is active yet")
                .retry_after(RETRY_SECONDS)
        }
        error if matches!(error.sort(), Sort::Environment | Sort::Race) => {
            tracing::warn!(error.code = error.code(), %error, "the store is away");
            away()
        }
        error => {
            tracing::error!(error.code = error.code(), %error, "a request failed");
            internal()
        }
    }
}

/// How long a gateway with a broker waits for the database to say which rulebook is active.
const RULES_PATIENCE: Duration = Duration::from_millis(250);

fn away() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "unavailable",
        "The store is away; nothing was acknowledged",
    )
    .retry_after(RETRY_SECONDS)
}

fn broker_away() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "broker_unavailable",
        "The broker is away; nothing was acknowledged",
    )
    .retry_after(RETRY_SECONDS)
}

/// What the broker will refuse again is no reason to come back.
fn broker_refused(error: &hotline_kafka::Error) -> Problem {
    match (error, error.sort()) {
        (hotline_kafka::Error::RecordTooLarge { .. }, _) => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "event_too_large",
            "An event is larger than the broker takes; nothing was acknowledged",
        ),
        (_, hotline_kafka::Sort::Halt) => internal(),
        _ => broker_away(),
    }
}

fn internal() -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "The request failed by a fault of ours")
}

/// The events of a body, mapped by the adapter of the source if the query names one.
async fn take_apart(
    gateway: &Arc<Gateway>,
    rules: &Arc<InForce>,
    allowed: &Allowed,
    asked: &Asked,
    head: Head,
    body: Bytes,
) -> Result<Taken, Problem> {
    let tagger = gateway.parts.tagger.clone();
    let length = body.len();
    let Some(name) = &asked.source else {
        let events_max = gateway.config.events_max;
        let work = move || intake::events(&head.headers, &body, &tagger, events_max);
        return apart(length, work).await;
    };
    let source = rules.rulebook.sources.get(name.as_str()).ok_or_else(unlisted)?;
    if !allowed.admits(name) {
        return Err(distrusted(Distrust::Bad));
    }
    let adapter = gateway.adapters.of(source, rules)?;
    let source = source.id.clone();
    let events_max = gateway.config.events_max;
    let work = move || intake::rows(&head.headers, &body, &adapter, &source, (&tagger, events_max));
    apart(usize::MAX, work).await
}

async fn apart(
    length: usize,
    work: impl FnOnce() -> Result<Taken, Problem> + Send + 'static,
) -> Result<Taken, Problem> {
    if length <= INLINE_BYTES_MAX {
        return work();
    }
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(internal()))
}

fn first_source(taken: &Taken) -> Option<String> {
    taken.items.iter().find_map(|item| item.event.as_ref().ok()).map(|event| source_of(event).to_string())
}

/// Refuses the whole request if one source is not listed, has not signed, or brings too much.
fn admit(gateway: &Gateway, rules: &InForce, allowed: &Allowed, taken: &Taken) -> Result<(), Problem> {
    let mut counts: BTreeMap<&SmolStr, u32> = BTreeMap::new();
    for event in taken.items.iter().filter_map(|item| item.event.as_ref().ok()) {
        *counts.entry(source_of(event)).or_default() += 1;
    }
    for source in counts.keys() {
        if *source != PIPELINE_SOURCE && !rules.rulebook.sources.contains_key(*source) {
            return Err(unlisted());
        }
        if !allowed.admits(source) {
            return Err(distrusted(Distrust::Bad));
        }
    }
    for (source, count) in counts {
        if let Err(wait) = gateway.throttle.take(source, count, Instant::now()) {
            let title = "The source brings more events than it may";
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", title)
                .retry_after(wait.as_secs().saturating_add(1)));
        }
    }
    Ok(())
}

/// A request whose events may be handed on.
struct Work<'g> {
    gateway: &'g Gateway,
    rules: &'g InForce,
    received_at: Timestamp,
    deadline: Instant,
}

impl Work<'_> {
    /// Hands the events on and answers when all of them are settled, or durable where a topic takes them.
    async fn settle(&self, taken: Taken, dry_run: bool) -> Result<Response, Problem> {
        let mut results = Vec::with_capacity(taken.items.len());
        let (mut places, mut events) = (Vec::new(), Vec::new());
        for Item { raw, line, event } in taken.items {
            match event {
                Ok(event) => {
                    places.push(results.len());
                    results.push(EventResult::accepted(Name::of(&event, line)));
                    events.push((raw, event));
                }
                Err(refused) => {
                    let name = Name { line, ..Name::default() };
                    results.push(EventResult::refused(name, &refused));
                }
            }
        }
        let mut settled = Settled { results, places: places.into_iter() };
        match &self.gateway.parts.sink {
            _ if dry_run => {
                let views = self.dry_run(events, &mut settled).await?;
                let show = |view| show::view(view, &self.rules.rulebook, self.received_at);
                Ok(answer(taken.single, &settled.results, Some(views.iter().map(show).collect())))
            }
            Sink::Casework(handovers) => {
                for records in chunks(self.records(events)) {
                    let reply = self.hand_over(handovers, records).await?;
                    settled.set(reply.outcomes)?;
                }
                Ok(answer(taken.single, &settled.results, None))
            }
            Sink::Topic(topic) => {
                timeout_at(self.deadline, topic.send(&events)).await.map_err(|_| broker_away())?.map_err(
                    |error| {
                        tracing::warn!(error.code = error.code(), %error, "the broker did not take events");
                        broker_refused(&error)
                    },
                )?;
                Ok(answer(taken.single, &settled.results, None))
            }
        }
    }

    fn records(&self, events: Vec<(Vec<u8>, Event)>) -> Vec<Record> {
        let record = |(raw, event)| Record {
            raw,
            received_at: self.received_at,
            offset: None,
            content: RecordContent::Events(vec![event]),
        };
        events.into_iter().map(record).collect()
    }

    /// What the events would come to; folded here, since casework may be elsewhere.
    async fn dry_run(
        &self,
        events: Vec<(Vec<u8>, Event)>,
        settled: &mut Settled,
    ) -> Result<Vec<View>, Problem> {
        let mut chunks = chunks(self.records(events));
        if chunks.len() > 1 {
            return Err(body::too_large(Batch::BYTES_MAX).with("events_max", Batch::RECORDS_MAX.into()));
        }
        let Some(records) = chunks.pop() else { return Ok(Vec::new()) };
        let batch = Batch { origin: Origin::Http, records };
        let dry =
            timeout_at(self.deadline, self.gateway.parts.writer.dry_run(&batch)).await.map_err(|_| away())?;
        let dry = dry.map_err(|error| unavailable(&error))?;
        settled.set(dry.outcomes)?;
        Ok(dry.views)
    }

    async fn hand_over(
        &self,
        handovers: &mpsc::Sender<Handover>,
        records: Vec<Record>,
    ) -> Result<Reply, Problem> {
        let (reply, outcome) = oneshot::channel();
        let handover = Handover { records, reply };
        handovers.try_send(handover).map_err(|_| away())?;
        match timeout_at(self.deadline, outcome).await {
            Ok(Ok(Ok(reply))) => Ok(reply),
            Ok(Ok(Err(Refusal::Internal))) => Err(internal()),
            // Whatever became of them, they are not acknowledged: sent again they are duplicates at worst.
            Ok(Ok(Err(Refusal::Unavailable)) | Err(_)) | Err(_) => Err(away()),
        }
    }
}

/// The results of a request, and where those stand that are still to come.
struct Settled {
    results: Vec<EventResult>,
    places: std::vec::IntoIter<usize>,
}

impl Settled {
    /// Sets the next results.
    fn set(&mut self, outcomes: Vec<Vec<Outcome>>) -> Result<(), Problem> {
        for outcomes in outcomes {
            let place = self.places.next().ok_or_else(internal)?;
            let name = std::mem::take(&mut self.results[place].name);
            self.results[place] = EventResult::of(name, &Outcome::worst(outcomes));
        }
        Ok(())
    }
}

/// Records as casework takes them: so many and so large at once.
fn chunks(records: Vec<Record>) -> Vec<Vec<Record>> {
    let mut chunks: Vec<Vec<Record>> = Vec::new();
    let mut bytes = 0;
    for record in records {
        bytes += record.raw.len();
        match chunks.last_mut() {
            Some(chunk) if chunk.len() < Batch::RECORDS_MAX && bytes <= Batch::BYTES_MAX => {
                chunk.push(record);
            }
            _ => {
                bytes = record.raw.len();
                chunks.push(vec![record]);
            }
        }
    }
    chunks
}
