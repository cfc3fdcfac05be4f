//! What the programs in `benches/` share: a private PostgreSQL, servers to start and kill, a data set, a client, JSON lines.

#![allow(dead_code, unused_imports, reason = "each program uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a program that measures ends loudly"
)]

pub(crate) mod postgres;
pub(crate) mod server;
pub(crate) mod set;
pub(crate) mod wire;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

pub(crate) use postgres::Cluster;
pub(crate) use server::Server;

/// Which database a program runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

impl Database {
    /// Both, or the one named by `--database sqlite|postgres`.
    pub(crate) fn chosen() -> Vec<Self> {
        match option("--database").as_deref() {
            None => vec![Self::Sqlite, Self::Postgres],
            Some("sqlite") => vec![Self::Sqlite],
            Some("postgres") => vec![Self::Postgres],
            Some(other) => panic!("--database is sqlite or postgres, not {other}"),
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// The value after `name` on the command line.
pub(crate) fn option(name: &str) -> Option<String> {
    let mut words = std::env::args();
    words.find(|word| word == name)?;
    words.next()
}

/// The number after `name`, or `default`.
pub(crate) fn number(name: &str, default: usize) -> usize {
    option(name).map_or(default, |text| text.parse().expect("a number"))
}

/// One figure, one line.
pub(crate) fn figure(line: &Value) {
    println!("{line}");
}

/// A place for one run: a folder, and the database's URL in it or on the cluster.
pub(crate) struct Place {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) url: String,
    pub(crate) cluster: Option<Cluster>,
    /// Base64 of 32 bytes; for this run only.
    pub(crate) secret: String,
}

impl Place {
    pub(crate) fn new(database: Database) -> Self {
        let dir = tempfile::tempdir_in(scratch()).expect("a folder");
        let cluster = (database == Database::Postgres).then(Cluster::start);
        let url = match &cluster {
            None => format!("sqlite://{}", dir.path().join("linli.db").display()),
            Some(cluster) => cluster.url(),
        };
        Self { dir, url, cluster, secret: "c3Rvcm0tYW5kLWNyYXNoLXNlY3JldC1mb3ItYmVuY2g=".to_owned() }
    }

    /// The settings every process of this run gets.
    pub(crate) fn env(&self) -> Vec<(String, String)> {
        vec![
            ("LINLI_DATABASE_URL".to_owned(), self.url.clone()),
            ("LINLI_SECRET_KEY".to_owned(), self.secret.clone()),
            ("LINLI_DATA_DIR".to_owned(), self.dir.path().display().to_string()),
            ("LINLI_LOG".to_owned(), option("--log").unwrap_or_else(|| "error".to_owned())),
        ]
    }

    /// Runs `linli` with `args`, `stdin` as its input; its standard output, or a loud end.
    pub(crate) fn linli(&self, args: &[&str], stdin: &str) -> String {
        let (code, output) = self.try_linli(args, stdin);
        assert_eq!(code, 0, "linli {args:?} ended with {code}: {output}");
        output
    }

    /// Exit code and standard output of `linli` with `args`.
    pub(crate) fn try_linli(&self, args: &[&str], stdin: &str) -> (i32, String) {
        use std::io::Write;
        use std::process::{Command, Stdio};
        let mut child = Command::new(binary())
            .args(args)
            .env_remove("LINLI_BENCH_DIR")
            .envs(self.env())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("linli starts");
        child.stdin.take().expect("stdin").write_all(stdin.as_bytes()).expect("stdin is read");
        let output = child.wait_with_output().expect("linli ends");
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Whether `linli verify` finds every invariant kept; what it printed otherwise.
    pub(crate) fn verified(&self) -> Result<(), String> {
        match self.try_linli(&["verify"], "") {
            (0, _) => Ok(()),
            (code, output) => Err(format!("verify ended with {code}: {output}")),
        }
    }

    /// `ref token` lines of `linli token …`, split.
    pub(crate) fn tokens(&self, args: &[&str]) -> Vec<(String, String)> {
        let lines = self.linli(args, "");
        lines
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(name, token)| (name.to_owned(), token.to_owned()))
            .collect()
    }

    /// A staff account of `role` over `region` and a token for it.
    pub(crate) fn staff(&self, name: &str, role: &str, region: &str) -> String {
        self.linli(
            &["staff", "add", name, "--role", role, "--region", region, "--password-stdin"],
            "correct horse battery 9\n",
        );
        self.tokens(&["token", "staff", name]).remove(0).1
    }
}

/// The program under test: built in the same profile as this one, or the one given by `--binary`.
pub(crate) fn binary() -> PathBuf {
    option("--binary").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_linli")), PathBuf::from)
}

/// Where runs keep their files: `BENCH_DIR` on a real disk, else the system's temporary folder.
pub(crate) fn scratch() -> PathBuf {
    std::env::var_os("BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from)
}

/// A client that keeps its connections and gives up after ten seconds.
pub(crate) fn client() -> reqwest::Client {
    // Plain HTTP on loopback; the provider only has to be there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().timeout(Duration::from_secs(10)).pool_max_idle_per_host(512).build().expect("a client")
}

/// An answer as it came: status, body, whether it was a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    pub(crate) replayed: bool,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The problem's code, or an empty string.
    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// POST with a key; `None` where no answer came (the connection broke or time ran out).
pub(crate) async fn post(client: &reqwest::Client, url: &str, token: &str, key: &str, body: &Value) -> Option<Answer> {
    let request = client.post(url).bearer_auth(token).header("Idempotency-Key", key).json(body);
    let response = request.send().await.ok()?;
    let status = response.status().as_u16();
    let replayed = response.headers().contains_key("idempotency-replayed");
    let body = response.bytes().await.ok()?.to_vec();
    Some(Answer { status, body, replayed })
}

/// GET; `None` where no answer came.
pub(crate) async fn get(client: &reqwest::Client, url: &str, token: &str) -> Option<Answer> {
    let response = client.get(url).bearer_auth(token).send().await.ok()?;
    let status = response.status().as_u16();
    let body = response.bytes().await.ok()?.to_vec();
    Some(Answer { status, body, replayed: false })
}

/// A small generator of numbers, the same for the same seed (xorshift64*).
#[derive(Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) const fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number from 0 up to, not including, `bound`.
    #[allow(clippy::cast_possible_truncation, reason = "any bits of it will do")]
    pub(crate) const fn below(&mut self, bound: usize) -> usize {
        (self.roll() as usize) % bound
    }
}
