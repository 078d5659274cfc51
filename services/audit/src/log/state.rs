//! What the database holds of the log, looked at before it is believed; and what others are given of it.

use hotline_postgres::closure_log::{self, Digest, Signed, State};
use hotline_postgres::{Error as Store, PgConnection, PgPool, run_read_tx};
use tlog_tiles::TreeProof;

use super::note::with_lines;
use super::proof::Proof;
use super::tree::{self, Tiles, Wanted};
use crate::error::{Error, Halt};

/// Reads the tree of one log in a transaction.
#[derive(Debug)]
pub struct Prover<'t> {
    tx: &'t mut PgConnection,
    log: i32,
}

impl<'t> Prover<'t> {
    pub fn new(tx: &'t mut PgConnection, log: i32) -> Self {
        Self { tx, log }
    }

    /// The tiles for these computations. What the tables lack is found when it is computed.
    pub async fn tiles(&mut self, wanted: &[Wanted]) -> Result<Tiles, Store> {
        Ok(closure_log::tiles(self.tx, self.log, &tree::needed(wanted)).await?.into_iter().collect())
    }

    pub async fn root(&mut self, size: u64) -> Result<Result<Digest, Halt>, Store> {
        let tiles = self.tiles(&[Wanted::Root { size }]).await?;
        Ok(tiles.root(size).map_err(|_| Halt::Damaged { size }))
    }

    /// That the tree of `size` begins with that of `before`.
    pub async fn consistency(&mut self, size: u64, before: u64) -> Result<Result<TreeProof, Halt>, Store> {
        if before > size {
            return Ok(Err(Halt::Damaged { size }));
        }
        let tiles = self.tiles(&[Wanted::Consistency { size, before }]).await?;
        Ok(tree::prove_consistency(&tiles, size, before).map_err(|_| Halt::Damaged { size }))
    }

    /// The tiles that end the tree, whose root is what the state says.
    pub async fn edge(&mut self, state: &State) -> Result<Result<Tiles, Halt>, Store> {
        let places: Vec<_> = tree::edge(state.size).into_iter().map(|(place, _)| place).collect();
        let tiles: Tiles = closure_log::tiles(self.tx, self.log, &places).await?.into_iter().collect();
        let is_sound = tiles.ends(state.size) && tiles.root(state.size).is_ok_and(|root| root == state.root);
        Ok(if is_sound { Ok(tiles) } else { Err(Halt::Damaged { size: state.size }) })
    }
}

/// The checkpoint that is published, with what witnesses put under it; None before the first.
pub async fn checkpoint(pool: &PgPool) -> Result<Option<(Signed, String)>, Store> {
    run_read_tx(pool, "audit::checkpoint", &mut (), |tx, ()| {
        Box::pin(async move {
            let Some(state) = closure_log::state(tx).await? else { return Ok(None) };
            let Some(signed) = closure_log::last_signed(tx, state.log, None).await? else { return Ok(None) };
            let note = with_cosignatures(tx, &signed).await?;
            Ok(Some((signed, note)))
        })
    })
    .await
}

async fn with_cosignatures(tx: &mut PgConnection, signed: &Signed) -> Result<String, Store> {
    let cosigned = closure_log::cosigned(tx, signed.log, signed.size).await?;
    Ok(with_lines(&signed.note, cosigned.iter().map(|cosigned| cosigned.line.as_str())))
}

/// The proof of one record, for the smallest checkpoint that covers it and has a witness, else for the last one.
pub async fn proof_of(pool: &PgPool, record: i64) -> Result<Proof, Error> {
    let mut record = record;
    run_read_tx(pool, "audit::proof", &mut record, |tx, record| Box::pin(prove(tx, *record))).await?
}

/// As [`proof_of`], in a transaction that is open.
pub async fn prove(tx: &mut PgConnection, record: i64) -> Result<Result<Proof, Error>, Store> {
    let Some(state) = closure_log::state(tx).await? else { return Ok(Err(Error::NoLog)) };
    let not_sealed = Ok(Err(Error::NotSealed { id: record }));
    let Some(index) = closure_log::leaf_of(tx, state.log, record).await? else { return not_sealed };
    let signed = match closure_log::first_cosigned(tx, state.log, index).await? {
        Some(signed) => signed,
        None => match closure_log::last_signed(tx, state.log, None).await? {
            Some(signed) if signed.size > index => signed,
            _ => return not_sealed,
        },
    };
    prove_leaf(tx, index, &signed).await
}

/// The proof of a leaf for a checkpoint that covers it.
pub async fn prove_leaf(
    tx: &mut PgConnection,
    index: u64,
    signed: &Signed,
) -> Result<Result<Proof, Error>, Store> {
    let note = with_cosignatures(tx, signed).await?;
    let size = signed.size;
    let tiles = Prover::new(tx, signed.log).tiles(&[Wanted::Inclusion { size, leaf: index }]).await?;
    let hashes = match tree::prove_inclusion(&tiles, size, index) {
        Ok(hashes) => hashes.iter().map(|hash| hash.0).collect(),
        Err(_) => return Ok(Err(Halt::Damaged { size }.into())),
    };
    Ok(Ok(Proof { index, hashes, note }))
}

/// The leaf of a record in the log in force; None: it is not sealed yet.
pub async fn place_of(pool: &PgPool, record: i64) -> Result<Option<u64>, Store> {
    let mut record = record;
    run_read_tx(pool, "audit::place", &mut record, |tx, record| {
        Box::pin(async move {
            let Some(state) = closure_log::state(tx).await? else { return Ok(None) };
            closure_log::leaf_of(tx, state.log, *record).await
        })
    })
    .await
}

/// The log in force; None before the first.
pub async fn state_of(pool: &PgPool) -> Result<Option<State>, Store> {
    run_read_tx(pool, "audit::state", &mut (), |tx, ()| Box::pin(closure_log::state(tx))).await
}
