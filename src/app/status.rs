//! What machines ask about this node: is it alive, can it serve, and in which figures.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::Next;
use actix_web::{HttpResponse, web};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::json;

use super::State;

/// A probe waits no longer than this for the database.
const PATIENCE: Duration = Duration::from_secs(3);
const RETRY_AFTER: (&str, &str) = ("Retry-After", "5");

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/healthz").route(web::get().to(healthz)))
        .service(web::resource("/readyz").route(web::get().to(readyz)))
        .service(web::resource("/metrics").route(web::get().to(metrics)));
}

/// The process answers.
async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// The database answers and has every migration.
async fn readyz(state: State) -> HttpResponse {
    let refused = |reason: &str| {
        HttpResponse::ServiceUnavailable()
            .insert_header(RETRY_AFTER)
            .json(json!({ "status": "unavailable", "reason": reason }))
    };
    match tokio::time::timeout(PATIENCE, state.db.pending_migrations()).await {
        Ok(Ok(0)) => HttpResponse::Ok().json(json!({ "status": "ok" })),
        Ok(Ok(_)) => refused("migrations"),
        Ok(Err(_)) | Err(_) => refused("database"),
    }
}

async fn metrics() -> HttpResponse {
    let text = metrics_recorder().map(PrometheusHandle::render).unwrap_or_default();
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")).body(text)
}

/// The process's recorder, installed at the first call; `None` where another one was installed before.
pub fn metrics_recorder() -> Option<&'static PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
    RECORDER.get_or_init(|| PrometheusBuilder::new().set_buckets(&SECONDS).ok()?.install_recorder().ok()).as_ref()
}

/// Counts each answer and its time by method, route pattern and status. Never by path: paths hold ids and are without end.
pub(super) async fn measure(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let began = Instant::now();
    let answer = next.call(request).await?;
    let route = answer.request().match_pattern().unwrap_or_else(|| "none".to_owned());
    let method = answer.request().method().as_str();
    // A method is what the client says; of those that no route has one label is enough.
    let known = ["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS"];
    let method = known.into_iter().find(|name| *name == method).unwrap_or("other");
    let status = answer.status().as_u16().to_string();
    metrics::counter!("linli_http_requests_total", "method" => method, "route" => route.clone(), "status" => status)
        .increment(1);
    metrics::histogram!("linli_http_request_seconds", "method" => method, "route" => route)
        .record(began.elapsed().as_secs_f64());
    Ok(answer)
}
