//! Signals and exit codes, on a process of its own: this test program, started again as a child.

use std::convert::Infallible;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use hotline_runtime::lifecycle::Lifecycle;
use hotline_runtime::ops::Readiness;

const ROLE: &str = "HOTLINE_TEST_CHILD";

/// Does nothing by itself: the tests below start it with a role.
#[test]
fn child() {
    let Some(role) = std::env::var_os(ROLE) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let code = runtime.block_on(async {
        let mut lifecycle = Lifecycle::new(&Readiness::default()).unwrap();
        let stop = lifecycle.token();
        match role.to_str().unwrap() {
            "polite" => lifecycle.spawn("polite", async move {
                stop.cancelled().await;
                println!("left");
                Ok::<_, Infallible>(())
            }),
            "stubborn" => lifecycle.spawn("stubborn", std::future::pending::<Result<(), Infallible>>()),
            "failing" => lifecycle.spawn("failing", async { Err("no") }),
            "panicking" => {
                lifecycle.spawn("panicking", async { panic!("planted") as Result<(), Infallible> });
            }
            other => panic!("no such role: {other}"),
        }
        let support = lifecycle.support_token();
        lifecycle.spawn_support("support", async move {
            support.cancelled().await;
            println!("support left");
            Ok::<_, Infallible>(())
        });
        println!("ready");
        lifecycle.run().await
    });
    runtime.shutdown_background();
    std::process::exit(code.into());
}

struct Process {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Process {
    fn start(role: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture"])
            .env(ROLE, role)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut process = Self { child, output };
        process.read_until("ready");
        process
    }

    fn read_until(&mut self, wanted: &str) {
        let mut line = String::new();
        while self.output.read_line(&mut line).unwrap() > 0 {
            if line.trim_end().ends_with(wanted) {
                return;
            }
            line.clear();
        }
        panic!("the child ended without saying \"{wanted}\"");
    }

    fn signal(&self, signal: &str) {
        assert!(
            Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success()
        );
    }

    fn exit_code(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

#[test]
fn the_first_signal_lets_components_leave_and_supports_after_them() {
    for signal in ["-TERM", "-INT"] {
        let mut process = Process::start("polite");
        process.signal(signal);
        process.read_until("left");
        process.read_until("support left");
        assert_eq!(process.exit_code(), Some(0), "{signal}");
    }
}

#[test]
fn a_second_signal_aborts() {
    let process = Process::start("stubborn");
    process.signal("-TERM");
    process.signal("-INT");
    assert_eq!(process.exit_code(), Some(1));
}

#[test]
fn a_component_that_fails_or_panics_ends_the_process_with_1() {
    for role in ["failing", "panicking"] {
        assert_eq!(Process::start(role).exit_code(), Some(1), "{role}");
    }
}
