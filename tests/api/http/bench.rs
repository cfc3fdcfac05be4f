//! A small slice of the tests' own on the real edge: every kind of call, with the caller said by a header.

use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::{Compress, Next, from_fn};
use actix_web::{App, Error, HttpMessage as _, HttpResponse, web};
use entity::id::{MemberId, StaffId, WishId};
use entity::staff::Role;
use linli::app::{AppState, State};
use linli::db::{CommandError, Txn};
use linli::http::{
    self, Call, Instant, Line, Listing, OpenCall, Page, Params, PathId, Phone, PointsAmount, Problem, Text,
};
use linli::identity::{Caller, MemberCaller, StaffCaller};
use linli::region::RegionCode;
use sea_orm::{ConnectionTrait as _, DbErr, Statement};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracing_actix_web::TracingLogger;
use uuid::Uuid;
use validator::Validate;

use crate::support::{self, TestApp};

/// The one id that exists.
pub(super) const KNOWN: &str = "0199a0b0-0000-7000-8000-000000000001";

/// The tests' slice over the state of `app`, with a table of `stock` pieces.
pub(super) struct Bench {
    service: Service,
    state: AppState,
}

type Service = std::rc::Rc<dyn Fn(&str, &str) -> support::Call>;

impl Bench {
    pub(super) async fn new(app: &TestApp, stock: i64) -> Self {
        prepare(&app.state, stock).await;
        Self::over(app.state.clone()).await
    }

    /// Another node over the same table.
    pub(super) async fn over(state: AppState) -> Self {
        let app = App::new()
            .app_data(web::Data::new(state.clone()))
            .service(web::resource("/bench/takings").route(web::post().to(take)))
            .service(web::resource("/bench/forms").route(web::post().to(form)).route(web::get().to(list)))
            .service(web::resource("/bench/open").route(web::post().to(open)))
            .service(
                web::resource("/bench/wishes/{wish_id}").route(web::patch().to(patch)).route(web::delete().to(remove)),
            )
            .wrap(from_fn(identify))
            .wrap(from_fn(http::whole_if_small))
            .wrap(Compress::default())
            .wrap(from_fn(http::face))
            .wrap(TracingLogger::<http::RequestSpan>::new());
        let service = support::service(app).await;
        let service =
            std::rc::Rc::new(move |method: &str, path: &str| support::Call::new(service.clone(), method, path));
        Self { service, state }
    }

    /// A call by the clerk `1`.
    pub(super) fn call(&self, method: &str, path: &str) -> support::Call {
        self.anonymous(method, path).header("X-Clerk", "1")
    }

    pub(super) fn anonymous(&self, method: &str, path: &str) -> support::Call {
        (self.service)(method, path)
    }

    pub(super) fn take(&self, key: &str, quantity: i64) -> support::Call {
        self.call("POST", "/bench/takings").key(key).json(json!({ "quantity": quantity }))
    }

    /// What is left, and how many times something was taken.
    pub(super) async fn left_and_taken(&self) -> (i64, i64) {
        (self.number("SELECT stock FROM bench").await, self.number("SELECT count(*) FROM bench_taking").await)
    }

    pub(super) async fn number(&self, sql: &str) -> i64 {
        let statement = Statement::from_string(self.state.db.backend(), sql);
        self.state.db.read().query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap()
    }
}

async fn prepare(state: &AppState, stock: i64) {
    state
        .db
        .write(async move |txn: &Txn| {
            txn.execute_unprepared("CREATE TABLE bench (stock bigint NOT NULL CHECK (stock >= 0))").await?;
            txn.execute_unprepared("CREATE TABLE bench_taking (id text NOT NULL PRIMARY KEY)").await?;
            txn.execute_unprepared(&format!("INSERT INTO bench VALUES ({stock})")).await.map(drop)
        })
        .await
        .map_err(|error: DbErr| error)
        .unwrap();
}

/// The caller whom the headers name: `X-Clerk: N`, `X-Member: N`.
async fn identify(
    request: ServiceRequest,
    next: Next<impl actix_web::body::MessageBody>,
) -> Result<ServiceResponse<impl actix_web::body::MessageBody>, Error> {
    let number = |name| {
        request.headers().get(name).and_then(|value| value.to_str().ok()?.parse::<u128>().ok()).map(Uuid::from_u128)
    };
    let region = RegionCode::parse("130202").unwrap();
    let clerk = number("X-Clerk").map(|id| {
        Caller::Staff(StaffCaller {
            id: StaffId(id),
            role: Role::Clerk,
            region: region.clone(),
            station: None,
            member: None,
        })
    });
    let member = number("X-Member").map(|id| {
        Caller::Member(MemberCaller { id: MemberId(id), region: None, volunteer: false, party_member: false })
    });
    if let Some(caller) = clerk.or(member) {
        request.extensions_mut().insert(caller);
    }
    next.call(request).await
}

#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Take {
    #[validate(range(min = 1, max = 100))]
    quantity: i64,
}

#[derive(Debug)]
enum TakeError {
    OutOfStock,
    Db(DbErr),
}

impl From<DbErr> for TakeError {
    fn from(error: DbErr) -> Self {
        Self::Db(error)
    }
}

impl CommandError for TakeError {
    fn db_err(&self) -> Option<&DbErr> {
        match self {
            Self::Db(error) => Some(error),
            Self::OutOfStock => None,
        }
    }
}

impl From<TakeError> for Problem {
    fn from(error: TakeError) -> Self {
        match error {
            TakeError::OutOfStock => Self::conflict("out_of_stock", "库存不足，请选择其他兑换品"),
            TakeError::Db(error) => error.into(),
        }
    }
}

#[derive(Serialize)]
struct Taken {
    id: String,
    quantity: i64,
}

async fn take(state: State, call: Call<Take>) -> Result<HttpResponse, Problem> {
    call.caller.clerk()?;
    let (take, once) = call.admit_keyed(async || Ok(())).await?;
    let id = Uuid::now_v7().to_string();
    once.run(&state, StatusCode::CREATED, async move |txn: &Txn| {
        let backend = txn.get_database_backend();
        let lower = "UPDATE bench SET stock = stock - $1 WHERE stock >= $1";
        let lowered = txn.execute_raw(Statement::from_sql_and_values(backend, lower, [take.quantity.into()])).await?;
        if lowered.rows_affected() == 0 {
            return Err(TakeError::OutOfStock);
        }
        let note = "INSERT INTO bench_taking VALUES ($1)";
        txn.execute_raw(Statement::from_sql_and_values(backend, note, [id.as_str().into()])).await?;
        Ok(Taken { id: id.clone(), quantity: take.quantity })
    })
    .await
}

#[derive(Serialize, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Form {
    title: Line<20>,
    body: Option<Text<200>>,
    amount: Option<PointsAmount>,
    #[validate(range(min = 1, max = 1000))]
    quantity: Option<i32>,
    #[serde(skip_serializing)]
    #[allow(dead_code, reason = "read only")]
    phone: Option<Phone>,
    at: Option<Instant>,
    raw: Option<String>,
}

async fn form(state: State, call: Call<Form>) -> Result<HttpResponse, Problem> {
    call.caller.clerk()?;
    let (form, once) = call.admit(async || Ok(())).await?;
    let form: Value = json!(form);
    once.run(&state, StatusCode::CREATED, async move |_: &Txn| Ok::<_, DbErr>(form.clone())).await
}

async fn open(call: OpenCall<Form>) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(call.checked()?))
}

async fn list(caller: Caller, page: Params<Page>) -> Result<HttpResponse, Problem> {
    caller.staff()?;
    let page = page.checked()?;
    let after = page.after::<u64>()?.unwrap_or_default();
    let rows: Vec<u64> = (after + 1..=50).take(usize::try_from(page.limit()).unwrap() + 1).collect();
    Ok(HttpResponse::Ok().json(Listing::cut(rows, &page, |last| *last)))
}

fn find(id: WishId) -> Result<(), Problem> {
    if id.to_string() == KNOWN { Ok(()) } else { Err(Problem::not_found()) }
}

async fn patch(state: State, id: PathId<WishId>, call: Call<Form>) -> Result<HttpResponse, Problem> {
    call.caller.clerk()?;
    let (form, once) = call.admit_keyed(async || find(*id)).await?;
    let form: Value = json!(form);
    once.run(&state, StatusCode::OK, async move |_: &Txn| {
        find(*id).map_err(|_| DbErr::RecordNotFound(String::new()))?;
        Ok::<_, DbErr>(form.clone())
    })
    .await
}

async fn remove(state: State, id: PathId<WishId>, call: Call<Nothing>) -> Result<HttpResponse, Problem> {
    call.caller.clerk()?;
    let (Nothing {}, once) = call.admit(async || find(*id)).await?;
    once.run(&state, StatusCode::NO_CONTENT, async move |_: &Txn| Ok::<_, DbErr>(())).await
}

#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Nothing {}
