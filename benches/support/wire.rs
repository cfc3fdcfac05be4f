//! A client as light as can be, for programs that measure: it shares the machine with what it measures.
//!
//! HTTP/1.1 over connections that are kept; answers with a `Content-Length`, which is all that the service sends here.

use std::net::SocketAddr;
use std::sync::Mutex;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Answer;

/// Connections to one server.
pub(crate) struct Wire {
    address: SocketAddr,
    idle: Mutex<Vec<TcpStream>>,
}

impl Wire {
    pub(crate) fn new(port: u16) -> Self {
        Self { address: SocketAddr::from(([127, 0, 0, 1], port)), idle: Mutex::default() }
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Option<Answer> {
        self.ask(format!("GET {path} HTTP/1.1\r\nHost: linli\r\nAuthorization: Bearer {token}\r\n\r\n")).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, key: &str, body: &str) -> Option<Answer> {
        let length = body.len();
        self.ask(format!(
            "POST {path} HTTP/1.1\r\nHost: linli\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: {key}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
        .await
    }

    /// `None` where the connection broke.
    async fn ask(&self, request: String) -> Option<Answer> {
        let idle = self.idle.lock().expect("the pool").pop();
        let mut stream = match idle {
            Some(stream) => stream,
            None => self.connect().await?,
        };
        stream.write_all(request.as_bytes()).await.ok()?;
        let answer = read(&mut stream).await?;
        self.idle.lock().expect("the pool").push(stream);
        Some(answer)
    }

    async fn connect(&self) -> Option<TcpStream> {
        let stream = TcpStream::connect(self.address).await.ok()?;
        stream.set_nodelay(true).ok()?;
        Some(stream)
    }
}

async fn read(stream: &mut TcpStream) -> Option<Answer> {
    let mut bytes = Vec::with_capacity(4096);
    let (head, length) = loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            let length =
                head.lines().find_map(|line| line.strip_prefix("content-length: "))?.trim().parse::<usize>().ok()?;
            break (head, length);
        }
    };
    let start = head.len() + 4;
    while bytes.len() < start + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, body: bytes[start..].to_vec(), replayed: head.contains("idempotency-replayed") })
}
