//! The sealer: takes committed records into the tree, then signs the committed tree.
//!
//! In this order, whatever happens in between: the tree grows in one transaction; what was committed is read again and
//! proved to go on from the checkpoint file; it is signed; the file is on disk; the note is stored; others are told. A
//! process that dies anywhere leaves a committed tree, which the next one signs with the same bytes.
//!
//! Records are looked for above an id only. Whoever moves that id would hide those below it, so these are looked at again, some
//! in every round.

use std::time::Duration;

use hotline_postgres::closure_log::{self, Growth, Signed, State, Turn, Unsealed};
use hotline_postgres::{
    Error as Store, PgConnection, PgPool, closure_records, installation, positions, run_read_tx, run_tx,
};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::key::LogKey;
use super::note::{NoteFault, Opened, Signer, open, said};
use super::outside::Outside;
use super::state::Prover;
use super::tree::{self, EMPTY_ROOT, leaf_hash};
use crate::config::AuditConfig;
use crate::error::{Error, Halt};
use crate::metrics;
use crate::{LogParts, Places};

/// How soon it is tried again after something went wrong, or while another process seals.
const AGAIN_AFTER: Duration = Duration::from_secs(2);
/// The rest after a full step beside batches of events, in times of what it took: senders wait for those, and nobody for a
/// checkpoint that is a few minutes late.
const REST: u32 = 9;
const REST_MAX: Duration = Duration::from_secs(20);
/// How many records that wait are counted.
const WAITING_MAX: i64 = 100_000;
/// Records at which it is looked in each round whether they are in the log: some milliseconds of work.
const LOOKED_MAX: i64 = 10_000;
/// How long after the beginning it is looked at all of them again.
const LOOK_EVERY: Duration = Duration::from_hours(1);

/// The last checkpoint that is in the file and in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    pub log: i32,
    pub origin: String,
    pub size: u64,
    pub note: String,
}

/// Seals until `stop`, if no other process does. Whatever goes wrong is told once and tried again: nothing else in the
/// process ends for it.
pub async fn seal(
    config: AuditConfig,
    parts: LogParts,
    published: watch::Sender<Option<Published>>,
    stop: CancellationToken,
) {
    let sealer = Sealer::new(&config, parts, published);
    let mut known = Known::default();
    while !stop.is_cancelled() {
        match sealer.take_turn(&stop, &mut known).await {
            Ok(()) => {}
            Err(error) => {
                if let Error::Halted(halt) = &error {
                    metrics::halted(Some(halt.code()));
                }
                if known.told != error.code() {
                    tracing::error!(error.code = error.code(), %error, "the closure log is not sealed");
                }
                known.told = error.code();
            }
        }
        pause(AGAIN_AFTER, &stop).await;
    }
}

async fn pause(time: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = stop.cancelled() => {}
    }
}

/// What is told once where the turn is not ours.
const OTHERS_TURN: &str = "others_turn";

/// What is remembered from one turn to the next.
#[derive(Debug, Default)]
struct Known {
    /// The code of what was told last.
    told: &'static str,
    looked: Option<Looked>,
}

/// How far it was looked whether every record that should be in a log is there.
#[derive(Debug)]
struct Looked {
    log: i32,
    to: i64,
    began: Instant,
}

impl Looked {
    fn at(state: &State) -> Self {
        Self { log: state.log, to: i64::MIN, began: Instant::now() }
    }
}

/// What is needed to seal.
#[derive(Debug)]
pub(crate) struct Sealer {
    config: AuditConfig,
    pool: PgPool,
    now: fn() -> Timestamp,
    key: LogKey,
    outside: Outside,
    published: watch::Sender<Option<Published>>,
}

/// What is committed, and goes on from what is in the file.
#[derive(Debug)]
pub(crate) struct Examined {
    pub(crate) state: State,
    /// The last checkpoint that is stored.
    pub(crate) last: Option<Signed>,
    signer: Signer,
    before: Option<String>,
    pub(crate) outside: Option<Opened>,
}

/// Up to which id records were seen, and who may have been writing others below it.
#[derive(Debug)]
struct Mark {
    up_to: i64,
    writers: Vec<String>,
}

/// What one transaction works with.
struct Round<'r> {
    state: &'r State,
    mark: &'r mut Option<Mark>,
    records_max: i64,
}

impl Sealer {
    pub(crate) fn new(
        config: &AuditConfig,
        parts: LogParts,
        published: watch::Sender<Option<Published>>,
    ) -> Self {
        let LogParts { pool, places, now, .. } = parts;
        let Places { key_file, checkpoint_file } = places;
        Self {
            config: config.clone(),
            pool,
            now,
            key: LogKey::new(key_file),
            outside: Outside::new(checkpoint_file),
            published,
        }
    }

    /// Seals everything that waits, once.
    #[cfg(test)]
    pub(crate) async fn seal_what_waits(&self) -> Result<State, Error> {
        let turn = Turn::take(&self.pool).await?.ok_or(Error::Sealing)?;
        let sealed = async {
            let epoch = self.take_over().await?.ok_or(Error::NoLog)?;
            let (mut mark, mut looked) = (None, None);
            loop {
                let state = self.publish(epoch).await?;
                self.look(&state, &mut looked).await?;
                let is_done = self.grow(&state, &mut mark).await? == 0 && mark.is_none();
                let is_held_up = self.writing(mark.as_ref()).await?;
                if is_held_up {
                    // As the next round would: it is too early to settle anything.
                    let state = self.publish(epoch).await?;
                    self.grow(&state, &mut mark).await?;
                }
                if is_done || is_held_up {
                    return self.publish(epoch).await;
                }
            }
        }
        .await;
        turn.give_back().await?;
        sealed
    }

    /// Whether somebody still writes whom a mark waits for.
    #[cfg(test)]
    async fn writing(&self, mark: Option<&Mark>) -> Result<bool, Error> {
        let writing =
            run_read_tx(&self.pool, "audit::writing", &mut (), |tx, ()| Box::pin(closure_log::writers(tx)))
                .await;
        let writing = writing?;
        Ok(mark.is_some_and(|mark| mark.writers.iter().any(|writer| writing.contains(writer))))
    }

    /// Seals for as long as the turn is ours and nothing is wrong.
    async fn take_turn(&self, stop: &CancellationToken, known: &mut Known) -> Result<(), Error> {
        let Some(mut turn) = Turn::take(&self.pool).await? else {
            // Whoever has it may be no sealer at all: what is shown is how old the last checkpoint is.
            metrics::waiting(self.count().await?);
            if let Some(signed) = self.signed_last().await? {
                metrics::published(signed.size, signed.signed_at);
            }
            if known.told != OTHERS_TURN {
                tracing::info!("another session has the turn to seal the closure log");
                known.told = OTHERS_TURN;
            }
            return Ok(());
        };
        let sealed = self.seal_for(&mut turn, stop, known).await;
        // The lock goes with the session, however that ends.
        let _ = turn.give_back().await;
        sealed
    }

    async fn signed_last(&self) -> Result<Option<Signed>, Error> {
        let found = run_read_tx(&self.pool, "audit::signed", &mut (), |tx, ()| {
            Box::pin(async move {
                match closure_log::state(tx).await? {
                    Some(state) => closure_log::last_signed(tx, state.log, None).await,
                    None => Ok(None),
                }
            })
        })
        .await?;
        Ok(found)
    }

    async fn seal_for(
        &self,
        turn: &mut Turn,
        stop: &CancellationToken,
        known: &mut Known,
    ) -> Result<(), Error> {
        let Some(epoch) = self.take_over().await? else { return Ok(()) };
        let mut mark = None;
        while !stop.is_cancelled() {
            let began = Instant::now();
            turn.hold().await?;
            let state = self.publish(epoch).await?;
            self.look(&state, &mut known.looked).await?;
            if !known.told.is_empty() {
                tracing::info!(log.size = state.size, "the closure log is sealed again");
                known.told = "";
            }
            metrics::halted(None);
            let sealed = self.grow(&state, &mut mark).await?;
            if sealed > 0 {
                self.publish(epoch).await?;
            }
            metrics::sealed(sealed);
            // Who took less than it may took all that there was to be seen.
            let is_full = sealed >= self.config.seal_records_max;
            metrics::waiting(if is_full { self.count().await? } else { 0 });
            let rest = match is_full {
                false => self.config.seal_every,
                true if positions::are_batches_under_way(&self.pool).await => {
                    (began.elapsed() * REST).min(REST_MAX)
                }
                true => Duration::ZERO,
            };
            pause(rest, stop).await;
        }
        Ok(())
    }

    async fn count(&self) -> Result<i64, Error> {
        let mut limit = WAITING_MAX;
        Ok(run_read_tx(&self.pool, "audit::waiting", &mut limit, |tx, limit| {
            Box::pin(closure_log::count_unsealed(tx, *limit))
        })
        .await?)
    }

    /// A new epoch, in a log that is made if there never was one. None: nothing has happened in this database yet.
    async fn take_over(&self) -> Result<Option<i64>, Error> {
        let found = run_tx(&self.pool, "audit::take_over", &mut (), |tx, ()| {
            Box::pin(async move { Ok((closure_log::state(tx).await?, installation::id(tx).await?)) })
        })
        .await;
        match found? {
            (Some(_), _) => {}
            (None, None) => return Ok(None),
            (None, Some(installation)) => self.begin(&installation).await?,
        }
        let epoch =
            run_tx(&self.pool, "audit::take_over", &mut (), |tx, ()| Box::pin(closure_log::raise_epoch(tx)))
                .await;
        Ok(Some(epoch?))
    }

    /// Makes the first log. A file that is there already says that this database once had one.
    async fn begin(&self, installation: &str) -> Result<(), Error> {
        if let Some(note) = self.read_outside()? {
            let (origin, signed) = said(&note).map_err(|fault| self.unfit(fault))?;
            return Err(Halt::Rollback { origin, signed, found: "it has no log".to_owned() }.into());
        }
        let origin = origin(&self.config, installation, 1);
        self.key.signer_of_new(&origin)?;
        let mut origin = origin;
        run_tx(&self.pool, "audit::begin", &mut origin, |tx, origin| {
            Box::pin(closure_log::begin(tx, 1, origin, &EMPTY_ROOT))
        })
        .await?;
        Ok(())
    }

    /// Takes what is committed and not in the tree yet; how many records that were.
    async fn grow(&self, state: &State, mark: &mut Option<Mark>) -> Result<usize, Error> {
        let records_max = i64::try_from(self.config.seal_records_max).unwrap_or(i64::MAX);
        let mut round = Round { state, mark, records_max };
        Ok(run_tx(&self.pool, "audit::seal", &mut round, |tx, round| Box::pin(grow(tx, round))).await??)
    }

    /// Looks at some more of the records that should be in the log; from the first on again for each log, and every hour.
    /// Where one is not, it is not gone past.
    async fn look(&self, state: &State, looked: &mut Option<Looked>) -> Result<(), Error> {
        let before = looked.take().filter(|looked| looked.log == state.log);
        let looked = looked.insert(before.unwrap_or_else(|| Looked::at(state)));
        let mut asked = (state, looked.to);
        let found = run_read_tx(&self.pool, "audit::look", &mut asked, |tx, (state, after)| {
            Box::pin(closure_log::look(tx, state, *after, LOOKED_MAX))
        });
        let Some(next) = found.await? else {
            if looked.began.elapsed() >= LOOK_EVERY {
                *looked = Looked::at(state);
            }
            return Ok(());
        };
        if let Some(record) = next.left_out {
            return Err(Halt::LeftOut { record, settled_to: state.settled_to }.into());
        }
        looked.to = next.to;
        Ok(())
    }

    /// Whether what is committed goes on from what was signed. Nothing is written.
    pub(crate) async fn examine(&self) -> Result<Examined, Error> {
        let (state, last) = self.committed().await?;
        let signer = self.key.signer(&state.origin)?;
        let before = self.read_outside()?;
        let outside = match &before {
            Some(note) => {
                Some(open(note, signer.key(), &[]).map_err(|fault| self.other(&state, note, fault))?)
            }
            None => None,
        };
        self.goes_on(&state, last.as_ref(), outside.as_ref()).await?;
        Ok(Examined { state, last, signer, before, outside })
    }

    /// Signs what is committed, if that has not been done: file, database, everybody else.
    async fn publish(&self, epoch: i64) -> Result<State, Error> {
        let Examined { state, last, signer, before, outside } = self.examine().await?;
        if state.size == 0 {
            return Ok(state);
        }
        let note = signer.checkpoint(state.size, &state.root);
        if outside.is_none_or(|outside| outside.size < state.size) {
            let (outside, written) = (self.outside.clone(), note.clone());
            let replaced = spawn_blocking(move || outside.replace(before.as_deref(), &written)).await;
            let replaced = replaced.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
            if !replaced.map_err(|source| self.file(source))? {
                // Another process was quicker: it seals now.
                return Err(Store::Fenced { origin: state.origin, epoch }.into());
            }
        }
        let mut signed_at = last.as_ref().map_or(Timestamp::MIN, |last| last.signed_at);
        if last.is_none_or(|last| last.size < state.size) {
            signed_at = (self.now)();
            let mut signed =
                (epoch, Signed { log: state.log, size: state.size, signed_at, note: note.clone() });
            run_tx(&self.pool, "audit::sign", &mut signed, |tx, (epoch, signed)| {
                Box::pin(closure_log::note_signed(tx, *epoch, signed))
            })
            .await?;
        }
        let published = Published { log: state.log, origin: state.origin.clone(), size: state.size, note };
        self.published.send_if_modified(|known| {
            let is_new = known.as_ref() != Some(&published);
            *known = Some(published);
            is_new
        });
        metrics::published(state.size, signed_at);
        Ok(state)
    }

    /// What is committed, read after the commit.
    async fn committed(&self) -> Result<(State, Option<Signed>), Error> {
        let read = run_read_tx(&self.pool, "audit::committed", &mut (), |tx, ()| {
            Box::pin(async move {
                let Some(state) = closure_log::state(tx).await? else { return Ok(None) };
                let last = closure_log::last_signed(tx, state.log, None).await?;
                Ok(Some((state, last)))
            })
        })
        .await;
        read?.ok_or(Error::NoLog)
    }

    /// That the committed tree begins with the one in the file. Without a file only a log that was never signed goes on.
    async fn goes_on(
        &self,
        state: &State,
        last: Option<&Signed>,
        outside: Option<&Opened>,
    ) -> Result<(), Error> {
        let Some(outside) = outside else {
            return match last {
                None if state.log == 1 => Ok(()),
                last => {
                    let size = last.map_or(0, |last| last.size);
                    Err(Halt::FileMissing { size, path: self.outside.path().to_owned() }.into())
                }
            };
        };
        let (origin, signed) = (outside.origin.clone(), outside.size);
        if signed > state.size {
            let found = format!("it has {} leaves", state.size);
            return Err(Halt::Rollback { origin, signed, found }.into());
        }
        let mut asked = (state, signed);
        let proof = run_read_tx(&self.pool, "audit::goes_on", &mut asked, |tx, (state, before)| {
            Box::pin(async move {
                let mut prover = Prover::new(tx, state.log);
                let edge = prover.edge(state).await?;
                Ok(match edge {
                    Ok(_) => prover.consistency(state.size, *before).await?,
                    Err(halt) => Err(halt),
                })
            })
        });
        let proof = proof.await??;
        if tree::is_consistent(&proof, (state.size, &state.root), (signed, &outside.root)) {
            Ok(())
        } else {
            Err(Halt::Altered { origin, signed }.into())
        }
    }

    fn read_outside(&self) -> Result<Option<String>, Error> {
        self.outside.read().map_err(|source| self.file(source))
    }

    fn file(&self, source: std::io::Error) -> Error {
        Error::File { what: "the checkpoint file", path: self.outside.path().to_owned(), source }
    }

    /// Why the file does not open: it may be of another log, which is the newer one.
    fn other(&self, state: &State, note: &str, fault: NoteFault) -> Halt {
        match (fault, said(note)) {
            (NoteFault::OtherLog { .. }, Ok((origin, signed))) => {
                Halt::Rollback { origin, signed, found: format!("it has {}", state.origin) }
            }
            (fault, _) => self.unfit(fault),
        }
    }

    fn unfit(&self, fault: NoteFault) -> Halt {
        Halt::FileUnfit { path: self.outside.path().to_owned(), fault }
    }
}

/// The name of a log in everything that is signed.
pub(crate) fn origin(config: &AuditConfig, installation: &str, log: i32) -> String {
    let base =
        if config.origin.is_empty() { format!("hotline/{installation}") } else { config.origin.clone() };
    format!("{base}/log{log}")
}

/// One transaction of [`Sealer::grow`].
async fn grow(tx: &mut PgConnection, round: &mut Round<'_>) -> Result<Result<usize, Halt>, Store> {
    let Round { state, mark, records_max } = round;
    // Whoever wrote when the mark was set has ended: what they wrote can be seen by the statements that follow.
    let settles = match mark {
        Some(mark) => {
            let writing = closure_log::writers(tx).await?;
            (!mark.writers.iter().any(|writer| writing.contains(writer))).then_some(mark.up_to)
        }
        None => None,
    };
    let newest = closure_records::last_id(tx).await?;
    let records = closure_log::unsealed(tx, state, *records_max).await?;
    let last = records.last().map_or(0, |last| last.id);
    let is_all = i64::try_from(records.len()).is_ok_and(|count| count < *records_max);
    let settled = settles.filter(|up_to| is_all || last > *up_to);
    if settled.is_some() {
        **mark = None;
    }
    let settled_to = settled.unwrap_or(i64::MIN).max(state.settled_to);
    if records.is_empty() {
        if settled_to > state.settled_to {
            closure_log::settle(tx, state, settled_to).await?;
        }
    } else if let Err(halt) = append(tx, state, &records, settled_to).await? {
        return Ok(Err(halt));
    }
    let up_to = if is_all { newest.max(last) } else { last };
    if mark.is_none() && up_to > settled_to {
        **mark = Some(Mark { up_to, writers: closure_log::writers(tx).await? });
    }
    Ok(Ok(records.len()))
}

/// Puts records into the tree.
async fn append(
    tx: &mut PgConnection,
    state: &State,
    records: &[Unsealed],
    settled_to: i64,
) -> Result<Result<(), Halt>, Store> {
    let mut tiles = match Prover::new(tx, state.log).edge(state).await? {
        Ok(tiles) => tiles,
        Err(halt) => return Ok(Err(halt)),
    };
    let damaged = Halt::Damaged { size: state.size };
    let Ok(changed) = tiles.append(state.size, records.iter().map(|record| leaf_hash(&record.leaf))) else {
        return Ok(Err(damaged));
    };
    let Ok(root) = tiles.root(state.size + records.len() as u64) else { return Ok(Err(damaged)) };
    let records = records.iter().map(|record| record.id).collect();
    let growth = Growth { before: state.clone(), records, tiles: changed, root, settled_to };
    closure_log::grow(tx, &growth).await?;
    Ok(Ok(()))
}
