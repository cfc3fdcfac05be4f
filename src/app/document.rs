//! The OpenAPI document, collected from the slices' handlers, and the page that shows it.

use std::sync::LazyLock;

use actix_web::http::header;
use actix_web::{App, HttpResponse, web};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, InfoBuilder, LicenseBuilder, OpenApi};
use utoipa_actix_web::AppExt as _;
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::{BASE_PATH, slices};

const SCHEME: &str = "token";

/// The document of this version.
pub fn document() -> OpenApi {
    let (_, mut document) =
        App::new().into_utoipa_app().service(utoipa_actix_web::scope(BASE_PATH).configure(slices)).split_for_parts();
    document.info = InfoBuilder::new()
        .title("linli 邻里")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Micro-wishes, volunteers' hours, points and what they buy. Errors are `application/problem+json` with a stable `code`.",
        ))
        .license(Some(LicenseBuilder::new().name("MIT").identifier(Some("MIT")).build()))
        .build();
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    document.components.get_or_insert_with(Components::new).add_security_scheme(SCHEME, SecurityScheme::Http(scheme));
    crate::http::openapi::complete(&mut document);
    document.security = Some(vec![SecurityRequirement::new(SCHEME, Vec::<String>::new())]);
    document
}

/// As served; made once.
static JSON: LazyLock<web::Bytes> = LazyLock::new(|| document().to_json().unwrap_or_default().into());

pub(super) fn routes(config: &mut web::ServiceConfig) {
    // The badge of the page would ask a validator on a foreign host.
    let page = Config::from("/openapi.json").validator_url("none").deep_linking(true);
    config
        .service(web::resource("/openapi.json").route(web::get().to(openapi)))
        .service(web::resource("/docs").route(web::get().to(to_page)))
        .service(SwaggerUi::new("/docs/{_:.*}").config(page));
}

async fn to_page() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, "/docs/")).finish()
}

async fn openapi() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(JSON.clone())
}
