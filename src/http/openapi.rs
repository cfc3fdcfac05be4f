//! What every operation of the OpenAPI document has in common, so that no handler has to say it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{Components, KnownFormat, Object, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{
    Content, HeaderBuilder, OpenApi, PathItem, Ref, RefOr, Required, Response, ResponseBuilder, Schema,
};
use utoipa::{IntoParams, IntoResponses, PartialSchema, ToSchema};

use super::idempotency::{KEY_HEADER, REPLAYED_HEADER};
use super::problem::{FieldError, PROBLEM_JSON, Problem};

/// The page of the document shows itself and nothing else. Its program sets styles on elements.
pub(super) const PAGE_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'";

/// Status and meaning of the refusals that any operation may give.
const COMMON: [(&str, &str); 10] = [
    ("400", "The body is not JSON, or an `Idempotency-Key` is required and absent or ill-formed."),
    ("401", "No token, or one that no longer counts."),
    ("403", "The caller's role does not allow it."),
    ("404", "Unknown, unparsable or invisible id."),
    ("408", "The body did not arrive in time."),
    ("409", "A rule of the business says no; see `code`."),
    ("413", "The body is too large."),
    ("415", "The body is not `application/json`."),
    ("422", "Fields are refused; see `errors`."),
    ("503", "The database is away; try the same request again after `Retry-After` seconds."),
];
/// Of these a GET without body gives only some.
const OF_READS: [&str; 5] = ["401", "403", "404", "422", "503"];
const TOO_MANY: (&str, &str) = ("429", "Too often; try again after `Retry-After` seconds.");

const PROBLEM: &str = "Problem";

/// The error body, as documented; [`Problem`] is what makes it.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
#[allow(dead_code, reason = "a description")]
struct ProblemBody {
    /// `/problems/` and the code.
    #[schema(example = "/problems/not_found")]
    r#type: String,
    /// The name of the HTTP status.
    title: String,
    status: u16,
    /// For people, in Chinese: what to do next.
    detail: String,
    /// For programs; never changes its meaning.
    #[schema(example = "not_found")]
    code: String,
    /// The refused fields of a 422.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<FieldError>>,
}

impl PartialSchema for Problem {
    fn schema() -> RefOr<Schema> {
        ProblemBody::schema()
    }
}

impl ToSchema for Problem {
    fn name() -> std::borrow::Cow<'static, str> {
        PROBLEM.into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        ProblemBody::schemas(schemas);
    }
}

/// The shared refusals, for an operation that wants to name them: `responses((status = 200, …), Problems)`. They are added
/// to every operation anyway.
pub struct Problems;

impl IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        COMMON
            .iter()
            .chain([&TOO_MANY])
            .map(|(status, meaning)| ((*status).to_owned(), refusal(meaning).into()))
            .collect()
    }
}

/// The header of calls marked **K**: `params(RequiredKey)`. On other POSTs it is documented as optional by itself.
pub struct RequiredKey;

impl IntoParams for RequiredKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![key_parameter(Required::True)]
    }
}

fn key_parameter(required: Required) -> Parameter {
    let schema = text().min_length(Some(1)).max_length(Some(255)).pattern(Some("^[!-~]{1,255}$"));
    ParameterBuilder::new()
        .name(KEY_HEADER)
        .parameter_in(ParameterIn::Header)
        .required(required)
        .description(Some("Repeat a call with the same key: one effect, the first answer again."))
        .schema(Some(schema))
        .build()
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn refusal(meaning: &str) -> Response {
    let body = Content::new(Some(RefOr::<Schema>::Ref(Ref::from_schema_name(PROBLEM))));
    ResponseBuilder::new().description(meaning).content(PROBLEM_JSON, body).build()
}

/// The methods of a path, in upper case.
pub(super) fn methods(item: &PathItem) -> Vec<&'static str> {
    let all = [
        ("GET", &item.get),
        ("POST", &item.post),
        ("PATCH", &item.patch),
        ("DELETE", &item.delete),
        ("PUT", &item.put),
    ];
    all.into_iter().filter(|(_, operation)| operation.is_some()).map(|(method, _)| method).collect()
}

/// Adds to every operation what the contract promises of all: path parameters, the key's header, the refusals.
pub fn complete(document: &mut OpenApi) {
    let components = document.components.get_or_insert_with(Components::new);
    let mut schemas = vec![(PROBLEM.to_owned(), Problem::schema()), ("FieldError".to_owned(), FieldError::schema())];
    ProblemBody::schemas(&mut schemas);
    components.schemas.extend(schemas);
    let undemanding = undemanding(components);
    for (path, item) in &mut document.paths.paths {
        let open = path.contains("/auth/");
        let operations = [
            ("GET", &mut item.get),
            ("POST", &mut item.post),
            ("PATCH", &mut item.patch),
            ("DELETE", &mut item.delete),
            ("PUT", &mut item.put),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                add_path_parameters(operation, path);
                if method == "POST" && !open {
                    add_key(operation);
                }
                add_refusals(operation, method == "GET");
                allow_no_body(operation, &undemanding);
            }
        }
    }
}

/// References to the schemas of objects that need no field: no body at all is such an object.
fn undemanding(components: &Components) -> BTreeSet<String> {
    let needs_none =
        |schema: &RefOr<Schema>| matches!(schema, RefOr::T(Schema::Object(object)) if object.required.is_empty());
    let found = components.schemas.iter().filter(|(_, schema)| needs_none(schema));
    found.map(|(name, _)| Ref::from_schema_name(name).ref_location).collect()
}

fn allow_no_body(operation: &mut Operation, undemanding: &BTreeSet<String>) {
    let Some(RefOr::T(body)) = &mut operation.request_body else { return };
    let may_be_absent = body.content.values().any(|content| match content {
        RefOr::T(Content { schema: Some(RefOr::Ref(schema)), .. }) => undemanding.contains(&schema.ref_location),
        RefOr::T(_) | RefOr::Ref(_) => false,
    });
    if may_be_absent {
        body.required = Some(Required::False);
    }
}

fn has(operation: &Operation, name: &str) -> bool {
    operation.parameters.iter().flatten().any(|parameter| match parameter {
        RefOr::T(parameter) => parameter.name == name,
        RefOr::Ref(_) => false,
    })
}

fn add_path_parameters(operation: &mut Operation, path: &str) {
    for name in path.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
        if has(operation, name) {
            continue;
        }
        let id = name == "id" || name.ends_with("_id");
        let format = id.then_some(SchemaFormat::KnownFormat(KnownFormat::Uuid));
        let schema: Object = text().format(format).build();
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .schema(Some(schema))
            .build();
        operation.parameters.get_or_insert_default().push(parameter.into());
    }
}

fn add_key(operation: &mut Operation) {
    if !has(operation, KEY_HEADER) {
        operation.parameters.get_or_insert_default().push(key_parameter(Required::False).into());
    }
    let replayed = HeaderBuilder::new()
        .schema(Some(text()))
        .description(Some("`true` on an answer that was given before."))
        .build();
    for (status, response) in &mut operation.responses.responses {
        if let (true, RefOr::T(response)) = (status.starts_with('2'), response) {
            response.headers.entry(REPLAYED_HEADER.to_owned()).or_insert_with(|| replayed.clone().into());
        }
    }
}

fn add_refusals(operation: &mut Operation, read: bool) {
    let common = COMMON.iter().filter(|(status, _)| !read || OF_READS.contains(status)).chain([&TOO_MANY]);
    for (status, meaning) in common {
        operation.responses.responses.entry((*status).to_owned()).or_insert_with(|| refusal(meaning).into());
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{App, HttpResponse, get, patch, post};
    use serde::Deserialize;
    use utoipa_actix_web::AppExt as _;

    use super::*;
    use crate::http::{Line, Page, PointsAmount};

    #[derive(Deserialize, IntoParams)]
    #[into_params(parameter_in = Query)]
    #[allow(dead_code, reason = "a description")]
    struct Query {
        status: Option<String>,
        #[serde(flatten)]
        #[param(ignore)]
        page: Page,
    }

    #[derive(Deserialize, ToSchema)]
    #[allow(dead_code, reason = "a description")]
    struct Body {
        title: Line<20>,
        amount: Option<PointsAmount>,
    }

    #[utoipa::path(params(Query, Page), responses((status = 200, description = "a list")))]
    #[get("/things/{thing_id}/parts/{code}")]
    async fn parts() -> HttpResponse {
        HttpResponse::Ok().finish()
    }

    #[utoipa::path(params(RequiredKey), request_body = Body, responses((status = 201, description = "made"), Problems))]
    #[post("/things")]
    async fn make() -> HttpResponse {
        HttpResponse::Ok().finish()
    }

    #[derive(Deserialize, ToSchema)]
    #[allow(dead_code, reason = "a description")]
    struct Change {
        title: Option<Line<20>>,
    }

    #[utoipa::path(request_body = Change, responses((status = 200, description = "changed")))]
    #[patch("/things")]
    async fn change() -> HttpResponse {
        HttpResponse::Ok().finish()
    }

    fn documented() -> serde_json::Value {
        let app = App::new().into_utoipa_app().service(parts).service(make).service(change);
        let (_, mut document) = app.split_for_parts();
        complete(&mut document);
        serde_json::to_value(&document).unwrap()
    }

    #[test]
    fn what_handlers_do_not_say_is_added() {
        let document = documented();
        let operation = &document["paths"]["/things/{thing_id}/parts/{code}"]["get"];
        let parameter = |name: &str| {
            let all = operation["parameters"].as_array().unwrap();
            all.iter().find(|parameter| parameter["name"] == name).cloned().unwrap_or_default()
        };
        assert_eq!(parameter("thing_id")["schema"]["format"], "uuid");
        assert_eq!((&parameter("code")["in"], &parameter("code")["required"]), (&"path".into(), &true.into()));
        assert_eq!(parameter("limit")["schema"]["maximum"], 100);
        assert_eq!((&parameter("status")["in"], &parameter("cursor")["in"]), (&"query".into(), &"query".into()));
        for status in ["200", "401", "403", "404", "422", "429", "503"] {
            assert!(operation["responses"].get(status).is_some(), "{status}");
        }
        assert!(operation["responses"].get("415").is_none());
    }

    #[test]
    fn a_body_without_needed_fields_may_be_absent() {
        let document = documented();
        assert_eq!(document["paths"]["/things"]["patch"]["requestBody"]["required"], false);
        assert_eq!(document["paths"]["/things"]["post"]["requestBody"]["required"], true);
    }

    #[test]
    fn a_required_key_stays_required() {
        let document = documented();
        let operation = &document["paths"]["/things"]["post"];
        assert_eq!(operation["parameters"].as_array().unwrap().len(), 1);
        assert_eq!(
            (&operation["parameters"][0]["name"], &operation["parameters"][0]["required"]),
            (&KEY_HEADER.into(), &true.into())
        );
        assert!(operation["responses"]["201"]["headers"].get(REPLAYED_HEADER).is_some());
        assert_eq!(document["components"]["schemas"]["Line20"]["maxLength"], 20);
    }
}
