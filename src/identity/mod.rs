//! People and staff: who is calling, what they may see, sign-in, consent, and what is known about a person.
//!
//! Who may see what is decided once, in `caller`. Everything that identifies a person is sealed at rest and leaves here
//! masked, except to the person and where staff open it with a logged reason.

pub mod authenticate;
pub mod caller;
pub mod consents;
pub mod erasure;
pub mod error;
pub mod export;
pub mod hours;
pub mod limit;
pub mod mask;
pub mod me;
pub mod member_code;
pub mod members;
pub mod password;
pub mod phone;
mod phone_route;
pub mod profile;
mod route;
pub mod sealed;
pub mod session;
pub mod sign_in;
pub mod staff;
pub mod totp;

pub use authenticate::authenticate;
pub use caller::{Admin, Caller, Clerk, Manager, MemberCaller, Resident, Scope, Staff, StaffCaller, Volunteer};
pub(crate) use route::Nothing;

/// The routes of this room.
pub fn routes(config: &mut utoipa_actix_web::service_config::ServiceConfig) {
    config.configure(sign_in::route::routes).configure(route::routes).service(phone_route::link_phone);
}
