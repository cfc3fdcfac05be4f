//! A private PostgreSQL with its production settings: what is committed is on disk.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A running cluster on a loopback port; stopped and removed when dropped.
pub(crate) struct Cluster {
    dir: tempfile::TempDir,
    port: u16,
}

impl Cluster {
    /// Makes and starts one. As `postgres` when run by root: the server refuses root.
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir_in(super::scratch()).expect("a folder");
        if is_root() {
            assert!(Command::new("chown").arg("postgres").arg(dir.path()).status().expect("chown").success());
        }
        let port = free_port();
        let cluster = Self { dir, port };
        let data = cluster.data();
        run(&cluster.path(), "initdb", &["-D", &data, "-A", "trust", "-U", "linli", "-E", "UTF8", "--locale=C.UTF-8"]);
        cluster.resume();
        run(&cluster.path(), "createdb", &["-h", "127.0.0.1", "-p", &port.to_string(), "-U", "linli", "linli"]);
        cluster
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://linli@127.0.0.1:{}/linli", self.port)
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Starts the server and waits until it answers; recovery after a crash included.
    pub(crate) fn resume(&self) {
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200",
            self.port
        );
        let log = self.dir.path().join("log").display().to_string();
        run(&self.path(), "pg_ctl", &["-D", &self.data(), "-o", &options, "-l", &log, "-w", "-t", "60", "start"]);
    }

    /// kill -9 of every process of the server.
    pub(crate) fn kill(&self) {
        let pid_file = self.dir.path().join("data/postmaster.pid");
        let text = std::fs::read_to_string(&pid_file).expect("a running postmaster");
        let postmaster = text.lines().next().expect("its pid").to_owned();
        // Its children first would make it restart them; so it goes first and they follow by its session.
        let children = Command::new("ps").args(["-o", "pid=", "--ppid", &postmaster]).output().expect("ps").stdout;
        let _ = Command::new("kill").args(["-9", &postmaster]).status();
        for child in String::from_utf8_lossy(&children).split_whitespace() {
            let _ = Command::new("kill").args(["-9", child]).stderr(Stdio::null()).status();
        }
        while Command::new("kill").args(["-0", &postmaster]).stderr(Stdio::null()).status().is_ok_and(|s| s.success()) {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let _ = std::fs::remove_file(pid_file);
    }

    fn data(&self) -> String {
        self.dir.path().join("data").display().to_string()
    }

    fn path(&self) -> PathBuf {
        self.dir.path().to_path_buf()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = command(self.dir.path(), "pg_ctl", &["-D", &self.data(), "-m", "immediate", "-w", "stop"]).output();
    }
}

fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

/// A port nobody listens on just now.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

/// Where the server's programs are: in the newest of Debian's folders, else in the path.
fn program(name: &str) -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|version| version.path().join("bin").join(name))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| PathBuf::from(name))
}

fn command(dir: &Path, name: &str, args: &[&str]) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program(name));
        command
    } else {
        Command::new(program(name))
    };
    command.args(args).current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn run(dir: &Path, name: &str, args: &[&str]) {
    let status = command(dir, name, args).status().unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(status.success(), "{name} {args:?} failed");
}
