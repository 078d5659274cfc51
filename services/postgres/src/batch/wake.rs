//! Time acts: cases for which something falls due are looked at, whether or not an event came.
//!
//! 1. cases whose `wake_at` is over are claimed, each by one process only; who is at work on a case is not waited for;
//! 2. each is folded; dispatch decisions that fall due are taken as in a batch ([`write`]);
//! 3. what was told is compared with what is true ([`telling::due`]); rows for alarms and notices are appended;
//! 4. each sleeps until the next instant at which something falls due; commit.
//!
//! Guarantees: a rung is told in the transaction that notes it. A case that a bug of ours makes fail is left for
//! [`AGAIN_AFTER`]; the others go on. Revisions stay as they are unless facts are added, so casework is not disturbed.

use hotline_core::alarm::telling::{self, Telling, Told, When};
use hotline_core::fold::settle;
use hotline_core::score::{OpenClocks, score};
use hotline_events::notice::Notice;
use jiff::{SignedDuration, Timestamp};
use smol_str::SmolStr;
use sqlx::PgConnection;

use super::{CaseWriter, fold};
use crate::cases::{self, First, Loaded, Sleep};
use crate::error::{Error, Sort};
use crate::pool::run_tx;
use crate::rulebooks::Active;
use crate::{alarms, notices, positions};

/// When a case that could not be folded is tried again.
const AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// What a step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Woken {
    pub cases: usize,
    pub raised: usize,
    /// Noted and not told: their cause came in too late.
    pub missed: usize,
    pub withdrawn: usize,
    /// Dispatch decisions taken.
    pub dispatched: usize,
    /// Cases that could not be folded.
    pub failed: usize,
    /// For how long the longest due of what was raised has waited to be told.
    pub waited: SignedDuration,
    /// A batch of events was under way meanwhile.
    pub beside_batches: bool,
}

struct Wake<'w> {
    writer: &'w CaseWriter,
    now: Timestamp,
    first: First,
    limit: i64,
    /// What could be told before is no news.
    from: Timestamp,
    /// The cases that the last attempt looked at, with their revisions.
    claimed: Vec<(SmolStr, i64)>,
}

/// What one case comes to.
struct Looked {
    told: Vec<Told>,
    notices: Vec<Notice>,
    sleep: Sleep,
    /// Dispatch decisions that fell due.
    dispatched: usize,
}

impl CaseWriter {
    /// Looks at the cases for which something falls due by `now`, at most `limit` of them, in one transaction. Where a
    /// case makes that fail by its content, fewer are tried, down to the one, which is set aside.
    pub async fn wake_step(&self, now: Timestamp, first: First, limit: i64) -> Result<Woken, Error> {
        let mut wake = Wake { writer: self, now, first, limit, from: Timestamp::MIN, claimed: Vec::new() };
        loop {
            let name = "batch::wake_step";
            match run_tx(&self.pool, name, &mut wake, |tx, wake| Box::pin(wake.step(tx))).await {
                Err(error) if is_of_content(&error) => match wake.claimed.as_slice() {
                    [] => return Err(error),
                    [(case, revision)] => {
                        tracing::error!(code = error.code(), error = %error, "a case is set aside for an hour");
                        let mut aside = (case.clone(), *revision, later(now));
                        run_tx(&self.pool, "batch::set_aside", &mut aside, |tx, (case, revision, until)| {
                            Box::pin(cases::set_aside(tx, (case, *revision), *until))
                        })
                        .await?;
                        return Ok(Woken { cases: 1, failed: 1, ..Woken::default() });
                    }
                    several => {
                        let half = several.len() / 2;
                        wake.limit = i64::try_from(half).expect("a page is bounded");
                    }
                },
                woken => return woken,
            }
        }
    }
}

/// What another try will not mend, and fewer cases may.
fn is_of_content(error: &Error) -> bool {
    matches!(error.sort(), Sort::Data | Sort::Bug)
}

fn later(now: Timestamp) -> Option<Timestamp> {
    now.checked_add(AGAIN_AFTER).ok()
}

/// A case of which something else was told than is true.
#[derive(Clone, Debug)]
pub struct Untold {
    pub case_id: SmolStr,
    /// What should have been done.
    pub tellings: Vec<Told>,
}

impl CaseWriter {
    /// Folds every case and compares what was told with what is true; what differs. What could be told only within the
    /// last `grace` may be on its way. Each page is read in a transaction of its own.
    pub async fn check_alarms(&self, now: Timestamp, grace: SignedDuration) -> Result<Vec<Untold>, Error> {
        let mut walk = Walk { writer: self, now, grace, after: SmolStr::default(), untold: Vec::new() };
        while run_tx(&self.pool, "batch::check_alarms", &mut walk, |tx, walk| Box::pin(walk.next(tx))).await?
        {
        }
        Ok(walk.untold)
    }
}

/// A walk over all cases.
struct Walk<'w> {
    writer: &'w CaseWriter,
    now: Timestamp,
    grace: SignedDuration,
    after: SmolStr,
    untold: Vec<Untold>,
}

impl Walk<'_> {
    /// Cases of a page: some megabytes.
    const CASES: i64 = 2_000;

    async fn next(&mut self, tx: &mut PgConnection) -> Result<bool, Error> {
        let active = self.writer.active(tx).await?;
        let loaded = cases::page(tx, &self.after, Self::CASES).await?;
        let ids: Vec<&str> = loaded.iter().map(|case| case.case_id.as_str()).collect();
        let told = alarms::last_told(tx, &ids).await?;
        let when = When { now: self.now, from: alarms::told_from(tx).await? };
        for case in &loaded {
            let (id, rulebook) = (case.case_id.as_str(), &*active.rulebook);
            let facts = fold::decode(id, Some(case))?;
            let before = told.get(&case.case_id).map_or(&[][..], Vec::as_slice);
            let mut due = fold::guarded(id, || {
                let view = hotline_core::fold::fold(id, &facts, rulebook);
                telling::due((id, &facts), &view, rulebook, before, when)
            })?;
            due.tellings.retain(|told| {
                let is_withdrawn = matches!(told.telling, Telling::Withdrawn(_));
                is_withdrawn || self.now.duration_since(told.alarm.deliver_at) >= self.grace
            });
            if !due.tellings.is_empty() {
                self.untold.push(Untold { case_id: case.case_id.clone(), tellings: due.tellings });
            }
        }
        match loaded.into_iter().last() {
            Some(last) => self.after = last.case_id,
            None => return Ok(false),
        }
        Ok(true)
    }
}

impl Wake<'_> {
    async fn step(&mut self, tx: &mut PgConnection) -> Result<Woken, Error> {
        let active = self.writer.active(tx).await?;
        self.from = alarms::told_from(tx).await?;
        let mut loaded = cases::claim_waking(tx, self.now, self.first, self.limit).await?;
        loaded.sort_unstable_by(|a, b| a.case_id.cmp(&b.case_id));
        self.claimed = loaded.iter().map(|case| (case.case_id.clone(), case.revision)).collect();
        let ids: Vec<&str> = loaded.iter().map(|case| case.case_id.as_str()).collect();
        let last_told = alarms::last_told(tx, &ids).await?;
        let mut woken = Woken { cases: loaded.len(), ..Woken::default() };
        let (mut told, mut letters, mut sleeps, mut decided) =
            (Vec::new(), Vec::new(), Vec::with_capacity(loaded.len()), Vec::new());
        for case in &loaded {
            let before = last_told.get(&case.case_id).map_or(&[][..], Vec::as_slice);
            match self.look_at(case, before, &active) {
                Ok(looked) => {
                    woken.count(&looked, self.now);
                    if looked.dispatched > 0 {
                        decided.push(case.clone());
                    }
                    told.extend(looked.told.into_iter().map(|told| (case.case_id.clone(), told)));
                    letters.extend(looked.notices);
                    sleeps.push(looked.sleep);
                }
                Err(error) => {
                    tracing::error!(code = error.code(), error = %error, "a case could not be looked at");
                    woken.failed += 1;
                    let (case_id, wake_at) = (case.case_id.clone(), later(self.now));
                    sleeps.push(Sleep { case_id, wake_at, told: case.told, ladder: None, overdue: true });
                }
            }
        }
        self.writer.fold_again(tx, &decided, &active, self.now).await?;
        alarms::append(tx, &told, self.now).await?;
        notices::append(tx, &letters, self.now).await?;
        cases::sleep(tx, &sleeps).await?;
        woken.beside_batches = !loaded.is_empty() && positions::batches_are_under_way(tx).await?;
        Ok(woken)
    }

    fn look_at(&self, case: &Loaded, before: &[Told], active: &Active) -> Result<Looked, Error> {
        let (id, rulebook, now) = (case.case_id.as_str(), &*active.rulebook, self.now);
        let mut facts = fold::decode(id, Some(case))?;
        let (view, pins) = fold::guarded(id, || settle(id, &mut facts, rulebook, now))?;
        let when = When { now, from: self.from };
        let due = fold::guarded(id, || telling::due((id, &facts), &view, rulebook, before, when))?;
        let notices = due.tellings.iter().filter_map(|told| Notice::of_alarm(id, &view, told, now)).collect();
        let next = view.proposal.as_ref().map(|proposal| proposal.at).into_iter().chain(due.next).min();
        // What bulletins read is the stored score, unless this step writes another.
        let falls_at = if pins.is_empty() {
            OpenClocks::decode(&case.score)
                .map_err(|_| Error::Score { case: case.case_id.clone() })?
                .falls_at()
        } else {
            fold::guarded(id, || score(&view, rulebook))?.falls_at()
        };
        // What is due was done just now: a case that is still due would come first for ever.
        let next = next.map(|next| if next <= now { later(now).unwrap_or(next) } else { next });
        let wake_at = next.into_iter().chain(falls_at.filter(|falls_at| *falls_at > now)).min();
        Ok(Looked {
            notices,
            sleep: Sleep {
                case_id: SmolStr::from(id),
                wake_at,
                told: due.stands,
                ladder: Some(due.ladder),
                overdue: falls_at.is_some_and(|falls_at| falls_at <= now),
            },
            told: due.tellings,
            dispatched: pins.len(),
        })
    }
}

impl Woken {
    fn count(&mut self, looked: &Looked, now: Timestamp) {
        self.dispatched += looked.dispatched;
        for told in &looked.told {
            match told.telling {
                Telling::Raised => {
                    self.raised += 1;
                    self.waited = self.waited.max(now.duration_since(told.alarm.deliver_at));
                }
                Telling::Missed => self.missed += 1,
                Telling::Withdrawn(_) => self.withdrawn += 1,
            }
        }
    }
}
