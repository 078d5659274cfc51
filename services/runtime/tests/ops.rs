//! The ops server over a real socket.

use std::net::{Ipv4Addr, SocketAddr};

use hotline_runtime::config::OpsConfig;
use hotline_runtime::logging::LogHandle;
use hotline_runtime::metrics;
use hotline_runtime::ops::{OpsServer, Readiness};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::layer::SubscriberExt as _;

async fn ask(address: SocketAddr, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: ops\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn anywhere() -> OpsConfig {
    OpsConfig { listen: (Ipv4Addr::LOCALHOST, 0).into(), ..OpsConfig::default() }
}

#[tokio::test]
async fn without_metrics_there_is_no_page_of_them() {
    let (log, _layer) = LogHandle::detached();
    let server = OpsServer::bind(&anywhere(), Readiness::default(), None, log).await.unwrap();
    let (address, stop) = (server.address(), CancellationToken::new());
    let serving = tokio::spawn(server.serve(stop.clone()));

    assert_eq!(ask(address, "GET", "/metrics", "").await.0, 404);
    assert_eq!(ask(address, "GET", "/livez", "").await.0, 200);

    stop.cancel();
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn health_metrics_and_the_log_filter_are_served() {
    let readiness = Readiness::default();
    let database = readiness.condition("database");
    let (log, layer) = LogHandle::detached();
    // The filter lives as long as its subscriber.
    let _subscriber = tracing_subscriber::registry().with(layer);
    let server = OpsServer::bind(&anywhere(), readiness, Some(metrics::detached()), log).await.unwrap();
    let address = server.address();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(server.serve(stop.clone()));

    assert_eq!(ask(address, "GET", "/livez", "").await.0, 200);
    let unready = ask(address, "GET", "/readyz", "").await;
    assert_eq!(unready, (503, r#"{"ready":false,"conditions":{"database":false}}"#.to_owned()));
    database.set(true);
    assert_eq!(ask(address, "GET", "/readyz", "").await.0, 200);
    assert_eq!(ask(address, "GET", "/metrics", "").await.0, 200);

    assert_eq!(ask(address, "PUT", "/log-filter", "hotline=debug,warn").await.0, 204);
    let filter = ask(address, "GET", "/log-filter", "").await.1;
    assert!(filter.contains("hotline=debug"), "{filter}");
    assert_eq!(ask(address, "PUT", "/log-filter", "hotline=loud").await.0, 400);
    assert_eq!(ask(address, "PUT", "/log-filter", &"x".repeat(5_000)).await.0, 413);

    stop.cancel();
    serving.await.unwrap().unwrap();
}
