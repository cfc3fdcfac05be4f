//! What only a socket shows: broken requests, large ones, and what the log keeps of them (S-25, S-27).

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::support::{Backend, TestDatabase, linli};

struct Server {
    child: Child,
    address: String,
    log: std::path::PathBuf,
}

impl Server {
    /// A server whose log goes into a file.
    fn start(database: &TestDatabase) -> Self {
        let log = database.folder().join("log");
        let mut child = linli(database, &["serve"])
            .env("LINLI_LOG", "info")
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap().to_owned();
        Self { child, address, log }
    }

    /// Sends bytes as they are; what comes back until the server closes or has answered.
    fn send(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // A server that has heard enough may stop listening.
        let _ = stream.write_all(request);
        let mut answer = Vec::new();
        let mut part = [0; 4096];
        while let Ok(size @ 1..) = stream.read(&mut part) {
            answer.extend_from_slice(&part[..size]);
            if answer.ends_with(b"}") || answer.ends_with(b"\r\n\r\n") {
                break;
            }
        }
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[actix_web::test]
async fn broken_and_large_requests_are_answered_and_leave_nothing_personal_in_the_log() {
    let database = TestDatabase::migrated(Backend::Sqlite).await.unwrap();
    let server = Server::start(&database);
    let head = "Host: x\r\nConnection: close\r\n";
    let status = |request: &[u8]| server.send(request).split(' ').nth(1).unwrap_or_default().to_owned();

    assert_eq!(status(format!("GET /a b HTTP/1.1\r\n{head}\r\n").as_bytes()), "400");
    assert_eq!(status(format!("GET /healthz HTTP/1.1\r\n{head}X: {}\r\n\r\n", "a".repeat(200_000)).as_bytes()), "431");
    assert_eq!(status(format!("GET /?{} HTTP/1.1\r\n{head}\r\n", "a=1&".repeat(10_000)).as_bytes()), "404");
    assert_eq!(
        status(b"POST /readyz HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        "400"
    );
    let large =
        [b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 10485760\r\n\r\n".as_slice(), &vec![b'x'; 10_485_760]]
            .concat();
    assert_eq!(status(&large), "405");

    // Canaries at every place of a request, with a try to begin a line of their own.
    let canaries = "canary-name 13812345678 canary\u{1b}[31m";
    let request = format!(
        "POST /canary/13812345678%0d%0acanary?phone=13812345678 HTTP/1.1\r\n{head}Authorization: Bearer canary-token\r\n\
         User-Agent: canary-agent\r\nX-Forwarded-For: 13.81.234.56\r\nX-Request-Id: {}\r\nCookie: canary=1\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{canaries}",
        "c".repeat(65),
        canaries.len()
    );
    let answer = server.send(request.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    let id = answer.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap().to_owned();
    assert!(server.send(format!("HEAD /healthz HTTP/1.1\r\n{head}\r\n").as_bytes()).ends_with("\r\n\r\n"));

    let log = fs::read_to_string(&server.log).unwrap();
    for line in log.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(event["timestamp"].is_string() && event["level"].is_string(), "{line}");
    }
    assert!(log.lines().any(|line| line.contains(&id) && line.contains("404")), "{log}");
    for found in ["canary", "13812345678", "13.81", "cccc", "\u{1b}"] {
        assert!(!log.contains(found), "{found:?} is in the log");
    }
}
