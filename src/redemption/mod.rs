//! Goods on a station's shelf and what members get for their points: reserve with a code, hand out at that station only,
//! cancel, expire, refund; at the counter all in one step.
//!
//! A redemption has one or more lines, of one station and one programme. The first stands in its own row, so that the common
//! one is one row; the others are `redemption_line`s. A service with times to book is taken from a slot's capacity, all else
//! from the goods' stock. The member pays alone, by a hold of the redemption's, or the household pays by shares, each with a
//! hold of its own (ADR 0010).
//!
//! What always holds, and `linli verify` proves: `goods.stock` is the sum of its movements less what reserved and fulfilled
//! redemptions took of it, `goods_slot.taken` the sum of what they booked; neither goes beyond its bounds; every reserved
//! redemption has open holds of its points, and no other has one; the shares of a redemption are its points.
//!
//! Locks are taken in one order everywhere: the redemption, the household (where its limit counts), the balances of members by
//! account id, goods by id, slots by id. So the rows for which many compete are taken last and shortest, and nobody waits in a
//! circle. A member's limit is counted after the member's balance row was taken: two orders of one member see each other.

mod basket_body;
mod booking;
mod domain;
mod error;
pub mod expiry;
pub mod goods;
mod goods_route;
mod limit;
mod lines;
mod order;
mod pattern;
mod payment;
pub mod query;
mod route;
pub mod service;
pub mod settlement;
mod sheet;
mod shelf;
pub mod slot;
mod slot_route;
pub mod stock;
mod trail;
pub mod verify;
mod view;
pub mod voucher;

pub use domain::{SHARE, SOURCE};
pub use error::RedemptionError;
pub use limit::Limit;
pub use lines::{Basket, Line};
pub use order::{Order, OrderLine};
pub use payment::PayWith;

use utoipa_actix_web::service_config::ServiceConfig;

/// The routes of goods and redemptions.
pub fn routes(config: &mut ServiceConfig) {
    goods_route::routes(config);
    slot_route::routes(config);
    route::routes(config);
    stock::routes(config);
    voucher::routes(config);
    settlement::routes(config);
}
