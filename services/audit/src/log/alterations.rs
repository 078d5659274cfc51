//! Random alterations of everything that is kept: is each found, and nothing that was not altered?
//!
//! Each is made in a transaction, looked at by the check inside it, and rolled back. How many: `HOTLINE_ALTERATIONS`. Left out,
//! since nothing is lost by them: a stored checkpoint that is deleted (the file has the last one, and any can be made anew from
//! the tree), and when one was stored. What the database and the file cannot show is at the end.

use std::fs;

use hotline_postgres::PgConnection;
use hotline_postgres::closure_log::Cosigned;
use hotline_postgres::testing::alter;
use hotline_postgres::{closure_log, run_tx};
use jiff::Timestamp;

use super::check::{Held, check_within};
use super::key::LogKey;
use super::note::{Key, Kind, Signer, open};
use super::tests::Stage;

const LEAVES: u64 = 620;
const ROUNDS: u64 = 300;
const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);

/// splitmix64: the same numbers on every machine.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn place(&mut self, end: usize) -> usize {
        usize::try_from(self.below(end as u64)).unwrap()
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.place(of.len())]
    }
}

#[expect(clippy::disallowed_methods, reason = "a test is told how long it may take")]
fn option_env() -> Option<u64> {
    std::env::var("HOTLINE_ALTERATIONS").ok()?.parse().ok()
}

/// What is altered: in the database, or in the file.
enum Altered {
    Sql(String),
    File(Option<String>),
}

/// A random alteration.
fn alteration(dice: &mut Dice, file: &str) -> Altered {
    let record = 1 + dice.below(LEAVES);
    let other = 1 + (record + dice.below(LEAVES - 1)) % LEAVES;
    let (leaf, bit, byte) = (dice.below(LEAVES), 1 << dice.below(8), dice.below(30));
    let tile = dice.pick(&["0 AND tile_index = 0", "0 AND tile_index = 1", "0 AND tile_index = 2", "1"]);
    let size = dice.pick(&[100, 256, 400, 600, 620]);
    let of_tile = dice.below(64);
    Altered::Sql(match dice.below(28) {
        0..=3 => format!("UPDATE closure_records SET leaf = set_byte(leaf, {byte}, {bit} # get_byte(leaf, {byte})) WHERE id = {record}"),
        4 => format!("UPDATE closure_records SET leaf = substr(leaf, 1, length(leaf) - 1) WHERE id = {record}"),
        5 => format!("UPDATE closure_records SET leaf = leaf || '\\x20' WHERE id = {record}"),
        6 => format!("UPDATE closure_records SET case_id = case_id || '0' WHERE id = {record}"),
        7 => format!("UPDATE closure_records SET kind = 'rated' WHERE id = {record}"),
        8 => format!("UPDATE closure_records SET written_at = written_at + interval '{} s' WHERE id = {record}", 1 + byte),
        9 => format!("DELETE FROM closure_records WHERE id = {record}"),
        10 => format!(
            "UPDATE closure_records a SET leaf = b.leaf FROM closure_records b
              WHERE (a.id, b.id) IN (({record}, {other}), ({other}, {record}))"
        ),
        11 => format!(
            "DELETE FROM closure_seals WHERE leaf_index IN ({a}, {b});
             INSERT INTO closure_seals VALUES (1, {a}, {other}), (1, {b}, {record})",
            a = record - 1,
            b = other - 1
        ),
        12 => format!("DELETE FROM closure_seals WHERE leaf_index = {leaf}"),
        13 => format!("DELETE FROM closure_seals WHERE leaf_index >= {leaf}"),
        14 => format!(
            "DELETE FROM closure_seals WHERE leaf_index = {leaf}; DELETE FROM closure_records WHERE id = {leaf} + 1;
             UPDATE closure_seals SET log = 9, leaf_index = leaf_index - 1 WHERE leaf_index > {leaf};
             UPDATE closure_seals SET log = 1 WHERE log = 9;
             UPDATE log_state SET size = size - 1"
        ),
        15 => format!(
            "INSERT INTO closure_records (id, kind, written_at, leaf) OVERRIDING SYSTEM VALUE VALUES (-{record}, 'closed', now(), 'x')"
        ),
        16 | 17 => format!(
            "UPDATE log_tiles SET data = set_byte(data, {of_tile}, {bit} # get_byte(data, {of_tile})) WHERE level = {tile}"
        ),
        18 => format!("UPDATE log_tiles SET width = width - 1, data = substr(data, 1, length(data) - 32) WHERE level = {tile}"),
        19 => format!("DELETE FROM log_tiles WHERE level = {tile}"),
        20 => format!("INSERT INTO log_tiles VALUES (1, {}, {}, 1, sha256('x'))", 2 + dice.below(5), dice.below(9)),
        21 => format!("UPDATE log_state SET size = {}", LEAVES - 1 - dice.below(500)),
        22 => format!("UPDATE log_state SET root = set_byte(root, {byte}, {bit} # get_byte(root, {byte}))"),
        23 => format!(
            "UPDATE log_checkpoints SET note = overlay(note placing chr(ascii(substr(note, {at}, 1)) # 1) from {at} for 1)
              WHERE size = {size}",
            at = 1 + dice.below(120)
        ),
        24 => {
            format!("UPDATE log_cosignatures SET line = overlay(line placing '{}' from {} for 1)", dice.pick(&["-", "!"]), 20 + dice.below(80))
        }
        25 => format!(
            "UPDATE log_tiles SET width = width + 1, data = data || sha256('x') WHERE width < 256 AND level = {}",
            dice.below(2)
        ),
        26 => format!("UPDATE log_state SET origin = origin || '{}'", dice.below(10)),
        _ => {
            let place = dice.place(file.len());
            let mut bytes = file.as_bytes().to_vec();
            bytes[place] ^= 1;
            let changed = String::from_utf8_lossy(&bytes).into_owned();
            return Altered::File(match dice.below(4) {
                0 => None,
                1 => Some(file[..file.len() - 1 - dice.place(40)].to_owned()),
                _ => Some(changed),
            });
        }
    })
}

/// A log that was signed several times, with a witness under each.
async fn stage() -> (Stage, Key, Signer) {
    let mut stage = Stage::new().await;
    let witness = Signer::new("witness.example/w1", Kind::Witness, &[5; 32]).unwrap();
    stage.config.witnesses =
        vec![crate::WitnessConfig { url: "http://127.0.0.1:9".to_owned(), key: witness.key().to_string() }];
    let mut size = 0;
    for next in [100, 256, 400, 600, 620] {
        stage.write(size, next).await;
        stage.seal().await.unwrap();
        size = next;
        cosign(&stage, &witness, size as u64).await;
    }
    // Ten thousand checks follow: without statistics each compares every record with every seal.
    stage.execute("ANALYZE closure_records, closure_seals, log_tiles").await;
    let key = stage.key().await;
    (stage, key, witness)
}

async fn cosign(stage: &Stage, witness: &Signer, size: u64) {
    let note = fs::read_to_string(stage.file()).unwrap();
    let line = witness.cosign(&open(&note, &stage.key().await, &[]).unwrap(), NOW);
    let witness = witness.key().name().to_owned();
    let mut cosigned = Cosigned { witness, size, cosigned_at: NOW, line };
    run_tx(&stage.parts.pool, "test", &mut cosigned, |tx, cosigned| {
        Box::pin(closure_log::note_cosigned(tx, 1, cosigned))
    })
    .await
    .unwrap();
}

/// How many findings there are in a transaction.
async fn found(tx: &mut PgConnection, stage: &Stage, file: Option<&str>, notes: &[String]) -> u64 {
    let key = LogKey::new(stage.parts.places.key_file.clone());
    let witnesses = stage.config.witness_keys();
    let held = Held { key: &key, witnesses: &witnesses, file, notes, rules: None, progress: &|_, _, _| {} };
    match check_within(tx, held).await {
        Ok(checked) => checked.found,
        // What cannot even be looked at is told, too.
        Err(_) => 1,
    }
}

#[tokio::test]
async fn every_random_alteration_is_found_and_nothing_else() {
    let rounds = option_env().unwrap_or(ROUNDS);
    let (stage, _, _) = stage().await;
    let file = fs::read_to_string(stage.file()).unwrap();
    let mut dice = Dice(1);
    for round in 0..rounds {
        let mut tx = stage.database.pool.begin().await.unwrap();
        let altered = alteration(&mut dice, &file);
        let found = match &altered {
            Altered::Sql(sql) => {
                alter(&mut tx, sql).await;
                found(&mut tx, &stage, Some(&file), &[]).await
            }
            Altered::File(file) => found(&mut tx, &stage, file.as_deref(), &[]).await,
        };
        let what = match altered {
            Altered::Sql(sql) => sql,
            Altered::File(file) => format!("the file: {file:?}"),
        };
        assert!(found > 0, "round {round} was not found: {what}");
        tx.rollback().await.unwrap();
        if round % 100 == 0 {
            let mut tx = stage.database.pool.begin().await.unwrap();
            assert_eq!(self::found(&mut tx, &stage, Some(&file), &[]).await, 0, "a false alarm");
        }
    }
    println!("{rounds} alterations, all found, no false alarm");
}

/// A whole log made anew with the key, and an old backup together with its file: both agree with themselves. A note that a
/// witness kept does not agree with them.
#[tokio::test]
async fn what_agrees_with_itself_only_a_note_from_outside_can_show() {
    let (stage, key, witness) = stage().await;
    let kept = {
        let note = fs::read_to_string(stage.file()).unwrap();
        let line = witness.cosign(&open(&note, &key, &[]).unwrap(), NOW);
        format!("{note}{line}")
    };
    let notes = [kept];
    fs::remove_file(stage.file()).unwrap();
    stage
        .execute(
            "UPDATE closure_records SET leaf = convert_to(replace(convert_from(leaf, 'UTF8'), '\"n\":7,', '\"n\":8,'), 'UTF8') WHERE id = 8;
             TRUNCATE log_state, closure_seals, log_tiles, log_checkpoints, log_cosignatures",
        )
        .await;
    stage.seal().await.unwrap();
    let file = fs::read_to_string(stage.file()).unwrap();
    let mut tx = stage.database.pool.begin().await.unwrap();
    assert_eq!(found(&mut tx, &stage, Some(&file), &[]).await, 0, "it agrees with itself");
    assert!(found(&mut tx, &stage, Some(&file), &notes).await > 0, "and not with what the witness saw");
    tx.rollback().await.unwrap();

    let older = Stage::new().await;
    fs::copy(&stage.parts.places.key_file, &older.parts.places.key_file).unwrap();
    older.write(0, 256).await;
    older.seal().await.unwrap();
    let file = fs::read_to_string(older.file()).unwrap();
    let mut tx = older.database.pool.begin().await.unwrap();
    assert_eq!(found(&mut tx, &older, Some(&file), &[]).await, 0);
    assert!(found(&mut tx, &older, Some(&file), &notes).await > 0, "it lacks what the witness saw");
}
