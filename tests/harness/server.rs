//! A throw-away server: the binary with its private PostgreSQL in a folder of its own.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::root;

/// How long anything that is waited for may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// The binary under test.
pub fn binary() -> PathBuf {
    let named = std::env::var_os("HOTLINE_BIN").map(PathBuf::from);
    let path = named.unwrap_or_else(|| root().join("target/release/hotline"));
    assert!(path.exists(), "{} is missing: cargo build --release -p hotline", path.display());
    path
}

/// Runs a command of the binary to its end.
pub fn run(args: &[&str]) -> Output {
    Command::new(binary()).args(args).output().expect("the binary runs")
}

/// … and gives what it printed; a failure shows what it said.
pub fn text(args: &[&str]) -> String {
    let output = run(args);
    assert!(output.status.success(), "hotline {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// What replay says of a file of events as of an instant.
pub fn replay(rulebook: &Path, rates: &str, period: &str, as_of: &str, file: &str) -> String {
    let rulebook = rulebook.to_string_lossy();
    text(&[
        "replay",
        "--rulebook",
        &rulebook,
        "--as-of",
        as_of,
        "--rate",
        rates,
        "--by",
        "department",
        "--period",
        period,
        file,
    ])
}

/// A folder that is removed with its value.
#[derive(Debug)]
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("hotline-{name}-{}", std::process::id()));
        if path.exists() {
            std::fs::remove_dir_all(&path).expect("an old folder can be removed");
        }
        std::fs::create_dir_all(&path).expect("a folder can be made");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's own cleaning.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

#[derive(Debug)]
pub struct Server {
    pub folder: Folder,
    pub gateway: String,
    pub audit: String,
    pub ops: String,
    /// The subcommand that runs it.
    roles: &'static str,
    child: Option<Child>,
}

impl Server {
    /// Starts a server under a rulebook and waits until it is ready.
    pub fn start(name: &str, rulebook: &Path) -> Self {
        Self::start_with(name, rulebook, |_| String::new())
    }

    /// … with more of the section `[gateway]`, which may name files in the server's folder.
    pub fn start_with(name: &str, rulebook: &Path, gateway_more: impl FnOnce(&Path) -> String) -> Self {
        let folder = Folder::new(name);
        let more = gateway_more(&folder.0);
        let mut server = Self::configured(folder, rulebook, &more, "all");
        server.restart();
        server
    }

    /// A gateway with more sections of the configuration; what is to be done before it starts is given the
    /// configuration's path.
    pub fn start_gateway(name: &str, rulebook: &Path, sections: &str, before: impl FnOnce(&str)) -> Self {
        let mut server = Self::configured(Folder::new(name), rulebook, sections, "gateway");
        before(&server.config());
        server.restart();
        server
    }

    fn configured(folder: Folder, rulebook: &Path, more: &str, roles: &'static str) -> Self {
        let (gateway, audit, ops) = (free_address(), free_address(), free_address());
        let config = format!(
            "[data]\ndir = '{}'\n[rulebook]\ndir = '{}'\n[gateway]\nlisten = '{gateway}'\n{more}\n[audit]\nlisten = '{audit}'\n[ops]\nlisten = '{ops}'\n",
            folder.0.join("data").display(),
            rulebook.display()
        );
        std::fs::write(folder.0.join("hotline.toml"), config).expect("the configuration can be written");
        Self { folder, gateway, audit, ops, roles, child: None }
    }

    pub fn config(&self) -> String {
        self.folder.0.join("hotline.toml").to_string_lossy().into_owned()
    }

    pub fn log(&self) -> PathBuf {
        self.folder.0.join("log")
    }

    /// Starts the binary again on the same data.
    pub fn restart(&mut self) {
        let log = File::options().create(true).append(true).open(self.log()).expect("a log can be written");
        let child = Command::new(binary())
            .args(["--config", &self.config(), self.roles])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a handle"))
            .stderr(log)
            .spawn()
            .expect("the binary runs");
        self.child = Some(child);
        self.wait_ready();
    }

    fn wait_ready(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let child = self.child.as_mut().expect("it was started");
            if let Some(status) = child.try_wait().expect("it can be asked") {
                panic!("hotline ended with {status}: {}", self.log_text());
            }
            if get(&self.ops, "/readyz").is_some_and(|(status, _)| status == 200) {
                return;
            }
            assert!(Instant::now() < deadline, "not ready: {}", self.log_text());
            // Nothing tells from outside when a port opens: it is asked again, four times a second.
            std::thread::park_timeout(Duration::from_millis(250));
        }
    }

    pub fn log_text(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    /// Sends a signal to the process.
    pub fn signal(&self, signal: &str) {
        let child = self.child.as_ref().expect("it runs");
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill runs");
        assert!(sent.success(), "kill {signal} failed");
    }

    /// Ends it as `kill -9` does, leaving whatever it was doing.
    pub fn kill(&mut self) {
        self.signal("-KILL");
        self.wait();
    }

    /// Ends it as an operator would; returns its exit code.
    pub fn stop(&mut self) -> i32 {
        self.signal("-TERM");
        self.wait().unwrap_or(-1)
    }

    fn wait(&mut self) -> Option<i32> {
        let mut child = self.child.take().expect("it runs");
        child.wait().expect("it ends").code()
    }

    /// Rows of a bulletin, as JSON text.
    pub fn bulletin(&self, rates: &str, period: &str) -> String {
        text(&[
            "--config",
            &self.config(),
            "bulletin",
            "--rate",
            rates,
            "--by",
            "department",
            "--period",
            period,
        ])
    }

    /// Sends files of events.
    pub fn send(&self, files: &[&str]) -> Output {
        let to = format!("http://{}", self.gateway);
        let args: Vec<&str> = ["send", "--to", &to].into_iter().chain(files.iter().copied()).collect();
        run(&args)
    }

    /// A request to the gateway.
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, String) {
        request(&self.gateway, method, path, headers, body).expect("the gateway answers")
    }

    /// A question of an auditor.
    pub fn ask(&self, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        request(&self.audit, "GET", path, headers, b"").expect("audit answers")
    }

    /// Posts one event.
    pub fn post(&self, body: &str) -> (u16, String) {
        self.request(
            "POST",
            "/v1/events",
            &[("content-type", "application/cloudevents+json")],
            body.as_bytes(),
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let stopped = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
            if stopped.is_ok() {
                drop(child.wait());
            }
        }
    }
}

/// An address that was free a moment ago, below the ports that the system gives to outgoing connections: between
/// now and its use none of those can take it.
pub fn free_address() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id().wrapping_mul(37);
    loop {
        let nth = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = 12_000 + u16::try_from(nth % 18_000).expect("less than 18,000");
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return listener.local_addr().expect("an address").to_string();
        }
    }
}

pub fn get(address: &str, path: &str) -> Option<(u16, String)> {
    request(address, "GET", path, &[], b"")
}

/// One request over a connection of its own; None if nobody answers.
pub fn request(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.extend(["content-length: ", &body.len().to_string(), "\r\n\r\n"]);
    stream.write_all(head.as_bytes()).ok()?;
    // A server may refuse a long body before it has read it.
    let sent = stream.write_all(body);
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    if answer.is_empty() {
        sent.ok()?;
        read.ok()?;
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    Some((status, body))
}
