//! What machines ask about this node: is it alive, can it serve, and in which figures.

use std::sync::OnceLock;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::json;

use super::State;
use crate::http::Problem;

/// A probe waits no longer than this for the database.
const PATIENCE: Duration = Duration::from_secs(3);
const RETRY_AFTER_S: u32 = 5;

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
async fn readyz(state: State) -> Result<HttpResponse, Problem> {
    match tokio::time::timeout(PATIENCE, state.db.pending_migrations()).await {
        Ok(Ok(0)) => Ok(HttpResponse::Ok().json(json!({ "status": "ok" }))),
        Ok(Ok(pending)) => {
            tracing::warn!(pending, "not ready: migrations are missing");
            Err(Problem::unavailable().retry_after(RETRY_AFTER_S))
        }
        Ok(Err(_)) | Err(_) => {
            tracing::warn!("not ready: the database does not answer");
            Err(Problem::unavailable().retry_after(RETRY_AFTER_S))
        }
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
