//! A witness, asked and beside a log.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use hotline_postgres::{MasterKey, Rules};
use hotline_runtime::serve::Limits;
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::asked::Asked;
use super::serve::{Follow, router, serve};
use super::{Fault, Verdict, Witness};
use crate::Parts;
use crate::config::WitnessConfig;
use crate::copy::mirror::{Source, mirror};
use crate::log::note::{Key, Kind, Signer, open};
use crate::log::tests::Stage;
use crate::log::tree::{Tiles, leaf_hash, prove_consistency};
use crate::log::{checkpoint, seal, submit};
use crate::verify::{Rulebooks, Trust, directory};

const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);
/// How long a test waits for what must come.
const WAIT: Duration = Duration::from_secs(30);

fn now() -> Timestamp {
    NOW
}

/// A log in memory, and a witness of it.
struct Pair {
    log: Signer,
    tiles: Tiles,
    dir: TempDir,
    witness: Witness,
}

impl Pair {
    fn new() -> Self {
        let log = Signer::new("hotline/log1", Kind::Log, &[7; 32]).unwrap();
        let mut tiles = Tiles::default();
        tiles.append(0, (0..500_u32).map(|n| leaf_hash(&n.to_be_bytes()))).unwrap();
        let dir = tempfile::tempdir().unwrap();
        Witness::key(dir.path(), Some("witness.example/w1")).unwrap();
        let witness = Witness::open(dir.path(), &[log.key().clone()]).unwrap();
        Self { log, tiles, dir, witness }
    }

    fn asked(&self, before: u64, size: u64) -> Asked {
        let proof = prove_consistency(&self.tiles, size, before).unwrap();
        let note = self.log.checkpoint(size, &self.tiles.root(size).unwrap());
        Asked { before, proof: proof.iter().map(|hash| hash.0).collect(), note }
    }

    fn show(&self, asked: &Asked) -> Verdict {
        self.witness.add_checkpoint(&asked.to_string(), NOW).unwrap()
    }
}

#[test]
fn a_witness_cosigns_what_goes_on_and_nothing_else() {
    let pair = Pair::new();
    let first = pair.asked(0, 100);
    let Verdict::Cosigned(line) = pair.show(&first) else { panic!("not cosigned") };
    let key = Witness::key(pair.dir.path(), None).unwrap();
    let note = format!("{}{line}", first.note);
    let opened = open(&note, pair.log.key(), std::slice::from_ref(&key)).unwrap();
    assert_eq!(opened.witnesses, [("witness.example/w1".to_owned(), NOW)]);

    assert_eq!(pair.show(&pair.asked(0, 200)), Verdict::Seen(100), "asked from another size");
    assert_eq!(pair.show(&pair.asked(50, 200)), Verdict::Seen(100));
    assert_eq!(pair.show(&pair.asked(200, 300)), Verdict::Seen(100));
    let without_proof = Asked { proof: Vec::new(), ..pair.asked(100, 200) };
    assert_eq!(pair.show(&without_proof), Verdict::Inconsistent);
    let other_root = Asked { note: pair.log.checkpoint(200, &[1; 32]), ..pair.asked(100, 200) };
    assert_eq!(pair.show(&other_root), Verdict::Inconsistent);
    let fork = Asked { before: 100, proof: Vec::new(), note: pair.log.checkpoint(100, &[1; 32]) };
    assert_eq!(pair.show(&fork), Verdict::Seen(100), "another tree of the same size");
    let backwards = Asked { before: 100, ..pair.asked(0, 50) };
    assert_eq!(pair.show(&backwards), Verdict::Malformed, "the old size is larger");
    let unknown = Signer::new("hotline/log2", Kind::Log, &[7; 32]).unwrap();
    let unknown = Asked { note: unknown.checkpoint(200, &[1; 32]), ..pair.asked(100, 200) };
    assert_eq!(pair.show(&unknown), Verdict::UnknownLog);
    let stolen = Signer::new("hotline/log1", Kind::Log, &[8; 32]).unwrap();
    let root = pair.tiles.root(200).unwrap();
    let stolen = Asked { note: stolen.checkpoint(200, &root), ..pair.asked(100, 200) };
    assert_eq!(pair.show(&stolen), Verdict::NotSigned);
    for body in ["", "old 100", "old 0100\n\nx", "old 1\nAAAA\n\nx\n"] {
        assert_eq!(pair.witness.add_checkpoint(body, NOW).unwrap(), Verdict::Malformed, "{body:?}");
    }
    assert!(matches!(pair.show(&pair.asked(100, 100)), Verdict::Cosigned(_)), "the same once more");
    assert!(matches!(pair.show(&pair.asked(100, 200)), Verdict::Cosigned(_)));
}

#[test]
fn what_was_cosigned_is_kept_and_is_where_it_goes_on() {
    let pair = Pair::new();
    for (before, size) in [(0, 100), (100, 200), (200, 300)] {
        assert!(matches!(pair.show(&pair.asked(before, size)), Verdict::Cosigned(_)));
    }
    let Pair { log, tiles, dir, witness } = pair;
    drop(witness);
    let witness = Witness::open(dir.path(), &[log.key().clone()]).unwrap();
    assert_eq!(witness.seen("hotline/log1"), Some(300));
    let pair = Pair { log, tiles, dir, witness };
    assert_eq!(pair.show(&pair.asked(0, 400)), Verdict::Seen(300));
    let logs = fs::read_dir(pair.dir.path().join("logs")).unwrap().next().unwrap().unwrap().path();
    let notes = fs::read_to_string(logs.join("notes-2023-11")).unwrap();
    assert_eq!(notes.matches("hotline/log1\n").count(), 3, "{notes}");
    fs::write(logs.join("latest"), "nothing").unwrap();
    let Pair { log, dir, witness, .. } = pair;
    drop(witness);
    let refused = Witness::open(dir.path(), &[log.key().clone()]);
    assert!(matches!(refused, Err(Fault::Unfit { .. })), "it would cosign anything");
}

pub(crate) struct NoRulebooks;

impl Rulebooks for NoRulebooks {
    fn find(&mut self, _: &str) -> Result<Option<Arc<hotline_core::rulebook::Rulebook>>, String> {
        Ok(None)
    }
}

#[test]
fn one_process_has_the_directory() {
    let pair = Pair::new();
    assert!(matches!(Witness::open(pair.dir.path(), &[pair.log.key().clone()]), Err(Fault::InUse { .. })));
}

/// A witness that listens.
async fn listening(dir: &TempDir, log: &Key, stop: &CancellationToken) -> String {
    let witness = Arc::new(Witness::open(dir.path(), std::slice::from_ref(log)).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(serve(listener, router(witness, now), stop.clone()));
    url
}

/// The addresses of the role.
fn routes(stage: &Stage) -> axum::Router {
    let pool = stage.parts.pool.clone();
    let rules = Arc::new(Rules::new(pool.clone()));
    let parts = Parts { pool, rules, master: MasterKey::new([1; 32]), now };
    crate::router::router(&stage.config, &parts, &stage.parts)
}

async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + WAIT;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "{what} did not come");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_sealed_shown_cosigned_followed_and_mirrored() {
    let mut stage = Stage::new().await;
    stage.write(0, 10).await;
    stage.seal().await.unwrap();
    let log = stage.key().await;
    let stop = CancellationToken::new();
    let dir = tempfile::tempdir().unwrap();
    let witness = Witness::key(dir.path(), Some("witness.example/w1")).unwrap();
    let url = listening(&dir, &log, &stop).await;
    let away = Signer::new("away.example", Kind::Witness, &[3; 32]).unwrap();
    stage.config.seal_every = Duration::from_millis(20);
    stage.config.witnesses = vec![
        WitnessConfig { url: url.clone(), key: witness.to_string() },
        WitnessConfig { url: "http://127.0.0.1:9".to_owned(), key: away.key().to_string() },
    ];
    let (published, latest) = watch::channel(None);
    let sealing = tokio::spawn(seal(stage.config.clone(), stage.parts.clone(), published, stop.clone()));
    let (config, parts, stopped) = (stage.config.clone(), stage.parts.clone(), stop.clone());
    let showing = tokio::spawn(async move { submit(&config, &parts, &latest, &stopped).await });
    for n in 1..=5 {
        stage.write(n * 300, n * 300 + 300).await;
        until("a cosigned checkpoint", async || {
            let (signed, note) = checkpoint(&stage.parts.pool).await.unwrap()?;
            let opened = open(&note, &log, std::slice::from_ref(&witness)).unwrap();
            (signed.size == 10 + n as u64 * 300 && !opened.witnesses.is_empty()).then_some(())
        })
        .await;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let served = format!("http://{}/log", listener.local_addr().unwrap());
    let routes = routes(&stage);
    let limits = Limits { connections_max: 16, header_wait: WAIT };
    tokio::spawn(hotline_runtime::serve::serve(listener, routes, limits, stop.clone()));

    let copy = tempfile::tempdir().unwrap();
    let source = Source::Url { url: served.clone(), token: None };
    assert_eq!(mirror(&source, copy.path(), |_, _| {}).await.unwrap().size, 1_510);
    let from_database = tempfile::tempdir().unwrap();
    let database = Source::Database(stage.operator().pool);
    mirror(&database, from_database.path(), |_, _| {}).await.unwrap();
    let trust = Trust { key: log.clone(), witnesses: vec![witness] };
    for copy in [copy.path(), from_database.path()] {
        let verified = directory(copy, &trust, &mut NoRulebooks, |_, _| {}).unwrap();
        assert!(verified.is_sound(), "{:?}", verified.findings);
        assert_eq!((verified.records, verified.tiles), (1_510, 6 + 1));
        // What the stage writes says nothing that this program knows.
        assert_eq!((verified.remade.records, verified.remade.unknown), (0, 1_510));
    }

    // A witness that looks by itself has seen the same.
    let own = tempfile::tempdir().unwrap();
    Witness::key(own.path(), Some("other.example/w2")).unwrap();
    let other = Arc::new(Witness::open(own.path(), std::slice::from_ref(&log)).unwrap());
    let follow = Follow { url: served, every: Duration::from_millis(50) };
    let following = tokio::spawn(follow.run(Arc::clone(&other), now, stop.clone()));
    until("the witness that follows", async || other.seen(log.name()).filter(|size| *size == 1_510)).await;
    stop.cancel();
    for task in [sealing, showing, following] {
        task.await.unwrap();
    }
}
