//! A `linli serve` of its own process, to be asked, killed and started again.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Place, binary, postgres::free_port};

pub(crate) struct Server {
    child: Child,
    pub(crate) base: String,
    pub(crate) port: u16,
}

impl Server {
    /// Starts a server on a free port and waits until it is ready.
    pub(crate) async fn start(place: &Place) -> Self {
        Self::start_on(place, free_port()).await
    }

    /// Starts a server on `port` and waits until it is ready, at most 30 s.
    pub(crate) async fn start_on(place: &Place, port: u16) -> Self {
        let child = Command::new(binary())
            .args(["serve", "--migrate"])
            .env_remove("LINLI_BENCH_DIR")
            .envs(place.env())
            .env("LINLI_BIND", format!("127.0.0.1:{port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("linli serve starts");
        let server = Self { child, base: format!("http://127.0.0.1:{port}"), port };
        server.ready().await;
        server
    }

    /// Waits until `/readyz` says yes; how long that took.
    pub(crate) async fn ready(&self) -> Duration {
        let client = super::client();
        let start = Instant::now();
        loop {
            if let Ok(answer) = client.get(format!("{}/readyz", self.base)).send().await
                && answer.status().is_success()
            {
                return start.elapsed();
            }
            assert!(start.elapsed() < Duration::from_secs(30), "the server is not ready after 30 s");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/api/v1{path}", self.base)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory of the process, MiB; its highest mark with `VmHWM`.
    pub(crate) fn memory_mib(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap_or_default();
        let kib: u64 = line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
        kib / 1024
    }

    /// kill -9, and the end of it awaited.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
