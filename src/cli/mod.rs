//! The command line: one file per command.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage (which settings are part of). Results go to standard output, everything else
//! to standard error.

mod assign;
mod demo;
mod export;
mod import;
mod instance;
mod migrate;
mod openapi;
mod serve;
mod simulate;
mod staff;
mod token;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use secrecy::ExposeSecret as _;

use crate::app::AppState;
use crate::clock::{self, Clock};
use crate::config::{Config, ConfigError};
use crate::db::{Db, DbOptions};

/// linli (邻里): the service behind a district's volunteer points programme.
#[derive(Parser)]
#[command(name = "linli", version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// One line per command, in the order of the help.
#[derive(Subcommand)]
enum Command {
    Demo(demo::Args),
    Serve(serve::Args),
    Migrate(migrate::Args),
    Import(import::Args),
    Export(export::Args),
    Assign(assign::Args),
    Simulate(simulate::Args),
    Staff(staff::Args),
    Token(token::Args),
    Verify(verify::Args),
    Openapi(openapi::Args),
}

impl Command {
    async fn run(self) -> Result<(), CliError> {
        match self {
            Self::Demo(args) => demo::run(args).await,
            Self::Serve(args) => serve::run(args).await,
            Self::Migrate(args) => migrate::run(args).await,
            Self::Import(args) => import::run(args).await,
            Self::Export(args) => export::run(args).await,
            Self::Assign(args) => assign::run(&args),
            Self::Simulate(args) => simulate::run(&args),
            Self::Staff(args) => staff::run(args).await,
            Self::Token(args) => token::run(args).await,
            Self::Verify(args) => verify::run(args).await,
            Self::Openapi(args) => openapi::run(&args),
        }
    }
}

/// Why a command did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// What was given cannot be: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// It could have been done but was not: exit code 1.
    #[error("{0:#}")]
    Failed(anyhow::Error),
}

impl CliError {
    /// A failure in one's own words.
    pub fn failed(reason: impl Into<String>) -> Self {
        Self::Failed(anyhow::Error::msg(reason.into()))
    }

    fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
        }
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<anyhow::Error> for CliError {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<sea_orm::DbErr> for CliError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Failed(anyhow::Error::new(error).context("the database refused"))
    }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// Reads the arguments of the process and does what they say. Clap itself ends the process with 2 on wrong usage.
pub async fn run() -> ExitCode {
    match Cli::parse().command.run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("linli: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

/// The first thing most commands do: settings, log, TLS provider.
///
/// # Errors
/// [`CliError::Usage`] for settings that cannot be.
pub(crate) fn configure() -> Result<Config, CliError> {
    let config = Config::load()?;
    start_log(&config);
    install_tls();
    Ok(config)
}

/// What others say at every start, and nobody reads; the setting may bring it back.
const QUIET: &str = "sea_orm_migration=warn,actix_server=warn";

/// One JSON line per event on standard error. A second call changes nothing.
fn start_log(config: &Config) {
    let filter = tracing_subscriber::EnvFilter::new(format!("{QUIET},{}", config.log));
    // Fails only where a log is running already.
    let _ = tracing_subscriber::fmt()
        .json()
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
}

/// HTTP clients take the process's TLS provider. A second call changes nothing.
pub fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The database, connected to and not looked into.
///
/// # Errors
/// [`CliError::Failed`] where it does not answer.
pub(crate) async fn connect(config: &Config) -> Result<Db, CliError> {
    // Readers on SQLite, all connections on PostgreSQL: beyond a few per core they only wait for each other.
    let cores = std::thread::available_parallelism().map_or(4, usize::from);
    let max_connections = u32::try_from(cores * 4).unwrap_or(32).clamp(8, 32);
    let url = config.database_url.expose_secret().to_owned();
    Ok(Db::connect(&DbOptions { url, min_free_mib: config.min_free_mib, max_connections }).await?)
}

/// Whether a command may bring the schema up to date by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Migrate {
    /// On SQLite only, where the file belongs to this program alone.
    Sqlite,
    Always,
}

/// Everything that works on an instance begins here: keys, database, schema, clock.
///
/// # Errors
/// [`CliError::Usage`] for settings that cannot be, [`CliError::Failed`] where the database does not answer or, on
/// PostgreSQL, lacks migrations and may not be given them.
pub(crate) async fn open(config: Config, migrate: Migrate) -> Result<AppState, CliError> {
    let keys = config.secret_key.keys()?;
    let db = connect(&config).await?;
    if migrate == Migrate::Always || config.sqlite_path().is_some() {
        db.migrate().await?;
    }
    let pending = db.pending_migrations().await?;
    if pending > 0 {
        let reason =
            format!("the database lacks {pending} migrations: run `linli migrate`, or `linli serve --migrate`");
        return Err(CliError::failed(reason));
    }
    let clock = Clock::system();
    clock::measure_offset(&clock, &db).await?;
    instance::check_key(&db, &keys, clock.now()).await?;
    Ok(AppState::new(config, keys, db, clock))
}
