//! Goods on a station's shelf and what members get for their points: reserve with a code, hand out at that station only,
//! cancel, expire, refund; at the counter all in one step.
//!
//! What always holds, and `linli verify` proves: `goods.stock` is the sum of its movements less what is reserved and
//! fulfilled, and never negative; every reserved redemption has one open hold of its points, and no other has one.
//!
//! Locks are taken in one order everywhere: the redemption, the member's balance, the goods. So the row for which many
//! compete is taken last and shortest, and nobody waits in a circle. A member's limit is counted after the member's balance
//! row was taken: two orders of one member see each other.

mod domain;
mod error;
pub mod expiry;
pub mod goods;
mod goods_route;
pub mod query;
mod route;
pub mod service;
pub mod settlement;
mod sheet;
pub mod stock;
mod trail;
pub mod verify;
pub mod voucher;

pub use domain::SOURCE;
pub use error::RedemptionError;

use utoipa_actix_web::service_config::ServiceConfig;

/// The routes of goods and redemptions.
pub fn routes(config: &mut ServiceConfig) {
    goods_route::routes(config);
    route::routes(config);
    stock::routes(config);
    voucher::routes(config);
    settlement::routes(config);
}
