//! People and staff: who is calling, what they may see, sign-in, consent, and what is known about a person.
//!
//! Who may see what is decided once, in `caller`. Everything that identifies a person is sealed at rest and leaves here
//! masked, except to the person and where staff open it with a logged reason.

pub mod authenticate;
pub mod caller;
pub mod error;
pub mod limit;
pub mod mask;
pub mod member_code;
pub mod password;
pub mod profile;
pub mod sealed;
pub mod session;
pub mod sign_in;
pub mod staff;
pub mod totp;

pub use authenticate::authenticate;
pub use caller::{Admin, Caller, Clerk, Manager, MemberCaller, Resident, Scope, Staff, StaffCaller, Volunteer};
