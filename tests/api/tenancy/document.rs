//! The operations that the service itself says it has.

use serde_json::Value;

use crate::support::TestApp;

const BASE: &str = "/api/v1";

/// One operation of the OpenAPI document.
#[derive(Clone, Debug)]
pub(crate) struct Described {
    pub(crate) method: String,
    /// As documented: `/api/v1/wishes/{wish_id}`.
    path: String,
    pub(crate) description: Value,
}

impl Described {
    /// How the table calls it: `GET /wishes/{}`.
    pub(crate) fn call(&self) -> String {
        let path = self.path.strip_prefix(BASE).unwrap_or(&self.path);
        match path.split_once('{').and_then(|(head, rest)| Some((head, rest.split_once('}')?.1))) {
            Some((head, tail)) => format!("{} {head}{{}}{tail}", self.method),
            None => format!("{} {path}", self.method),
        }
    }

    /// With `id` in its place. A journal is the resident's who has the same id, a month is the one of the tests' clock.
    pub(crate) fn address(&self, id: &str) -> String {
        let Some((head, rest)) = self.path.split_once('{') else { return self.path.clone() };
        let tail = rest.split_once('}').map_or("", |(_, tail)| tail);
        format!(
            "{head}{id}{}",
            tail.replace("{journal_id}", id).replace("{month}", "2026-11").replace("{code}", "SK01")
        )
    }

    pub(crate) fn has_id(&self) -> bool {
        self.path.contains('{')
    }

    pub(crate) fn is_read(&self) -> bool {
        self.method == "GET"
    }

    /// As JSON. A file (`POST /photos`) has tests of its own.
    pub(crate) fn takes_body(&self) -> bool {
        self.description.pointer("/requestBody/content/application~1json").is_some()
    }

    /// Documented as open to whoever has no token.
    pub(crate) fn is_public(&self) -> bool {
        self.description["security"]
            .as_array()
            .is_some_and(|ways| ways.iter().any(|way| way.as_object().is_some_and(serde_json::Map::is_empty)))
    }

    /// Names of the query's parameters.
    pub(crate) fn parameters(&self) -> Vec<String> {
        let all = self.description["parameters"].as_array().cloned().unwrap_or_default();
        all.iter().filter(|one| one["in"] == "query").map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    }
}

/// The whole document.
pub(crate) async fn document(app: &TestApp) -> Value {
    app.get("/openapi.json").await.expect_status(200).json()
}

/// All operations below the base path.
pub(crate) fn operations(document: &Value) -> Vec<Described> {
    let paths = document["paths"].as_object().unwrap();
    let mut all: Vec<Described> = paths
        .iter()
        .filter(|(path, _)| path.starts_with(BASE))
        .flat_map(|(path, item)| {
            let methods =
                ["get", "post", "patch", "put", "delete"].into_iter().filter(|method| item.get(*method).is_some());
            methods.map(|method| Described {
                method: method.to_uppercase(),
                path: path.clone(),
                description: item[method].clone(),
            })
        })
        .collect();
    all.sort_by_key(Described::call);
    all
}
