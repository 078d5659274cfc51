//! The log on a real PostgreSQL: what is sealed, what stands still, what is found.

use std::fs;
use std::path::PathBuf;

use hotline_postgres::closure_log::{self, State, Turn};
use hotline_postgres::closure_records::{self, Leaf};
use hotline_postgres::grants::Role;
use hotline_postgres::testing::{Loss, TestDatabase, alter, count, lose_next};
use hotline_postgres::{MasterKey, installation, run_tx};
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::sync::watch;

use super::check::check;
use super::checked::Checked;
use super::note::{Key, open};
use super::relog::{adopt, relog};
use super::sealer::Sealer;
use super::{proof_of, standing};
use crate::error::{Error, Halt};
use crate::{AuditConfig, LogParts, Places};

const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);

/// A database with a log, and the files beside it. What is sealed is sealed under the login of the role.
pub(crate) struct Stage {
    pub(crate) database: TestDatabase,
    pub(crate) parts: LogParts,
    pub(crate) config: AuditConfig,
    pub(crate) dir: TempDir,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let database = TestDatabase::create().await;
        let mut master = MasterKey::new([1; 32]);
        run_tx(&database.pool, "test", &mut master, |tx, master| {
            Box::pin(async move { installation::ensure(tx, master, NOW).await.map(drop) })
        })
        .await
        .unwrap();
        let dir = tempfile::tempdir().unwrap();
        let places = Places {
            key_file: dir.path().join("log.key"),
            checkpoint_file: dir.path().join("away").join("log.checkpoint"),
        };
        let parts = LogParts { pool: database.login(Role::Audit), places, now: || NOW };
        let config = AuditConfig { origin: "hotline/test".to_owned(), ..AuditConfig::default() };
        Self { database, parts, config, dir }
    }

    /// As the operator's commands do it.
    pub(crate) fn operator(&self) -> LogParts {
        LogParts { pool: self.database.login(Role::Operator), ..self.parts.clone() }
    }

    pub(crate) fn sealer(&self) -> Sealer {
        Sealer::new(&self.config, self.parts.clone(), watch::channel(None).0)
    }

    pub(crate) async fn seal(&self) -> Result<State, Error> {
        self.sealer().seal_what_waits().await
    }

    /// Writes so many records, committed.
    pub(crate) async fn write(&self, from: usize, to: usize) {
        let mut leaves: Vec<Leaf> = (from..to)
            .map(|n| Leaf {
                case_id: Some(format!("case-{}", n % 10).into()),
                kind: "closed",
                bytes: leaf(n),
            })
            .collect();
        run_tx(&self.database.pool, "test", &mut leaves, |tx, leaves| {
            Box::pin(closure_records::append(tx, leaves, NOW))
        })
        .await
        .unwrap();
    }

    pub(crate) async fn execute(&self, sql: &'static str) {
        alter(&mut self.database.pool.acquire().await.unwrap(), sql).await;
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.parts.places.checkpoint_file.clone()
    }

    pub(crate) async fn key(&self) -> Key {
        let state = super::state_of(&self.parts.pool).await.unwrap().unwrap();
        super::key::LogKey::new(self.parts.places.key_file.clone())
            .signer(&state.origin)
            .unwrap()
            .key()
            .clone()
    }

    pub(crate) async fn check(&self) -> Checked {
        check(&self.config, &self.operator(), None, &[], |_, _, _| {}).await.unwrap()
    }

    /// Keeps the tables of the log under other names, or puts them back: a backup and its restoration.
    async fn back_up(&self) {
        self.execute(
            "CREATE TABLE b1 AS TABLE log_state; CREATE TABLE b2 AS TABLE closure_seals; CREATE TABLE b3 AS TABLE log_tiles;
             CREATE TABLE b4 AS TABLE log_checkpoints; CREATE TABLE b5 AS TABLE closure_records",
        )
        .await;
    }

    async fn restore(&self) {
        self.execute(
            "TRUNCATE log_state, closure_seals, log_tiles, log_checkpoints, log_cosignatures, closure_records;
             INSERT INTO log_state TABLE b1; INSERT INTO closure_seals TABLE b2; INSERT INTO log_tiles TABLE b3;
             INSERT INTO log_checkpoints TABLE b4; INSERT INTO closure_records OVERRIDING SYSTEM VALUE TABLE b5",
        )
        .await;
    }
}

/// A record as casework might write it.
fn leaf(n: usize) -> Vec<u8> {
    let case = format!("case-{}", n % 10);
    format!(r#"{{"case":"{case}","kind":"closed","n":{n},"written_at":"2023-11-14T22:13:20Z"}}"#).into_bytes()
}

fn halt(result: Result<State, Error>) -> &'static str {
    match result {
        Err(Error::Halted(halt)) => halt.code(),
        Err(error) => panic!("{error}"),
        Ok(state) => panic!("sealed {state:?}"),
    }
}

#[tokio::test]
async fn what_is_committed_is_sealed_signed_and_proven() {
    let bench = Stage::new().await;
    assert_eq!(bench.seal().await.unwrap().size, 0);
    assert!(!bench.file().exists(), "nothing was signed yet");
    bench.write(0, 700).await;
    let state = bench.seal().await.unwrap();
    assert_eq!((state.size, state.log), (700, 1));
    let key = bench.key().await;
    let opened = open(&fs::read_to_string(bench.file()).unwrap(), &key, &[]).unwrap();
    assert_eq!((opened.size, opened.root), (700, state.root));
    for record in [1, 256, 700] {
        let proof = proof_of(&bench.parts.pool, record).await.unwrap();
        assert_eq!(proof.index, u64::try_from(record).unwrap() - 1);
        let leaf = leaf(usize::try_from(record - 1).unwrap());
        assert!(proof.check(&leaf, &key, &[]).is_ok());
        assert!(proof.check(b"another", &key, &[]).is_err());
    }
    assert!(matches!(proof_of(&bench.parts.pool, 701).await, Err(Error::NotSealed { id: 701 })));
    let checked = bench.check().await;
    assert!(checked.is_sound(), "{:?}", checked.findings);
    assert_eq!((checked.leaves, checked.tiles), (700, 4));
    let standing = standing::standing(&bench.config, &bench.parts).await.unwrap();
    assert_eq!((standing.size, standing.signed, standing.waiting), (700, 700, 0));
}

#[tokio::test]
async fn small_steps_give_the_tree_of_one_large_step() {
    let mut bench = Stage::new().await;
    bench.config.seal_records_max = 7;
    bench.write(0, 300).await;
    let small = bench.seal().await.unwrap();
    let other = Stage::new().await;
    other.write(0, 300).await;
    assert_eq!(small.root, other.seal().await.unwrap().root);
    assert!(bench.check().await.is_sound());
}

#[tokio::test]
async fn a_record_that_commits_late_is_sealed_after_those_that_came_before() {
    let bench = Stage::new().await;
    bench.write(0, 3).await;
    bench.seal().await.unwrap();
    let mut late = bench.database.pool.begin().await.unwrap();
    let leaf = Leaf { case_id: None, kind: "late", bytes: b"late".to_vec() };
    let id = closure_records::append_one(&mut late, &leaf, NOW).await.unwrap();
    bench.write(3, 6).await;
    let state = bench.seal().await.unwrap();
    assert_eq!(state.size, 6);
    assert!(state.settled_to < id, "it may still come");
    late.commit().await.unwrap();
    let state = bench.seal().await.unwrap();
    assert_eq!(state.size, 7);
    assert_eq!(state.settled_to, id + 3, "nothing can come any more");
    assert_eq!(proof_of(&bench.parts.pool, id).await.unwrap().index, 6);
    assert!(bench.check().await.is_sound());
}

#[tokio::test]
async fn ids_that_were_rolled_back_hold_up_nothing() {
    let bench = Stage::new().await;
    let mut gone = bench.database.pool.begin().await.unwrap();
    let leaf = Leaf { case_id: None, kind: "gone", bytes: b"gone".to_vec() };
    closure_records::append_one(&mut gone, &leaf, NOW).await.unwrap();
    gone.rollback().await.unwrap();
    bench.write(0, 3).await;
    let state = bench.seal().await.unwrap();
    assert_eq!((state.size, state.settled_to), (3, 4));
}

#[tokio::test]
async fn lost_commits_leave_one_chain() {
    for transaction in ["audit::seal", "audit::sign", "audit::take_over"] {
        for loss in [Loss::OfTheCommit, Loss::OfTheAnswer] {
            let bench = Stage::new().await;
            bench.write(0, 5).await;
            bench.seal().await.unwrap();
            bench.write(5, 9).await;
            lose_next(&bench.database.pool, transaction, loss);
            assert!(bench.seal().await.is_err(), "{transaction} was lost");
            assert_eq!(bench.seal().await.unwrap().size, 9, "{transaction}, {loss:?}");
            let checked = bench.check().await;
            assert!(checked.is_sound(), "{transaction}, {loss:?}: {:?}", checked.findings);
        }
    }
}

#[tokio::test]
async fn one_session_seals_and_whoever_sealed_before_moves_nothing() {
    let bench = Stage::new().await;
    bench.write(0, 5).await;
    let before = bench.seal().await.unwrap();
    let turn = Turn::take(&bench.parts.pool).await.unwrap().unwrap();
    assert!(Turn::take(&bench.parts.pool).await.unwrap().is_none());
    assert!(matches!(bench.seal().await, Err(Error::Sealing)));
    turn.give_back().await.unwrap();
    bench.write(5, 6).await;
    bench.seal().await.unwrap();
    let mut growth =
        closure_log::Growth { before, records: vec![99], tiles: Vec::new(), root: [0; 32], settled_to: 99 };
    let grown =
        run_tx(&bench.parts.pool, "test", &mut growth, |tx, growth| Box::pin(closure_log::grow(tx, growth)));
    assert_eq!(grown.await.unwrap_err().code(), "fenced");
}

#[tokio::test]
async fn records_that_were_altered_are_named_ten_of_a_tile() {
    let bench = Stage::new().await;
    bench.write(0, 300).await;
    bench.seal().await.unwrap();
    bench.execute("UPDATE closure_records SET leaf = leaf || '\\x20' WHERE id = 8 OR id > 280").await;
    let checked = bench.check().await;
    let leaves = checked.findings.iter().filter(|finding| finding.code == "leaf");
    let named: Vec<&str> = leaves.map(|finding| finding.what.as_str()).collect();
    assert_eq!(named.len(), 1 + 10 + 1, "{named:?}");
    assert!(named[0].starts_with("record 8 (leaf 7, of the case case-7) has another hash"), "{named:?}");
    assert!(
        named[1].starts_with("record 281 (leaf 280, ") && named[10].starts_with("record 290 "),
        "{named:?}"
    );
    assert!(named[11].starts_with("10 more records of tile 1 "), "{named:?}");
}

#[tokio::test]
async fn a_database_older_than_the_file_stands_still_until_a_new_log_says_so() {
    let bench = Stage::new().await;
    bench.write(0, 300).await;
    bench.seal().await.unwrap();
    bench.back_up().await;
    bench.write(300, 310).await;
    bench.seal().await.unwrap();
    let signed = fs::read_to_string(bench.file()).unwrap();
    bench.restore().await;
    assert_eq!(halt(bench.seal().await), "log_rollback", "it has fewer records than were signed");
    bench.write(0, 50).await;
    assert_eq!(halt(bench.seal().await), "log_rollback");
    assert!(!bench.check().await.is_sound());
    assert_eq!(fs::read_to_string(bench.file()).unwrap(), signed, "the file stays as it was");

    let begun = relog(&bench.config, &bench.operator(), "restored").await.unwrap();
    assert!(begun.origin.ends_with("/log2"));
    assert_eq!(begun.old.map(|(_, size)| size), Some(310));
    let state = bench.seal().await.unwrap();
    assert_eq!((state.log, state.size), (2, 351), "its first leaf, then everything that there is");
    let proof = proof_of(&bench.parts.pool, 1).await.unwrap();
    assert!(proof.index > 0);
    assert!(bench.check().await.is_sound());
    let mut connection = bench.database.pool.acquire().await.unwrap();
    let kept = count(
        &mut connection,
        "SELECT count(*) FROM closure_records JOIN closure_seals ON id = record_id
          WHERE log = 2 AND leaf_index = 0 AND kind = 'relog' AND position('log1\\n310\\n' IN convert_from(leaf, 'UTF8')) > 0",
    );
    assert_eq!(kept.await, 1, "the old checkpoint is its first leaf");
    assert_eq!(fs::read_to_string(bench.dir.path().join("away/log.checkpoint.log1")).unwrap(), signed);
}

#[tokio::test]
async fn a_tree_that_does_not_begin_with_what_was_signed_is_not_signed() {
    let bench = Stage::new().await;
    bench.write(0, 20).await;
    bench.seal().await.unwrap();
    // Somebody changes a record and makes the tree anew, as large as it was and then larger.
    bench
        .execute(
            "UPDATE closure_records SET leaf = 'altered' WHERE id = 3;
             TRUNCATE closure_seals, log_tiles, log_checkpoints, log_cosignatures;
             UPDATE log_state SET size = 0, root = sha256(''), settled_to = 0",
        )
        .await;
    let other = Stage::new().await;
    let away = bench.file().with_extension("away");
    fs::rename(bench.file(), &away).unwrap();
    bench.write(20, 30).await;
    assert_eq!(bench.seal().await.unwrap().size, 30);
    fs::rename(&away, bench.file()).unwrap();
    assert_eq!(halt(bench.seal().await), "log_rollback");
    drop(other);
}

#[tokio::test]
async fn a_file_that_is_missing_stands_still_until_somebody_adopts_what_there_is() {
    let bench = Stage::new().await;
    bench.write(0, 20).await;
    bench.seal().await.unwrap();
    fs::remove_file(bench.file()).unwrap();
    assert_eq!(halt(bench.seal().await), "log_file_missing");
    let (_, size) = adopt(&bench.operator(), "the volume was lost").await.unwrap();
    assert_eq!(size, 20);
    assert_eq!(bench.seal().await.unwrap().size, 21, "a record says that it happened");
    assert!(bench.check().await.is_sound());
}

#[tokio::test]
async fn a_file_that_was_altered_is_no_reason_to_go_on() {
    let bench = Stage::new().await;
    bench.write(0, 20).await;
    bench.seal().await.unwrap();
    let note = fs::read_to_string(bench.file()).unwrap();
    for altered in
        [note.replace("\n20\n", "\n19\n"), String::new(), "x".repeat(100_000), note[..40].to_owned()]
    {
        fs::write(bench.file(), altered).unwrap();
        assert_eq!(halt(bench.seal().await), "log_file_unfit");
    }
}

#[tokio::test]
async fn a_key_is_made_with_the_first_log_and_never_after_it() {
    let bench = Stage::new().await;
    bench.write(0, 20).await;
    bench.seal().await.unwrap();
    let first = bench.key().await;
    fs::remove_file(&bench.parts.places.key_file).unwrap();
    assert_eq!(halt(bench.seal().await), "log_key_missing");
    assert!(!bench.parts.places.key_file.exists());
    relog(&bench.config, &bench.operator(), "the key was lost").await.unwrap();
    assert_eq!(bench.seal().await.unwrap().size, 21);
    assert_ne!(bench.key().await, first);
    assert!(bench.check().await.is_sound());
}

#[tokio::test]
async fn a_database_without_a_log_beside_a_file_is_an_older_one() {
    let bench = Stage::new().await;
    bench.write(0, 20).await;
    bench.seal().await.unwrap();
    bench.execute("TRUNCATE log_state, closure_seals, log_tiles, log_checkpoints, log_cosignatures").await;
    assert_eq!(halt(bench.seal().await), "log_rollback");
    let begun = relog(&bench.config, &bench.operator(), "restored a backup of before").await.unwrap();
    assert!(begun.origin.ends_with("/log2"), "never the name of a log that was");
}

#[tokio::test]
async fn a_record_that_was_kept_out_of_the_log_stands_in_its_way() {
    for kept_out in [
        "UPDATE log_state SET settled_to = 25",
        "INSERT INTO closure_records (id, kind, written_at, leaf) OVERRIDING SYSTEM VALUE VALUES (-5, 'closed', now(), 'x')",
    ] {
        let bench = Stage::new().await;
        bench.write(0, 20).await;
        bench.seal().await.unwrap();
        bench.execute(kept_out).await;
        bench.write(20, 30).await;
        assert_eq!(halt(bench.seal().await), "log_damaged", "{kept_out}");
        relog(&bench.config, &bench.operator(), "a record was kept out").await.unwrap();
        assert_eq!(bench.seal().await.unwrap().log, 2);
        let mut connection = bench.database.pool.acquire().await.unwrap();
        let sql = "SELECT count(*) FROM closure_records WHERE id NOT IN (SELECT record_id FROM closure_seals WHERE log = 2)";
        assert_eq!(count(&mut connection, sql).await, 0, "{kept_out}: the new log has all of them");
        assert!(bench.check().await.is_sound(), "{kept_out}");
    }
}

#[tokio::test]
async fn tables_that_contradict_each_other_are_not_sealed_into() {
    for sql in [
        "UPDATE log_state SET size = 19",
        "UPDATE log_state SET root = sha256('x')",
        "UPDATE log_tiles SET data = set_byte(data, 600, 1 # get_byte(data, 600))",
        "DELETE FROM log_tiles",
    ] {
        let bench = Stage::new().await;
        bench.write(0, 20).await;
        bench.seal().await.unwrap();
        bench.execute(sql).await;
        let code = halt(bench.seal().await);
        assert!([Halt::Damaged { size: 0 }.code(), "log_rollback"].contains(&code), "{sql}: {code}");
    }
}
