//! Floor and service in turns, and the line that comes of it.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use serde_json::json;

use crate::floor::{End, Round, clients, over};
use crate::support::{Answer, Database, Server, figure, number};

/// How an answer counts: `good`, a refusal with its name, or a failure.
pub(crate) fn end(answer: Option<&Answer>, good: u16) -> End {
    match answer {
        Some(answer) if answer.status == good => End::Done,
        Some(answer) if answer.status == 409 => End::Refused,
        other => {
            eprintln!("{other:?}");
            End::Failed
        }
    }
}

/// All clients calling for `--seconds`.
pub(crate) async fn round<F, R>(counter: &Arc<AtomicU64>, call: F) -> Round
where
    F: Fn(u64) -> R + Clone + Send + 'static,
    R: Future<Output = End> + Send,
{
    clients(number("--clients", 32), Duration::from_secs(number("--seconds", 4) as u64), counter, call).await
}

/// All clients working through `items`, each once.
pub(crate) async fn work_off<F, R>(items: Range<u64>, call: F) -> Round
where
    F: Fn(u64) -> R + Clone + Send + 'static,
    R: Future<Output = End> + Send,
{
    over(number("--clients", 32), items, call).await
}

/// Floor and service in turn; one line.
pub(crate) async fn compare(
    database: Database,
    name: &str,
    mut floor: impl AsyncFnMut() -> Round,
    mut service: impl AsyncFnMut() -> Round,
) {
    let (mut floors, mut services) = (Vec::new(), Vec::new());
    for _ in 0..number("--rounds", 3) {
        floors.push(floor().await);
        services.push(service().await);
    }
    let (floor, service) = (Round::join(&floors), Round::join(&services));
    figure(&json!({
        "program": "load", "figure": name, "database": database.name(), "clients": number("--clients", 32),
        "floor": floor.per_second().round(), "service": service.per_second().round(),
        "ratio": (service.per_second() / floor.per_second() * 100.0).round() / 100.0,
        "p50_ms": service.percentile(0.5), "p99_ms": service.percentile(0.99),
        "floor_p50_ms": floor.percentile(0.5), "floor_p99_ms": floor.percentile(0.99),
        "done": service.done, "refused": service.refused, "failed": service.failed, "floor_failed": floor.failed,
    }));
}

/// What the server's process holds in memory.
pub(crate) fn memory(server: &Server, database: Database, name: &str) {
    figure(&json!({"program": "load", "figure": name, "database": database.name(),
        "mib": server.memory_mib("VmRSS"), "highest_mib": server.memory_mib("VmHWM")}));
}

/// Starts a server; the line says how long it took to answer.
pub(crate) async fn start(place: &crate::support::Place, database: Database) -> Server {
    let started = std::time::Instant::now();
    let server = Server::start(place).await;
    let seconds = started.elapsed().as_secs_f64();
    figure(&json!({"program": "load", "figure": "start", "database": database.name(), "seconds": seconds}));
    server
}
