//! Which methods a path knows, read from the OpenAPI document: the framework only tells that none fits.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use actix_web::dev::ResourceDef;

/// What is not in the document.
const OTHERS: [&str; 6] = ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/docs/{file}*"];

static ROUTES: LazyLock<Vec<(ResourceDef, Vec<&'static str>)>> = LazyLock::new(|| {
    let document = crate::app::document();
    let documented = document.paths.paths.iter().map(|(path, item)| (path.clone(), super::openapi::methods(item)));
    let others = OTHERS.iter().map(|path| ((*path).to_owned(), vec!["GET"]));
    let all: BTreeMap<String, Vec<&'static str>> = documented.chain(others).collect();
    all.into_iter().map(|(path, methods)| (ResourceDef::new(path), methods)).collect()
});

/// The methods of every route that has `path`, `GET` first; none where no route has it.
pub(super) fn methods_of(path: &str) -> Vec<&'static str> {
    let mut found: Vec<_> =
        ROUTES.iter().filter(|(route, _)| route.is_match(path)).flat_map(|(_, methods)| methods.clone()).collect();
    found.sort_unstable();
    found.dedup();
    found
}
