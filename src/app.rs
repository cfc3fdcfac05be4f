//! Builds the application: the same function serves production and tests.
//!
//! A slice adds one line to [`slices`]; what every answer shares (request id, problems, limits) is `http`'s.

mod document;
mod status;

use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::{Compress, from_fn};
use actix_web::{App, web};
use tracing_actix_web::TracingLogger;
use utoipa_actix_web::AppExt as _;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::calendar::Calendar;
use crate::clock::Clock;
use crate::config::Config;
use crate::crypto::Keys;
use crate::db::Db;
use crate::http;
use crate::identity;
use crate::matching::live::Live;
use crate::notify::sms::{self, SmsClient};
use crate::notify::wechat::{self, WechatClient};

pub use document::document;
pub use status::metrics_recorder;

/// Where the API lives.
pub const BASE_PATH: &str = "/api/v1";

/// What handlers work with. Cheap to clone; all clones share everything.
#[derive(Clone)]
pub struct AppState {
    pub db: Db,
    pub clock: Clock,
    pub keys: Keys,
    pub calendar: Calendar,
    pub config: Arc<Config>,
    /// This node's name in leases: random, new with each start.
    pub node: Arc<str>,
    pub wechat: Arc<dyn WechatClient>,
    pub sms: Arc<dyn SmsClient>,
    /// What this node knows of people and open work.
    pub matching: Live,
    /// The turn to work an assignment out.
    pub planner: crate::assignment::Planner,
    /// Pages of boards, kept until a board changes.
    pub boards: crate::ranking::Pages,
    /// The words that skills and domains are guessed by.
    pub guesser: crate::taxonomy::Guesser,
}

/// What handlers take to get at it.
pub type State = web::Data<AppState>;

impl AppState {
    /// The state of one node.
    pub fn new(config: Config, keys: Keys, db: Db, clock: Clock) -> Self {
        let calendar = Calendar::new(config.timezone);
        let node = uuid::Uuid::now_v7().to_string().into();
        let wechat = wechat::client(&config.wechat, &db, &keys, &clock);
        let sms = sms::client(&config);
        let matching = Live::new(keys.clone(), calendar, clock.clone());
        Self {
            db,
            clock,
            keys,
            calendar,
            config: Arc::new(config),
            node,
            wechat,
            sms,
            matching,
            planner: crate::assignment::Planner::default(),
            boards: crate::ranking::Pages::default(),
            guesser: crate::taxonomy::Guesser::default(),
        }
    }
}

/// The routes of all slices, one line each.
fn slices(config: &mut ServiceConfig) {
    config.configure(crate::region::routes);
    config.configure(crate::assignment::routes);
    config.configure(crate::fairness::routes);
    config.configure(crate::household::routes);
    config.configure(crate::identity::routes);
    config.configure(crate::matching::routes);
    config.configure(crate::listing::route::routes);
    config.configure(crate::merit::routes);
    config.configure(crate::notify::routes);
    config.configure(crate::offering::routes);
    config.configure(crate::photo::routes);
    config.configure(crate::pipeline::route::routes);
    config.configure(crate::points::routes);
    config.configure(crate::trial::routes);
    config.configure(crate::ranking::routes);
    config.configure(crate::redemption::routes);
    config.configure(crate::service_record::routes);
    config.configure(crate::statement::routes);
    config.configure(crate::task::route::routes);
    config.configure(crate::taxonomy::routes);
    config.configure(crate::wish::route::routes);
}

/// The application over `state`.
pub fn app(
    state: AppState,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    metrics_recorder();
    App::new()
        .into_utoipa_app()
        .app_data(web::Data::new(state))
        .service(utoipa_actix_web::scope(BASE_PATH).configure(slices))
        .into_app()
        .configure(status::routes)
        .configure(document::routes)
        .wrap(from_fn(identity::authenticate))
        .wrap(from_fn(http::whole_if_small))
        .wrap(Compress::default())
        .wrap(from_fn(http::face))
        .wrap(TracingLogger::<http::RequestSpan>::new())
}
