//! What holds after any sequence.

use std::collections::{BTreeMap, BTreeSet};

use hotline_core::alarm::telling;
use hotline_core::case::{Added, CaseFacts};
use hotline_core::fact::EventKey;
use hotline_core::fold::settle;
use hotline_core::score::score;
use hotline_events::closure::{self, Commitments, Judgement, ReadRecord, recompute};
use hotline_events::{Event, Keep, canonical, decode};
use hotline_postgres::positions::{self, Position};
use hotline_postgres::tallies::{self, Difference, Tallies};
use hotline_postgres::{
    Error, PgConnection, alarms, cases, closure_records, ledger, personal, run_snapshot_tx, testing,
};
use jiff::Timestamp;

use super::world::{PARTITIONS, World};

/// An accepted event, as the ledger has it.
#[derive(Clone)]
struct Row {
    received_at: Timestamp,
    event: String,
}

/// Everything at once, in one snapshot.
struct Found {
    positions: Vec<Position>,
    scored: Vec<Difference>,
    stored: Tallies,
    rows: Vec<Row>,
}

async fn read(tx: &mut PgConnection) -> Result<Found, hotline_postgres::Error> {
    let (mut rows, mut after) = (Vec::new(), -1);
    loop {
        let page = ledger::page(tx, after, 1_000).await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        rows.extend(page.into_iter().map(|row| Row { received_at: row.received_at, event: row.event }));
    }
    let scored = tallies::check(tx).await?;
    Ok(Found { positions: positions::list(tx).await?, scored, stored: tallies::all(tx).await?, rows })
}

pub(super) async fn check(world: &mut World) -> Result<(), String> {
    let pool = world.database.pool.clone();
    let found = run_snapshot_tx(&pool, "check", &mut (), |tx, ()| Box::pin(read(tx))).await;
    let Found { positions, scored, stored, rows } = found.map_err(|error| error.to_string())?;
    conservation(world, &positions)?;
    if !scored.is_empty() {
        return Err(format!("tallies are not what the scores add up to: {scored:?}"));
    }
    let folded = fold(world, &rows)?;
    if folded != stored {
        return Err(format!(
            "tallies are not what the ledger folds to: {:?}",
            tallies::differences(stored, folded)
        ));
    }
    // The Law: in any other order, with repetitions, the same.
    let mut shuffled = rows.clone();
    let doubled: Vec<Row> = rows.iter().filter(|_| world.dice.one_in(4)).cloned().collect();
    shuffled.extend(doubled);
    world.dice.shuffle(&mut shuffled);
    let otherwise = fold(world, &shuffled)?;
    if otherwise != stored {
        return Err(format!("in another order: {:?}", tallies::differences(stored, otherwise)));
    }
    nothing_is_lost(world, &rows).await?;
    alarms_are_told(world).await?;
    persons_can_be_shown(world).await?;
    decisions_are_recorded(world).await
}

/// The last record of every case says what is decided now, their numbers have no gaps, and each is what its facts come to
/// under its rulebook.
async fn decisions_are_recorded(world: &World) -> Result<(), String> {
    let found = run_snapshot_tx(&world.database.pool, "check", &mut (), |tx, ()| {
        Box::pin(async move {
            let mut records = Vec::new();
            let cases = cases::page(tx, "", 100).await?;
            for case in &cases {
                records.push(closure_records::of_case(tx, &case.case_id).await?);
            }
            Ok((cases, records))
        })
    })
    .await;
    let (cases, records) = found.map_err(|error| error.to_string())?;
    for (case, leaves) in cases.iter().zip(records) {
        let id = case.case_id.as_str();
        let facts = CaseFacts::decode(&case.facts).map_err(|error| error.to_string())?;
        let view = hotline_core::fold::fold(id, &facts, &world.rulebook);
        let (mut last, mut n) = (None, 0);
        for leaf in &leaves {
            let record = match closure::read(leaf) {
                Ok(ReadRecord::Case(record)) => record,
                Ok(ReadRecord::Erased(erased)) if erased.after == n => continue,
                other => return Err(format!("{id}: after record {n}: {other:?}")),
            };
            n += 1;
            if record.seq != Some(n) {
                return Err(format!("{id}: the {n}th record has the number {:?}", record.seq));
            }
            let rulebook = world.rulebook_of(&record.rulebook.hash);
            let differences = recompute(&record, rulebook).map_err(|error| error.to_string())?;
            if !differences.is_empty() {
                return Err(format!("{id}: record {n}: {differences:?}"));
            }
            if last.replace(canonical(&record.judged)) == Some(canonical(&record.judged)) {
                return Err(format!("{id}: record {n} says what the one before it says"));
            }
        }
        let decided = (closure::is_judged(&view) || last.is_some())
            .then(|| Judgement::of(&view, &world.rulebook).bytes);
        if decided != last {
            return Err(format!("{id}: what is decided is not what {n} records say last"));
        }
    }
    Ok(())
}

/// What is personal and was not erased can be shown: under the key of its case it comes to the chain that stands there.
async fn persons_can_be_shown(world: &World) -> Result<(), String> {
    let mut master = world.writer.master().clone();
    let found = run_snapshot_tx(&world.database.pool, "check", &mut master, |tx, master| {
        Box::pin(async move {
            let mut shown = Vec::new();
            for case in cases::page(tx, "", 100).await? {
                let stated = case.recorded.personal;
                let chain = match personal::committed(tx, master, &case.case_id).await {
                    Ok((key, parts)) => personal::chain(&key, &parts),
                    Err(Error::Erased { .. }) => Ok(Commitments::default()),
                    Err(error) => return Err(error),
                };
                shown.push((case.case_id, stated, chain));
            }
            Ok(shown)
        })
    });
    let found = found.await.map_err(|error| error.to_string())?;
    match found.into_iter().find(|(_, stated, chain)| chain.as_ref() != Ok(stated)) {
        Some((case, stated, chain)) => {
            Err(format!("{case}: {stated:?} is stated, and its parts come to {chain:?}"))
        }
        None => Ok(()),
    }
}

/// What was told is what is true, each once; every case sleeps no longer than it may, and every telling has its notice.
async fn alarms_are_told(world: &World) -> Result<(), String> {
    let found = run_snapshot_tx(&world.database.pool, "check", &mut (), |tx, ()| {
        Box::pin(async move {
            let cases = cases::page(tx, "", 100).await?;
            let ids: Vec<&str> = cases.iter().map(|case| case.case_id.as_str()).collect();
            let told = alarms::last_told(tx, &ids).await?;
            let wakes = cases::wakes(tx, &ids).await?;
            let without = testing::count(
                tx,
                "SELECT count(*) FROM (SELECT n, lag(n) OVER one AS before, lag(telling) OVER one AS telling
                                               FROM alarms WINDOW one AS (PARTITION BY case_id, alarm ORDER BY n)) AS told
                  WHERE n <> coalesce(before, 0) + CASE telling WHEN 'missed' THEN 2 ELSE 1 END",
            )
            .await;
            let notices = testing::count(
                tx,
                "SELECT (SELECT count(*) FROM notices WHERE kind IN ('raised', 'withdrawn'))
                      - (SELECT count(*) FROM alarms WHERE telling <> 'missed')",
            )
            .await;
            Ok((cases, told, wakes, without, notices))
        })
    })
    .await;
    let (cases, told, wakes, gaps, notices) = found.map_err(|error| error.to_string())?;
    if (gaps, notices) != (0, 0) {
        return Err(format!("{gaps} alarms with gaps, {notices} more notices than alarms that were told"));
    }
    for case in &cases {
        let (id, rulebook) = (case.case_id.as_str(), &*world.rulebook);
        let facts = CaseFacts::decode(&case.facts).map_err(|error| error.to_string())?;
        let view = hotline_core::fold::fold(id, &facts, rulebook);
        let last = told.get(&case.case_id).map_or(&[][..], Vec::as_slice);
        let when = telling::When { now: world.now, from: Timestamp::MIN };
        let due = telling::due((id, &facts), &view, rulebook, last, when);
        if !due.tellings.is_empty() {
            return Err(format!("{id}: not told: {:?}", due.tellings));
        }
        let next = view.proposal.as_ref().map(|proposal| proposal.at).into_iter().chain(due.next).min();
        let wake_at = wakes.get(&case.case_id).copied();
        if next.is_some_and(|next| wake_at.is_none_or(|wake_at| wake_at > next)) {
            return Err(format!("{id} sleeps until {wake_at:?} and should wake at {next:?}"));
        }
        if case.told != due.stands {
            return Err(format!("{id}: that something raised stands is {}", due.stands));
        }
    }
    Ok(())
}

/// Every record is counted once, and every partition is read to its end.
fn conservation(world: &World, positions: &[Position]) -> Result<(), String> {
    for (partition, log) in world.logs.iter().enumerate().take(PARTITIONS) {
        let Some(last) = log.last() else { continue };
        let name = format!("events/{partition}");
        let position = positions.iter().find(|position| position.claim.origin == name);
        let position = position.ok_or_else(|| format!("{name} has no position"))?;
        let counts = &position.counts;
        let is_read = position.claim.next_offset == last.offset + 1;
        let all = counts.records == i64::try_from(log.len()).expect("small");
        let once = counts.records == counts.applied + counts.duplicate + counts.ignored + counts.dead;
        if !(is_read && all && once) {
            return Err(format!("{name} of {} records: {position:?}", log.len()));
        }
    }
    Ok(())
}

/// The integers of all cases, folded from accepted events alone. Decisions of ours stand among them.
fn fold(world: &World, rows: &[Row]) -> Result<Tallies, String> {
    let mut cases: BTreeMap<String, CaseFacts> = BTreeMap::new();
    // A copy with a receipt for which it was too far ahead of its time is accepted only beside another copy: the Law
    // leaves it out of account.
    let mut ahead = Vec::new();
    let mut rows: Vec<&Row> = rows.iter().collect();
    for is_last in [false, true] {
        for row in std::mem::take(&mut rows) {
            let event = decode(row.event.as_bytes(), &world.tagger, Keep::Fact);
            let Ok(Event::Case(event)) = event else {
                return Err(format!("the ledger has no event: {}", row.event));
            };
            let event = event.received(row.received_at);
            match cases.entry(event.subject.to_string()).or_default().add(event.fact, &world.rulebook) {
                Added::Applied | Added::Duplicate { .. } => {}
                Added::FutureDated if !is_last => ahead.push(row),
                added => return Err(format!("{added:?} of an accepted event: {}", row.event)),
            }
        }
        rows = std::mem::take(&mut ahead);
    }
    let mut tallies = Tallies::new();
    for (case, facts) in &mut cases {
        let (view, _) = settle(case, facts, &world.rulebook, Timestamp::MIN);
        for (key, value) in score(&view, &world.rulebook).tallies() {
            *tallies.entry(key).or_default() += value;
        }
    }
    tallies.retain(|_, value| *value != 0);
    Ok(tallies)
}

/// Every valid event of the log is accepted, or a dead letter that says why; nothing else is accepted but our own
/// decisions.
async fn nothing_is_lost(world: &World, rows: &[Row]) -> Result<(), String> {
    let name = |bytes: &[u8]| match decode(bytes, &world.tagger, Keep::Fact) {
        Ok(Event::Case(event)) => Some((event.subject.to_string(), event.fact.key, event.fact.is_pin())),
        _ => None,
    };
    let accepted: BTreeSet<(String, EventKey)> = rows
        .iter()
        .filter_map(|row| name(row.event.as_bytes()))
        .filter(|(.., is_pin)| !is_pin)
        .map(|(case, key, _)| (case, key))
        .collect();
    let sent: BTreeSet<(String, EventKey)> = world
        .logs
        .iter()
        .flatten()
        .filter_map(|logged| name(&logged.bytes))
        .map(|(case, key, _)| (case, key))
        .collect();
    if let Some(foreign) = accepted.difference(&sent).next() {
        return Err(format!("{foreign:?} was never sent"));
    }
    let refused = testing::refused(&world.database.pool).await;
    match sent.difference(&accepted).find(|(_, key)| !refused.contains(key.0.as_slice())) {
        Some(lost) => Err(format!("{lost:?} is lost")),
        None => Ok(()),
    }
}
