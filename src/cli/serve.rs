//! `linli serve`

use std::time::Duration;

use actix_web::HttpServer;
use actix_web::dev::ServerHandle;
use tokio::signal::unix::{SignalKind, signal};

use super::{CliError, Migrate, configure, open};
use crate::app::{AppState, app, metrics_recorder};
use crate::{clock, jobs};

/// How long running requests may take to end after the signal to stop.
const STOP_SECONDS: u64 = 30;
/// A client has this long for its header, and may be idle for so long between two requests.
const HEADER: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_mins(1);
/// How often the clock is compared with the database's.
const COMPARE: Duration = Duration::from_secs(30);

/// Run the server
#[derive(clap::Args)]
pub(super) struct Args {
    /// Bring the schema up to date first (SQLite does so always)
    #[arg(long)]
    migrate: bool,
}

pub(super) async fn run(args: Args) -> Result<(), CliError> {
    let config = configure()?;
    let state = open(config, if args.migrate { Migrate::Always } else { Migrate::Sqlite }).await?;
    serve(state, |address| println!("listening on {address}")).await
}

/// Serves until SIGTERM or SIGINT, then lets running requests and jobs end. `ready` is told each address once it is bound.
///
/// # Errors
/// The address cannot be bound, or the server broke.
pub(crate) async fn serve(state: AppState, ready: impl Fn(&str)) -> Result<(), CliError> {
    let shared = state.clone();
    let server = HttpServer::new(move || app(shared.clone()))
        .client_request_timeout(HEADER)
        .keep_alive(IDLE)
        .shutdown_timeout(STOP_SECONDS)
        .disable_signals()
        .bind(&state.config.bind)
        .map_err(|error| CliError::failed(format!("cannot listen on {}: {error}", state.config.bind)))?;
    for address in server.addrs() {
        tracing::info!(%address, "listening");
        ready(&format!("http://{address}"));
    }
    let server = server.run();
    let stopping = actix_web::rt::spawn(stop_on_signal(server.handle())?);
    let comparing = actix_web::rt::spawn(follow_clock(state.clone()));
    let warming = actix_web::rt::spawn(warm(state.clone()));
    let jobs = jobs::start(&state, jobs::JOBS);
    let outcome = server.await;
    jobs.stop().await;
    comparing.abort();
    warming.abort();
    // What it held is given back while there is a runtime to take it.
    let _ = warming.await;
    stopping.abort();
    tracing::info!("stopped");
    Ok(outcome?)
}

/// Makes ready what a first caller would wait for.
async fn warm(state: AppState) {
    crate::taxonomy::warm(state.clone()).await;
    state.matching.warm(&state.db).await;
}

/// The first signal stops gracefully, the second at once.
fn stop_on_signal(server: ServerHandle) -> Result<impl Future<Output = ()>, CliError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        for graceful in [true, false] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!(graceful, "stopping");
            // Stopping begins at the call; its end is the server's own.
            drop(server.stop(graceful));
        }
    })
}

/// Keeps the clock at the database's; a database that does not answer leaves the offset as it is.
async fn follow_clock(state: AppState) {
    loop {
        tokio::time::sleep(COMPARE).await;
        if clock::measure_offset(&state.clock, &state.db).await.is_err() {
            tracing::warn!("the database's clock could not be read");
        }
        if let Some(recorder) = metrics_recorder() {
            recorder.run_upkeep();
        }
    }
}
