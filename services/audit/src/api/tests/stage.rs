//! A database with a small rulebook, and the role's router over it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, header};
use axum::response::Response;
use hotline_core::rulebook::{Files, load};
use hotline_events::intake::{Batch, Origin, Outcome, Record, RecordContent};
use hotline_events::{Keep, Tagger, decode};
use hotline_postgres::closure_records::{self, Leaf};
use hotline_postgres::grants::Role as Login;
use hotline_postgres::interventions::By;
use hotline_postgres::testing::TestDatabase;
use hotline_postgres::tokens::{self, New};
use hotline_postgres::{CaseWriter, Commit, MasterKey, PgPool, Rules, closures, erasures, run_tx, testing};
use hotline_runtime::serve::Peer;
use jiff::Timestamp;
use serde_json::{Value, json};
use smol_str::SmolStr;
use tempfile::TempDir;
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::log::relog;
use crate::token::{Role, Token};
use crate::{AuditConfig, LogParts, Parts, Places};

pub(crate) const NOW: &str = "2026-03-02T01:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

pub(crate) fn files() -> Files {
    let text = |path: &str, text: &str| (path.to_owned(), text.as_bytes().to_vec());
    [
        text("rulebook.toml", "name = \"tests\"\ntimezone = \"Asia/Shanghai\"\ncalendar = \"cn\"\n"),
        text(
            "calendars/cn.toml",
            "id = \"cn\"\ntimezone = \"Asia/Shanghai\"\nrest_days = [\"saturday\", \"sunday\"]\nknown_from = 2025-01-01\nknown_until = 2026-12-25\n",
        ),
        text(
            "policies/close.toml",
            "[[policy]]\nid = \"close\"\ncalendar = \"cn\"\nmatch = { hotline = \"12345\" }\nstage = \"close\"\nstart = \"received\"\nstop = [\"closed\"]\nlimit = 5\nunit = \"working_day\"\nclosure = true\nholds = [\"inspection\"]\nextension = { unit = \"working_day\" }\nbasis = \"article 1\"\n",
        ),
        text(
            "rates/all.toml",
            "[[rate]]\nid = \"closing\"\nversion = 1\nname = { zh = \"率\", en = \"rate\" }\nbasis = \"closed\"\nnumerator = [\"each.close.met\"]\ndenominator = [\"each.close.met\", \"each.close.late\"]\n",
        ),
        text(
            "routing/all.csv",
            "rule,hotline,case_type,category,region,keywords,department,priority,valid_from,valid_until\nfallback,12345,,,,,D2,0,,\n",
        ),
        text(
            "sources/city.toml",
            "[[source]]\nid = \"/hotline/12345\"\nhotline = \"12345\"\nname = \"city\"\ndispatch = \"hotline\"\n\n[[source]]\nid = \"/hotline/departments/D1\"\nhotline = \"12345\"\nname = \"D1's own\"\ndispatch = \"hotline\"\n",
        ),
        text(
            "hotlines.toml",
            "[[hotline]]\ncode = \"12345\"\nname_zh = \"12345热线\"\nname_en = \"Hotline 12345\"\noffice = \"HL\"\n",
        ),
        text(
            "departments.csv",
            "code,name_zh,name_en,parent,group,valid_from,valid_until,successor\nHL,热线办,Office,,,,,\nD1,住建局,Housing,,,,,\nD2,城管局,City,,,,,\n",
        ),
    ]
    .into()
}

pub(crate) fn event(id: &str, case: &str, kind: &str, time: &str, data: &Value) -> Value {
    json!({
        "specversion": "1.0", "type": format!("hotline.case.{kind}.v1"), "source": "/hotline/12345", "id": id,
        "subject": format!("12345:{case}"), "time": time, "data": data,
    })
}

/// A case that a department closed at an instant.
pub(crate) fn closed(case: &str, department: &str, at: &str) -> Vec<Value> {
    let of = json!({ "department": department });
    vec![
        event(
            &format!("{case}-r"),
            case,
            "received",
            "2026-03-02T00:10:00Z",
            &json!({ "case_type": "complaint", "category": ["housing", "heating"], "region": "411202" }),
        ),
        event(&format!("{case}-d"), case, "dispatched", "2026-03-02T00:20:00Z", &of),
        event(&format!("{case}-c"), case, "closed", at, &of),
    ]
}

/// A ruling that excludes a case's closing.
pub(crate) fn ruled(case: &str, department: &str) -> Value {
    let data = json!({
        "indicator": "close", "effect": "exclude", "reason": "force_majeure", "document": "2026-7", "by": "HL",
        "department": department,
    });
    event(&format!("{case}-u"), case, "ruled", "2026-03-13T00:00:00Z", &data)
}

/// The cells of a column of a page.
pub(crate) fn column(body: &Value, name: &str) -> Vec<String> {
    let rows = body["rows"].as_array().unwrap_or_else(|| panic!("{body}"));
    rows.iter().map(|row| row[name].as_str().unwrap_or_default().to_owned()).collect()
}

pub(crate) struct Stage {
    database: TestDatabase,
    pub(crate) writer: CaseWriter,
    tagger: Tagger,
    rules: Arc<Rules>,
    router: Router,
    claim: Mutex<Option<hotline_postgres::positions::Claim>>,
    log: LogParts,
    _folder: TempDir,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::configured(&AuditConfig::default()).await
    }

    pub(crate) async fn configured(config: &AuditConfig) -> Self {
        let database = TestDatabase::create().await;
        let master = MasterKey::new([9; 32]);
        let tagger = Tagger::keyed(&master.tag_key());
        let writer = CaseWriter::new(database.pool.clone(), master.clone());
        writer.prepare(now()).await.unwrap();
        let files = files();
        let rulebook = match load(&files) {
            Ok(loaded) => loaded.rulebook,
            Err(faults) => panic!("{faults:?}"),
        };
        writer.activate(&files, &rulebook, false, now()).await.unwrap();
        let rules = Arc::new(Rules::new(database.pool.clone()));
        let parts = Parts { pool: database.login(Login::Audit), rules: Arc::clone(&rules), master, now };
        let folder = tempfile::tempdir().unwrap();
        let places = Places {
            key_file: folder.path().join("log.key"),
            checkpoint_file: folder.path().join("log.checkpoint"),
        };
        let log = LogParts { pool: database.login(Login::Audit), places, now };
        let router = crate::router::router(config, &parts, &log);
        Self { database, writer, tagger, rules, router, claim: Mutex::new(None), log, _folder: folder }
    }

    pub(crate) fn parts(&self) -> Parts {
        let master = self.writer.master().clone();
        Parts { pool: self.database.login(Login::Audit), rules: Arc::clone(&self.rules), master, now }
    }

    /// Takes events in as they happened.
    pub(crate) async fn apply(&self, events: Vec<Value>) {
        for event in events {
            let received_at = event["time"].as_str().unwrap().to_owned();
            self.apply_received(vec![event], &received_at).await;
        }
    }

    pub(crate) async fn apply_received(&self, events: Vec<Value>, received_at: &str) {
        let records = events.iter().map(|event| {
            let raw = event.to_string().into_bytes();
            let content = RecordContent::of(&raw, decode(&raw, &self.tagger, Keep::All));
            Record { raw, received_at: received_at.parse().unwrap(), offset: None, content }
        });
        let batch = Batch { origin: Origin::Http, records: records.collect() };
        let mut held = self.claim.lock().await;
        let claim = match held.take() {
            Some(claim) => claim,
            None => self.writer.claim("http").await.unwrap(),
        };
        let Commit::Done(applied) = self.writer.apply(&claim, &batch).await.unwrap() else {
            panic!("the test cluster stays up")
        };
        let outcomes: Vec<_> = applied.outcomes.iter().flatten().collect();
        assert!(outcomes.iter().all(|one| matches!(one, Outcome::Applied)), "{outcomes:?}");
        *held = Some(applied.claim);
    }

    /// Brings the lists up to date.
    pub(crate) async fn keep(&self) {
        let audit = self.database.login(Login::Audit);
        while closures::keep_step(&audit, &self.rules, 1_000).await.unwrap().unwrap().taken > 0 {}
    }

    pub(crate) async fn token(&self, role: Role, departments: Option<&[&str]>, may_unmask: bool) -> String {
        let token = Token::generate().unwrap();
        let departments: Option<Vec<String>> =
            departments.map(|list| list.iter().map(|one| (*one).to_owned()).collect());
        let mut new = New {
            name: &token.expose()[..12],
            role: role.name(),
            departments: departments.as_deref(),
            may_unmask,
            sha256: token.sha256(),
            created_at: now(),
            created_by: "tests",
            expires_at: "2026-04-01T00:00:00Z".parse().unwrap(),
        };
        run_tx(&self.database.login(Login::Operator), "test::token", &mut new, |tx, new| {
            Box::pin(tokens::insert(tx, new))
        })
        .await
        .unwrap()
        .expect("no other has this name");
        token.expose().to_owned()
    }

    async fn send(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    fn request(method: &str, path: &str, token: Option<&str>, from: &str) -> axum::http::request::Builder {
        let peer: SocketAddr = format!("{from}:4711").parse().unwrap();
        let request = Request::builder().method(method).uri(path).extension(Peer(peer));
        match token {
            Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        }
    }

    async fn read(response: Response) -> (u16, Value) {
        let status = response.status().as_u16();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    pub(crate) async fn get(&self, path: &str, token: Option<&str>) -> (u16, Value) {
        let request = Self::request("GET", path, token, "127.0.0.1").body(Body::empty()).unwrap();
        Self::read(self.send(request).await).await
    }

    pub(crate) async fn get_from(&self, from: &str, path: &str, headers: &[(&str, &str)]) -> (u16, Value) {
        let request = Self::request("GET", path, None, from);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        Self::read(self.send(request.body(Body::empty()).unwrap()).await).await
    }

    pub(crate) async fn post(&self, path: &str, token: Option<&str>, body: &Value) -> (u16, Value) {
        let request = Self::request("POST", path, token, "127.0.0.1");
        let request = request.header(header::CONTENT_TYPE, "application/json");
        Self::read(self.send(request.body(Body::from(body.to_string())).unwrap()).await).await
    }

    pub(crate) async fn headers(&self, path: &str) -> HeaderMap {
        let request = Self::request("GET", path, None, "127.0.0.1").body(Body::empty()).unwrap();
        self.send(request).await.headers().clone()
    }

    pub(crate) async fn bytes(&self, path: &str) -> Vec<u8> {
        let request = Self::request("GET", path, None, "127.0.0.1").body(Body::empty()).unwrap();
        to_bytes(self.send(request).await.into_body(), usize::MAX).await.unwrap().to_vec()
    }

    pub(crate) async fn file(&self, path: &str, token: &str) -> (HeaderMap, Vec<u8>) {
        let request = Self::request("GET", path, Some(token), "127.0.0.1").body(Body::empty()).unwrap();
        let response = self.send(request).await;
        assert_eq!(response.status(), 200);
        let headers = response.headers().clone();
        (headers, to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec())
    }

    /// Sends a request of a browser.
    pub(crate) async fn browse(
        &self,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
        let request = Self::request(method, path, None, "127.0.0.1");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    pub(crate) fn pool(&self) -> &hotline_postgres::PgPool {
        &self.database.pool
    }

    /// Seals what waits: until a record is in the log that was signed.
    pub(crate) async fn seal(&self, record: i64) {
        let stop = CancellationToken::new();
        let (published, _) = watch::channel(None);
        let config =
            AuditConfig { seal_every: std::time::Duration::from_millis(20), ..AuditConfig::default() };
        let sealing = tokio::spawn(crate::log::seal(config, self.log.clone(), published, stop.clone()));
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
        while let Err(error) = crate::log::proof_of(&self.database.pool, record).await {
            assert!(tokio::time::Instant::now() < deadline, "{error}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        stop.cancel();
        sealing.await.unwrap();
    }

    /// `hotline audit relog`.
    pub(crate) async fn relog(&self, reason: &str) {
        let parts = LogParts { pool: self.operator(), ..self.log.clone() };
        relog::relog(&AuditConfig::default(), &parts, reason).await.unwrap();
    }

    /// `hotline audit adopt`, after the checkpoint file was lost.
    pub(crate) async fn adopt(&self, reason: &str) {
        std::fs::remove_file(&self.log.places.checkpoint_file).unwrap();
        let parts = LogParts { pool: self.operator(), ..self.log.clone() };
        relog::adopt(&parts, reason).await.unwrap();
    }

    /// What `hotline audit check` finds.
    pub(crate) async fn checked(&self) -> Vec<String> {
        let parts = LogParts { pool: self.operator(), ..self.log.clone() };
        let (config, rules) = (AuditConfig::default(), Some(&*self.rules));
        let checked = crate::log::check::check(&config, &parts, rules, &[], |_, _, _| {}).await.unwrap();
        checked.findings.iter().map(|finding| format!("{}: {}", finding.code, finding.what)).collect()
    }

    /// Writes a record beside casework, as whoever holds the program or the database may.
    pub(crate) async fn write_record(&self, case: &str, kind: &'static str, bytes: Vec<u8>) -> i64 {
        let mut leaf = Leaf { case_id: Some(case.into()), kind, bytes };
        run_tx(&self.database.login(Login::Operator), "test::record", &mut leaf, |tx, leaf| {
            Box::pin(closure_records::append_one(tx, leaf, now()))
        })
        .await
        .unwrap()
    }

    /// The database as commands see it.
    pub(crate) fn operator(&self) -> PgPool {
        self.database.login(Login::Operator)
    }

    /// The key that the log signs with.
    pub(crate) async fn log_key(&self) -> crate::log::note::Key {
        crate::proven::key(&self.log).await.unwrap()
    }

    /// What `hotline explain --format json` shows.
    pub(crate) async fn viewed(&self, case: &str) -> Value {
        self.rules.view(case, None).await.unwrap().unwrap().shown(now())
    }

    pub(crate) async fn erase(&self, case: &'static str) {
        let mut cases = [SmolStr::new_static(case)];
        run_tx(&self.database.login(Login::Operator), "test::erase", &mut cases, |tx, cases| {
            Box::pin(async move {
                let by = By { operator: "tests", why: "a test", at: now() };
                erasures::erase(tx, cases, &by).await.map(drop)
            })
        })
        .await
        .unwrap();
    }

    pub(crate) async fn execute(&self, sql: &'static str) {
        testing::execute(&mut self.database.pool.acquire().await.unwrap(), sql).await;
    }

    /// As somebody does who may do everything.
    pub(crate) async fn alter(&self, sql: &str) {
        testing::alter(&mut self.database.pool.acquire().await.unwrap(), sql).await;
    }

    pub(crate) async fn texts(&self, sql: &'static str) -> Vec<String> {
        testing::texts(&mut self.database.pool.acquire().await.unwrap(), sql).await
    }
}
