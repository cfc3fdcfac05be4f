//! What every answer has in common, on the application itself.

use crate::support::TestApp;

both!(what_is_not_there_is_a_problem, async |app| {
    for path in ["/", "/nope", "/api/v1", "/api/v1/nope", "/api/v1/%00", "/api/v1/wishes/%ff/x", "/API/V1/me"] {
        for method in ["GET", "POST", "DELETE", "OPTIONS", "BREW"] {
            app.call(method, path).await.expect_problem(404, "not_found");
        }
    }
});

both!(another_method_is_told_which_ones_there_are, async |app| {
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"] {
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] {
            let answer = app.call(method, path).await.expect_problem(405, "method_not_allowed");
            assert_eq!(answer.header("allow"), Some("GET"), "{method} {path}");
        }
    }
});

both!(every_documented_path_knows_its_methods, async |app| {
    let document = app.get("/openapi.json").await.expect_status(200).json();
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path.replace(['{', '}'], "x");
        let answer = app.call("TRACE", &path).await.expect_problem(405, "method_not_allowed");
        let allow = answer.header("allow").unwrap().to_lowercase();
        for method in item.as_object().unwrap().keys() {
            assert!(allow.contains(method.as_str()) || method == "parameters", "{path}: {method} not in {allow}");
        }
    }
});

both!(every_operation_documents_its_refusals, async |app| {
    let document = app.get("/openapi.json").await.expect_status(200).json();
    assert_eq!(document["components"]["schemas"]["Problem"]["type"], "object");
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for status in ["401", "403", "404", "422", "429", "503"] {
                assert!(operation["responses"].get(status).is_some(), "{method} {path} does not document {status}");
            }
            for name in path.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
                let parameters = operation["parameters"].as_array().unwrap();
                assert!(
                    parameters.iter().any(|known| known["name"] == name),
                    "{method} {path} does not document {name}"
                );
            }
        }
    }
});

both!(every_answer_has_an_id_of_its_own_and_careful_headers, async |app| {
    let mut ids = Vec::new();
    for path in ["/healthz", "/nope", "/openapi.json", "/docs/"] {
        let answer = app.get(path).header("X-Request-Id", "not mine").await;
        let id: uuid::Uuid = answer.header("x-request-id").unwrap().parse().unwrap();
        assert_eq!(id.get_version_num(), 7);
        ids.push(id);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert!(answer.header("content-security-policy").unwrap().starts_with("default-src"), "{path}");
        assert!(answer.header("cache-control").is_some(), "{path}");
        assert_eq!(answer.header("server"), None);
    }
    ids.dedup();
    assert_eq!(ids.len(), 4);
});

both!(the_body_of_a_problem, async |app| {
    let problem = app.get("/api/v1/nope").await.problem();
    insta::allow_duplicates! {
        insta::assert_json_snapshot!(problem, @r#"
        {
          "code": "not_found",
          "detail": "没有找到，请核对编号或地址",
          "status": 404,
          "title": "Not Found",
          "type": "/problems/not_found"
        }
        "#);
    }
});

both!(probes_answer, async |app| {
    app.get("/healthz").await.expect_status(200);
    app.call("HEAD", "/readyz").await.expect_status(200);
    app.get("/api/v1/secret-path").await.expect_status(404);
    let figures = app.get("/metrics").await.expect_status(200).text();
    assert!(figures.contains(r#"linli_http_requests_total{method="GET",route="/healthz",status="200"}"#), "{figures}");
    assert!(figures.contains("linli_http_request_seconds_bucket"), "{figures}");
    assert!(!figures.contains("secret-path"), "{figures}");
});

both!(a_large_answer_is_compressed_a_small_one_is_not, async |app| {
    let large = app.get("/openapi.json").header("Accept-Encoding", "gzip").await.expect_status(200);
    assert_eq!(large.header("content-encoding"), Some("gzip"));
    assert_eq!(large.body[..2], [0x1f, 0x8b]);
    let small = app.get("/healthz").header("Accept-Encoding", "gzip").await.expect_status(200);
    assert_eq!(small.header("content-encoding"), None);
    assert_eq!(small.text(), r#"{"status":"ok"}"#);
});

both!(a_missing_file_of_the_page_is_a_problem, async |app| {
    app.get("/docs/nope.js").await.expect_problem(404, "not_found");
});

both!(the_page_asks_no_outside_host, async |app| {
    let page =
        app.get("/docs/").await.expect_status(200).text() + &app.get("/docs/swagger-initializer.js").await.text();
    assert!(page.contains("/openapi.json") && !page.contains("https://"), "{page}");
});

async fn unready(app: &TestApp) {
    let answer = app.get("/readyz").await.expect_problem(503, "unavailable");
    assert!(answer.header("retry-after").is_some());
    app.get("/healthz").await.expect_status(200);
}

both!(a_database_that_lacks_migrations_is_not_ready, async |app| {
    use sea_orm::ConnectionTrait as _;
    let beside = app.database.connect().await;
    beside.execute_unprepared("DELETE FROM seaql_migrations").await.unwrap();
    unready(&app).await;
});
