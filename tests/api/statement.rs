//! Monthly statements: of members and of communities, as JSON and as files.

use std::io::Write as _;
use std::process::{Command, Stdio};

use ::entity::audit;
use ::entity::journal::JournalKind;
use ::entity::staff::Role;
use calamine::{Data, Reader as _};
use chrono::{Days, TimeDelta};
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};
use serde_json::Value;

use crate::points::seals::sealed;
use crate::points::{Draft, give};
use crate::redemption::{Shop, fulfil, reserve};
use crate::support::{Answer, COMMUNITY, DISTRICT, FOREIGN, Member, SISTER, STREET, TestApp, at};

const MINE: &str = "/api/v1/me/points/statements/2026-11";

/// A member with a month and the one before: 30.00 from October, in November 7.00 that expire, 5.00 spent, 1.00 waiting for
/// its seal.
async fn furnished(app: &TestApp, name: &str) -> Member {
    let member = app.seed().member().called(name).await;
    app.clock.set(at("2026-10-31T15:59:59.999999Z"));
    give(app, &member, 3000).await;
    app.clock.set(at(TestApp::START));
    let grant = Draft::new(app, JournalKind::Grant, &member, 700);
    let on = grant.today + Days::new(30);
    grant.expiring(on).post(app).await.unwrap();
    let shop = Shop::open(app).await;
    let goods = shop.goods(app, "5", 9, None).await;
    let taken = reserve(app, &member, &goods, 1).await.expect_status(201);
    fulfil(app, &shop.clerk, &taken.at("/code")).await.expect_status(200);
    sealed(app).await;
    app.clock.advance(TimeDelta::minutes(1));
    give(app, &member, 100).await;
    member
}

/// What `pdftotext` reads, without white space, a page a text; `None` where it is not installed and need not be.
fn text_of(pdf: &[u8]) -> Option<Vec<String>> {
    let mut command = Command::new("pdftotext");
    command.args(["-layout", "-", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut reader) = command.spawn() else {
        assert!(!std::env::var("CI").is_ok_and(|ci| ci == "true"), "pdftotext is missing (Debian: poppler-utils)");
        return None;
    };
    reader.stdin.take().unwrap().write_all(pdf).unwrap();
    let output = reader.wait_with_output().unwrap();
    assert!(output.status.success());
    let text: String = String::from_utf8(output.stdout).unwrap();
    let pages = text.split_terminator('\u{c}');
    Some(pages.map(|page| page.chars().filter(|sign| !sign.is_whitespace() || *sign == '\u{c}').collect()).collect())
}

both!(a_members_month_closes_as_the_next_one_opens, async |app| {
    let member = furnished(&app, "王喆").await;
    let november = app.by(&member).get(MINE).await.expect_status(200).json();
    assert_eq!((&november["provisional"], &november["name"]), (&true.into(), &"王喆".into()));
    let sums = |month: &Value| -> Vec<String> {
        ["opening", "gained", "spent", "closing"].map(|field| month[field].as_str().unwrap().to_owned()).to_vec()
    };
    assert_eq!(sums(&november), ["30.00", "8.00", "-5.00", "33.00"]);
    assert_eq!((&november["held"], &november["hours"]), (&"0.00".into(), &"0.00".into()));
    assert_eq!(november["expiring"], serde_json::json!([{"on": "2026-12-21", "amount": "2.00"}]));
    let entries = november["entries"].as_array().unwrap();
    let told: Vec<_> = entries
        .iter()
        .map(|line| [&line["kind"], &line["amount"], &line["balance_after"]].map(|field| field.as_str().unwrap()))
        .collect();
    assert_eq!(told, [["grant", "7.00", "37.00"], ["spend", "-5.00", "32.00"], ["grant", "1.00", "33.00"]]);
    assert!(entries[1]["source"].as_str().unwrap().starts_with("兑换："), "{november}");
    assert_eq!((&entries[0]["seal_no"], &entries[2]["seal_no"]), (&1.into(), &Value::Null));
    assert_eq!((&entries[0].get("proof"), &november["seal"]["no"]), (&None, &1.into()));
    let october = app.by(&member).get("/api/v1/me/points/statements/2026-10").await.expect_status(200).json();
    assert_eq!(sums(&october), ["0.00", "30.00", "0.00", "30.00"]);
    assert_eq!((&october["provisional"], &october["held"]), (&false.into(), &Value::Null));

    let proven = app.by(&member).get(&format!("{MINE}?proof=true")).await.expect_status(200).json();
    let proof = &proven["entries"][1]["proof"];
    assert_eq!(proof["seal"]["hash"], november["seal"]["hash"]);
    assert_eq!(proof["journal_id"], proven["entries"][1]["id"]);
    assert!(proven["entries"][2].get("proof").is_none());
});

both!(what_cannot_be_is_refused_by_name, async |app| {
    let member = app.seed().member().await;
    let other = app.seed().member().await;
    let by = app.by(&member);
    let future = by.get("/api/v1/me/points/statements/2026-12").await.expect_problem(422, "validation_failed");
    assert_eq!(
        (future.at("/errors/0/field"), future.at("/errors/0/code")),
        ("month".to_owned(), "out_of_range".to_owned())
    );
    for (query, field) in [("format=doc", "format"), ("programme=none", "programme"), ("proof=maybe", "proof")] {
        let refused = by.get(&format!("{MINE}?{query}")).await.expect_problem(422, "validation_failed");
        assert_eq!(refused.at("/errors/0/field"), field);
    }
    for month in ["2026", "2026-13", "2026-Q4", "all", "x"] {
        by.get(&format!("/api/v1/me/points/statements/{month}")).await.expect_problem(404, "not_found");
    }
    let of = |id: String| format!("/api/v1/members/{id}/points/statements/2026-11");
    by.get(&of(other.id.to_string())).await.expect_problem(404, "not_found");
    by.get(&of(member.id.to_string())).await.expect_status(200);
    app.get(MINE).await.expect_problem(401, "unauthenticated");
    let clerk = app.seed().staff(Role::Clerk).await;
    app.by(&clerk).get(MINE).await.expect_problem(403, "forbidden");
    let refused = app.by(&clerk).get(&(of(member.id.to_string()) + "?proof=maybe&format=doc")).await;
    refused.expect_problem(422, "validation_failed");
    let foreign = app.seed().staff(Role::Manager).in_region(FOREIGN).await;
    app.by(&foreign).get(&of(member.id.to_string())).await.expect_problem(404, "not_found");
    let region = format!("/api/v1/regions/{COMMUNITY}/points/statements/2026-11");
    by.get(&region).await.expect_problem(403, "forbidden");
    app.by(&clerk).get(&region).await.expect_problem(403, "forbidden");
    app.by(&foreign).get(&region).await.expect_problem(404, "not_found");
    let manager = app.seed().staff(Role::Manager).await;
    app.by(&manager).get(&region.replace("2026-11", "2027-01")).await.expect_problem(422, "validation_failed");
    app.by(&manager).get(&format!("{region}?cursor=x")).await.expect_problem(422, "validation_failed");
});

both!(staff_see_the_name_masked_unless_they_say_why, async |app| {
    let member = furnished(&app, "王喆明").await;
    let clerk = app.seed().staff(Role::Clerk).await;
    let path = format!("/api/v1/members/{}/points/statements/2026-11", member.id);
    let masked = app.by(&clerk).get(&path).await.expect_status(200).json();
    assert_eq!((&masked["name"], &masked["closing"]), (&"王*".into(), &"33.00".into()));
    let opened =
        app.by(&clerk).get(&format!("{path}?reason=%E6%89%93%E5%8D%B0&proof=true")).await.expect_status(200).json();
    assert_eq!(opened["name"], "王喆明");
    assert!(opened["entries"][0]["proof"].is_object());
    let traces = audit::Entity::find().filter(audit::Column::Action.eq("points.statement"));
    let traces = traces.all(app.state.db.read()).await.unwrap();
    let reasons: Vec<_> = traces.iter().map(|row| row.detail.as_ref().unwrap()["reason"].clone()).collect();
    assert_eq!(reasons.len(), 2);
    assert!(reasons.contains(&Value::Null) && reasons.contains(&"打印".into()), "{reasons:?}");
});

both!(a_file_says_what_the_page_says, async |app| {
    let member = furnished(&app, "=王喆㛃").await;
    let file = async |format: &str| -> Answer {
        app.by(&member).get(&format!("{MINE}?format={format}")).await.expect_status(200)
    };

    let csv = file("csv").await;
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    let named = "attachment; filename=\"statement.csv\"; filename*=UTF-8''%E7%A7%AF%E5%88%86%E5%AF%B9%E8%B4%A6%E5%8D%95_2026-11.csv";
    assert_eq!(csv.header("content-disposition"), Some(named));
    let text = csv.text();
    assert!(text.starts_with("\u{feff}积分月度对账单 2026年11月（月中，未结）\r\n姓名,'=王喆㛃\r\n"), "{text}");
    assert!(text.contains("期初余额,30.00\r\n") && text.contains(",-5.00,32.00,"), "{text}");
    assert!(text.contains("第1号\r\n") && text.contains("待封印\r\n"), "{text}");

    let xlsx = file("xlsx").await;
    let mut book = calamine::Xlsx::new(std::io::Cursor::new(xlsx.body.to_vec())).unwrap();
    let sheet = book.worksheet_range("明细").unwrap();
    let cells: Vec<_> = sheet.rows().flatten().collect();
    assert!(cells.contains(&&Data::String("=王喆㛃".to_owned())) && cells.contains(&&Data::Float(-5.0)));
    assert!(book.worksheet_formula("明细").unwrap().is_empty());

    let pdf = file("pdf").await;
    assert_eq!(pdf.header("content-type"), Some("application/pdf"));
    assert!(pdf.body.starts_with(b"%PDF-") && pdf.body.len() < 200_000, "{} bytes", pdf.body.len());
    if let Some(pages) = text_of(&pdf.body) {
        let text = pages.concat();
        for words in
            ["积分月度对账单2026年11月", "=王喆㛃", "期末余额", "33.00", "-5.00", "兑换：", "第1页/共1页", "第1号封印"]
        {
            assert!(text.contains(words), "{words} is not in {text}");
        }
        let seal = app.get("/api/v1/points/seals/1").await.expect_status(200).at("/hash");
        assert!(text.contains(&seal), "{text}");
    }
});

both!(rare_characters_are_printed_and_what_the_font_lacks_is_named, async |app| {
    let member = app.seed().member().called("𬱖堃翀昇").await;
    let pdf = app.by(&member).get(&format!("{MINE}?format=pdf")).await.expect_status(200);
    if let Some(text) = text_of(&pdf.body).map(|pages| pages.concat()) {
        assert!(
            text.contains("𬱖堃翀昇") && text.contains("本月没有积分变动") && text.contains("账本尚无封印"),
            "{text}"
        );
    }
    let other = app.seed().member().called("王😀").await;
    let refused = app.by(&other).get(&format!("{MINE}?format=pdf")).await.expect_problem(409, "character_not_in_font");
    assert!(refused.at("/detail").contains("U+1F600"), "{}", refused.text());
    app.by(&other).get(&format!("{MINE}?format=xlsx")).await.expect_status(200);
});

both!(a_long_month_goes_on_on_the_next_page, async |app| {
    let member = app.seed().member().await;
    for _ in 0..70 {
        give(&app, &member, 100).await;
    }
    let pdf = app.by(&member).get(&format!("{MINE}?format=pdf")).await.expect_status(200);
    if let Some(pages) = text_of(&pdf.body) {
        let [first, second] = pages.as_slice() else { panic!("{} pages", pages.len()) };
        assert!(
            first.contains("第1页/共2页") && second.contains("第2页/共2页") && second.contains("70.00"),
            "{second}"
        );
        assert!(first.contains("有效期至") && second.contains("有效期至"), "each page has the table's head");
    }
});

both!(an_erased_members_statement_has_no_name, async |app| {
    let member = app.seed().member().called("王喆").await;
    give(&app, &member, 100).await;
    app.by(&member).delete("/api/v1/me").await.expect_status(204);
    app.by(&member).get(MINE).await.expect_problem(401, "unauthenticated");
    let manager = app.seed().staff(Role::Manager).await;
    let path = format!("/api/v1/members/{}/points/statements/2026-11", member.id);
    let erased = app.by(&manager).get(&format!("{path}?reason=x")).await.expect_status(200);
    assert_eq!((erased.json()["name"].clone(), erased.at("/closing")), (Value::Null, "1.00".to_owned()));
    assert!(!erased.text().contains('喆'));
    let csv = app.by(&manager).get(&format!("{path}?format=csv")).await.expect_status(200).text();
    assert!(csv.contains("姓名,（已注销）\r\n"), "{csv}");
});

both!(a_communitys_month_adds_up, async |app| {
    let member = furnished(&app, "王喆").await;
    let sister = app.seed().member().in_region(SISTER).await;
    let manager = app.seed().staff(Role::Manager).in_region(DISTRICT).await;
    let path = |region: &str| format!("/api/v1/regions/{region}/points/statements/2026-11");
    let month = app.by(&manager).get(&path(COMMUNITY)).await.expect_status(200).json();
    let sum = |field: &str| month[field].as_str().unwrap().to_owned();
    assert_eq!(
        ["opening", "issued", "taken_back", "spent", "refunded", "expired", "donated", "closing"].map(sum),
        ["30.00", "8.00", "0.00", "-5.00", "0.00", "0.00", "0.00", "33.00"]
    );
    assert_eq!(month["flows"].as_array().unwrap().len(), 2, "{month}");
    let line = &month["lines"]["items"][0];
    assert_eq!((&line["member_id"], &line["name"]), (&member.id.to_string().into(), &"王*".into()));
    assert_eq!((&line["opening"], &line["closing"]), (&"30.00".into(), &"33.00".into()));
    // The street has both communities' books, and no line for each person.
    give(&app, &sister, 100).await;
    let street = app.by(&manager).get(&path(STREET)).await.expect_status(200).json();
    assert_eq!((&street["closing"], &street["lines"]), (&"34.00".into(), &Value::Null));
    let auditor = app.seed().staff(Role::Auditor).await;
    assert_eq!(app.by(&auditor).get(&path(COMMUNITY)).await.expect_status(200).json()["lines"], Value::Null);
    let second = app.seed().member().await;
    give(&app, &second, 100).await;
    let first_page = app.by(&manager).get(&(path(COMMUNITY) + "?limit=1")).await.expect_status(200).json();
    let cursor = first_page["lines"]["next_cursor"].as_str().unwrap();
    let next = app.by(&manager).get(&format!("{}?limit=1&cursor={cursor}", path(COMMUNITY))).await.expect_status(200);
    assert_eq!(next.at("/lines/items/0/member_id"), second.id.to_string());

    let csv = app.by(&manager).get(&(path(COMMUNITY) + "?format=csv&limit=1")).await.expect_status(200).text();
    assert!(csv.contains("红旗里社区居委会 积分月度报表 2026年11月") && csv.contains(&second.ref_id), "{csv}");
    let pdf = app.by(&manager).get(&(path(COMMUNITY) + "?format=pdf")).await.expect_status(200);
    if let Some(text) = text_of(&pdf.body).map(|pages| pages.concat()) {
        assert!(text.contains("居民明细") && text.contains("王*") && text.contains("收支分类"), "{text}");
    }
    let xlsx = app.by(&manager).get(&(path(COMMUNITY) + "?format=xlsx")).await.expect_status(200);
    let book = calamine::Xlsx::new(std::io::Cursor::new(xlsx.body.to_vec())).unwrap();
    assert_eq!(book.sheet_names(), ["收支分类", "居民明细"]);
    let traces = audit::Entity::find().filter(audit::Column::ObjectKind.eq("region"));
    assert_eq!(traces.count(app.state.db.read()).await.unwrap(), 8);
});
