//! The built program, as a stranger runs it: started, asked over HTTP, killed, started again.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Client, Method, RequestBuilder};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{Bearer, SECRET_KEY, TestDatabase};

/// How long a start and a stop may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

/// `linli` with arguments on a database, ready to be changed and run.
pub(crate) fn linli(database: &TestDatabase, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_linli"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("LINLI_")) {
        command.env_remove(name);
    }
    command
        .args(arguments)
        .current_dir(database.folder())
        .env("LINLI_DATABASE_URL", database.url())
        .env("LINLI_SECRET_KEY", SECRET_KEY)
        .env("LINLI_DATA_DIR", database.folder())
        .env("LINLI_MIN_FREE_MIB", "0")
        .env("LINLI_BIND", "127.0.0.1:0");
    command
}

/// What a command that ended with `code` printed as its result.
#[track_caller]
pub(crate) fn expect_exit(output: Output, code: i32) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "it said: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// A running `linli serve`; killed when dropped.
pub(crate) struct Process {
    child: Child,
    address: String,
    database: TestDatabase,
    settings: Vec<(String, String)>,
    client: Client,
}

impl Process {
    /// Starts a server on a free port and waits until it is ready.
    pub(crate) async fn serve(database: &TestDatabase) -> Self {
        Self::serve_with(database, &[]).await
    }

    /// The same with more settings.
    pub(crate) async fn serve_with(database: &TestDatabase, settings: &[(&str, &str)]) -> Self {
        linli::cli::install_tls();
        let settings: Vec<_> = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (child, address) = spawn(database, &settings);
        let client = Client::builder().timeout(PATIENCE).no_proxy().build().unwrap();
        let process = Self { child, address, database: database.clone(), settings, client };
        process.wait_until_ready().await;
        process
    }

    async fn wait_until_ready(&self) {
        let began = Instant::now();
        loop {
            match self.get("/readyz").send().await {
                Ok(answer) if answer.status() == 200 => return,
                other => assert!(began.elapsed() < PATIENCE, "never ready: {other:?}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// `http://HOST:PORT`
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.call(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.call(Method::POST, path).json(body)
    }

    pub(crate) fn post_by(&self, who: &(impl Bearer + ?Sized), path: &str, body: &Value) -> RequestBuilder {
        self.post(path, body).bearer_auth(who.token())
    }

    pub(crate) fn call(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.address))
    }

    /// kill -9, and nothing more.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts again what was killed, on the same database.
    pub(crate) async fn restart(&mut self) {
        (self.child, self.address) = spawn(&self.database, &self.settings);
        self.wait_until_ready().await;
    }

    /// SIGTERM, and how it ended.
    pub(crate) async fn stop(mut self) -> ExitStatus {
        let id = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(id, Signal::TERM).unwrap();
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "it does not stop");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address is read from the first line of standard output; standard error is the test's.
fn spawn(database: &TestDatabase, settings: &[(String, String)]) -> (Child, String) {
    let mut child = linli(database, &["serve"])
        .env("LINLI_LOG", "warn")
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on ").map(str::to_owned);
    (child, address.unwrap_or_else(|| panic!("it said {line:?} instead of its address")))
}
