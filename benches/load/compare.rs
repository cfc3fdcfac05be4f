//! Floor and service in turns, and the line that comes of it.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::floor::{End, Round, clients, over};
use crate::support::{Answer, Database, Server, figure, number, option};

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
    if !is_asked_for(name) {
        return;
    }
    let (mut floors, mut services) = (Vec::new(), Vec::new());
    let mut cpu = Duration::ZERO;
    for _ in 0..number("--rounds", 3) {
        floors.push(floor().await);
        let before = server_cpu();
        services.push(service().await);
        cpu += server_cpu().saturating_sub(before);
    }
    let (floor, service) = (Round::join(&floors), Round::join(&services));
    figure(&json!({
        "program": "load", "figure": name, "database": database.name(), "clients": number("--clients", 32),
        "floor": floor.per_second().round(), "service": service.per_second().round(),
        "ratio": (service.per_second() / floor.per_second() * 100.0).round() / 100.0,
        "server_cpu_us": (cpu.as_secs_f64() * 1e6 / (service.done + service.refused).max(1) as f64).round(),
        "p50_ms": service.percentile(0.5), "p99_ms": service.percentile(0.99),
        "floor_p50_ms": floor.percentile(0.5), "floor_p99_ms": floor.percentile(0.99),
        "done": service.done, "refused": service.refused, "failed": service.failed, "floor_failed": floor.failed,
    }));
}

/// Whether `--only` names this figure, or is not there. A step of a claim needs those before it.
pub(crate) fn is_asked_for(name: &str) -> bool {
    option("--only").is_none_or(|only| only.split(',').any(|asked| asked == name))
}

/// The server that was started last.
static SERVER: AtomicU32 = AtomicU32::new(0);

/// The processor's time that the server has used so far: unlike a rate, the same on a busy machine.
fn server_cpu() -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", SERVER.load(Ordering::Relaxed))).unwrap_or_default();
    // Behind the name in parentheses; fields 14 and 15 of the whole line, in hundredths of a second.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
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
    SERVER.store(server.pid(), Ordering::Relaxed);
    figure(&json!({"program": "load", "figure": "start", "database": database.name(), "seconds": seconds}));
    server
}
