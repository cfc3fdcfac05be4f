//! A PostgreSQL cluster that belongs to this test process: made on first use, stopped and removed when the process ends,
//! however it ends.
//!
//! The removal is a watchdog's: a shell that waits for the end of a pipe whose other end is held by this process, and by
//! nobody else. A panic, an exit and a kill -9 all close it.

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Once};

use super::say;

/// A server where tests may make schemas.
pub(crate) struct Cluster {
    url: String,
    /// With its end of the pipe, which is open as long as this process lives.
    _watchdog: Option<Child>,
}

/// `Err` says what is missing.
static CLUSTER: LazyLock<Result<Cluster, String>> = LazyLock::new(|| match std::env::var("LINLI_TEST_DATABASE_URL") {
    Ok(url) if !url.is_empty() => Ok(Cluster { url, _watchdog: None }),
    _ => Cluster::start(),
});

/// The server's URL; `None`, said loudly, where this machine has none and need not have one.
///
/// # Panics
/// Where it has none under `CI=true`, or where it has one that does not start.
pub(super) fn url() -> Option<&'static str> {
    static SAID: Once = Once::new();
    match &*CLUSTER {
        Ok(cluster) => Some(&cluster.url),
        Err(missing) => {
            let words = format!(
                "\n*** {missing}\n*** The tests on PostgreSQL DO NOT RUN. Install PostgreSQL 15 or later (Debian: apt-get install \
                 postgresql),\n*** or set LINLI_TEST_DATABASE_URL to a database where schemas and extensions may be created.\n"
            );
            assert!(!std::env::var("CI").is_ok_and(|ci| ci == "true"), "{words}");
            SAID.call_once(|| say(&words));
            say("*** not run, for want of PostgreSQL:\n");
            None
        }
    }
}

impl Cluster {
    fn start() -> Result<Self, String> {
        let programs = Programs::find()?;
        let folder = make_folder(&programs);
        let watchdog = watch(&programs, &folder);
        let data = folder.join("data");
        programs.run("initdb", |command| {
            command.arg("-D").arg(&data).args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]);
        });
        let port = start_server(&programs, &folder, &data);
        Ok(Self { url: format!("postgres://postgres@127.0.0.1:{port}/postgres"), _watchdog: Some(watchdog) })
    }
}

/// Another process may take the free port first, so that a few are tried.
fn start_server(programs: &Programs, folder: &Path, data: &Path) -> u16 {
    let log = folder.join("log");
    for _ in 0..5 {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        // Nothing here survives a crash, and need not.
        let options = format!(
            "-h 127.0.0.1 -p {port} -k {} -F -c full_page_writes=off -c synchronous_commit=off -c autovacuum=off \
             -c max_connections=400 -c max_locks_per_transaction=256 -c shared_buffers=64MB -c jit=off \
             -c max_wal_size=4GB -c max_prepared_transactions=0",
            folder.display()
        );
        let started = programs
            .command("pg_ctl")
            .arg("-D")
            .arg(data)
            .arg("-l")
            .arg(&log)
            .args(["-w", "-t", "60", "-o", &options, "start"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        if started.success() {
            return port;
        }
    }
    let mut said = String::new();
    let _ = fs::File::open(&log).map(|mut log| log.read_to_string(&mut said));
    panic!("PostgreSQL does not start: {said}");
}

/// The server's programs, and the user they run as: they refuse to be run by root.
struct Programs {
    bin: PathBuf,
    user: Option<User>,
}

/// An account of the machine and its group, as numbers.
struct User {
    uid: String,
    gid: String,
}

impl Programs {
    fn find() -> Result<Self, String> {
        let bin = in_path().or_else(in_debian).ok_or("PostgreSQL's programs (initdb, pg_ctl) were not found.")?;
        let is_root = rustix::process::geteuid().is_root();
        let user = if is_root { Some(some_user()?) } else { None };
        Ok(Self { bin, user })
    }

    fn command(&self, program: &str) -> Command {
        let path = self.bin.join(program);
        let mut command = match &self.user {
            Some(user) => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", &user.uid, "--regid", &user.gid, "--clear-groups", "--"]).arg(path);
                command
            }
            None => Command::new(path),
        };
        command.current_dir("/").env_remove("PGDATA").env_remove("PGPORT").env_remove("PGHOST");
        command
    }

    fn run(&self, program: &str, arguments: impl FnOnce(&mut Command)) {
        let mut command = self.command(program);
        arguments(&mut command);
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

fn in_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).find(|folder| folder.join("initdb").is_file())?;
    // A link leads to where the other programs are.
    fs::canonicalize(found.join("initdb")).ok()?.parent().map(Path::to_owned)
}

/// Debian keeps them out of PATH; the newest version is taken.
fn in_debian() -> Option<PathBuf> {
    fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").is_file() && bin.join("pg_ctl").is_file())
        .max_by_key(|bin| {
            let version = bin.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
            version.and_then(|version| version.parse::<u32>().ok())
        })
}

fn some_user() -> Result<User, String> {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let find = |name: &str| {
        let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let fields = fields.into_iter().find(|fields| fields.first() == Some(&name) && fields.len() > 3)?;
        Some(User { uid: fields[2].to_owned(), gid: fields[3].to_owned() })
    };
    let missing = "There is neither a user postgres nor nobody to run PostgreSQL as.";
    find("postgres").or_else(|| find("nobody")).ok_or_else(|| missing.to_owned())
}

fn make_folder(programs: &Programs) -> PathBuf {
    let folder = tempfile::Builder::new().prefix("linli-pg-").tempdir().unwrap().keep();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    if let Some(user) = &programs.user {
        let owned = Command::new("chown").arg(format!("{}:{}", user.uid, user.gid)).arg(&folder).status().unwrap();
        assert!(owned.success());
    }
    folder
}

/// Started before there is anything to remove, so that nothing is ever left behind.
fn watch(programs: &Programs, folder: &Path) -> Child {
    const SCRIPT: &str = r#"
        trap '' INT TERM HUP
        read _
        folder=$1; shift
        "$@" -D "$folder/data" -m immediate -w -t 20 stop
        rm -rf "$folder"
    "#;
    let stop = programs.command("pg_ctl");
    Command::new("sh")
        .args(["-c", SCRIPT, "watchdog"])
        .arg(folder)
        .arg(stop.get_program())
        .args(stop.get_args())
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}
