//! One effect and one answer per `Idempotency-Key`, whatever the concurrency and the node.

use chrono::TimeDelta;
use linli::jobs::run_once;
use serde_json::json;

use super::bench::Bench;
use crate::support::at_once;

both!(fifty_at_once_have_one_effect_and_one_answer, async |app| {
    let (here, there) = (Bench::new(&app, 100).await, Bench::over(app.second_node().await.state).await);
    let calls = (0..50).map(|index| if index % 2 == 0 { here.take("k", 3) } else { there.take("k", 3) });
    let answers = at_once(calls).await;
    let first = &answers[0];
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (201, &first.body), "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    assert_eq!(answers.iter().filter(|answer| !answer.is_replayed()).count(), 1);
    assert_eq!(here.left_and_taken().await, (97, 1));
});

both!(the_last_piece_is_sold_once_and_both_answers_stay, async |app| {
    let bench = Bench::new(&app, 1).await;
    let answers = at_once((0..20).map(|index| bench.take(&format!("k{index}"), 1))).await;
    let sold = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!((sold, bench.left_and_taken().await), (1, (0, 1)));
    for (index, answer) in answers.iter().enumerate() {
        let again = bench.take(&format!("k{index}"), 1).await;
        assert!(again.is_replayed());
        assert_eq!((again.status, &again.body), (answer.status, &answer.body));
        assert_eq!(again.header("content-type"), answer.header("content-type"));
    }
});

both!(a_refusal_by_a_rule_is_kept_even_when_the_rule_would_now_agree, async |app| {
    let bench = Bench::new(&app, 1).await;
    bench.take("k", 5).await.expect_problem(409, "out_of_stock");
    bench.take("other", 1).await.expect_status(201);
    assert!(bench.take("k", 5).await.expect_problem(409, "out_of_stock").is_replayed());
});

both!(a_repeated_success_is_found_although_the_command_is_now_refused, async |app| {
    let bench = Bench::new(&app, 1).await;
    let first = bench.take("k", 1).await.expect_status(201);
    let again = bench.take("k", 1).await.expect_status(201);
    assert!(again.is_replayed() && !first.is_replayed());
    assert_eq!(first.body, again.body);
    assert_eq!(bench.left_and_taken().await, (0, 1));
});

both!(an_answer_is_kept_for_a_day_and_not_for_ever, async |app| {
    let bench = Bench::new(&app, 10).await;
    bench.take("k", 1).await.expect_status(201);
    app.clock.advance(TimeDelta::hours(25));
    run_once(&app.state, "sweep").await.unwrap();
    assert!(bench.take("k", 1).await.expect_status(201).is_replayed());
    app.clock.advance(TimeDelta::hours(24));
    run_once(&app.state, "sweep").await.unwrap();
    assert!(!bench.take("k", 1).await.expect_status(201).is_replayed());
    assert_eq!(bench.left_and_taken().await, (8, 2));
});

both!(a_key_belongs_to_its_caller_and_its_request, async |app| {
    let bench = Bench::new(&app, 10).await;
    bench.take("k", 1).await.expect_status(201);
    bench.take("k", 2).await.expect_problem(422, "idempotency_key_reused");
    bench
        .call("POST", "/bench/forms")
        .key("k")
        .json(json!({"title": "x"}))
        .await
        .expect_problem(422, "idempotency_key_reused");
    let other = bench.anonymous("POST", "/bench/takings").header("X-Clerk", "2").key("k");
    assert!(!other.json(json!({"quantity": 1})).await.expect_status(201).is_replayed());
    // Spelled otherwise it is the same request.
    let spaced = bench.call("POST", "/bench/takings").key("k").raw("application/json", " {\"quant\\u0069ty\" : 1} ");
    assert!(spaced.await.expect_status(201).is_replayed());
    assert_eq!(bench.left_and_taken().await, (8, 2));
});

both!(what_is_refused_before_the_command_is_not_kept, async |app| {
    let bench = Bench::new(&app, 10).await;
    bench.take("k", 0).await.expect_problem(422, "validation_failed");
    bench.take("k", 1).await.expect_status(201);
});

both!(keys_are_one_to_255_visible_ascii_characters, async |app| {
    let bench = Bench::new(&app, 10).await;
    bench.take(&"k".repeat(255), 1).await.expect_status(201);
    bench.take("!~", 1).await.expect_status(201);
    for key in ["", " ", "a b", "键", &"k".repeat(256), "a\tb"] {
        bench.take(key, 1).await.expect_problem(400, "idempotency_key_required");
    }
    bench.take("one", 1).key("two").await.expect_problem(400, "idempotency_key_required");
    // Where none is required, an ill-formed one is still refused.
    bench
        .call("POST", "/bench/forms")
        .key("a b")
        .json(json!({"title": "x"}))
        .await
        .expect_problem(400, "idempotency_key_required");
    assert_eq!(bench.left_and_taken().await.1, 2);
});

both!(answers_are_kept_sealed_and_forgotten_in_time, async |app| {
    let bench = Bench::new(&app, 10).await;
    bench.take("k", 1).await.expect_status(201);
    let readable = bench.number("SELECT count(*) FROM idempotency WHERE CAST(body AS text) LIKE '%quantity%'").await;
    assert_eq!((bench.number("SELECT count(*) FROM idempotency").await, readable), (1, 0));
    let now = app.clock.now();
    let forget = async |before| {
        app.state.db.write(async move |txn: &linli::db::Txn| linli::http::forget_keys(txn, before).await).await.unwrap()
    };
    assert_eq!(forget(now).await, 0);
    assert_eq!(forget(now + chrono::TimeDelta::seconds(1)).await, 1);
});
