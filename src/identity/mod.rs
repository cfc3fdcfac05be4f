//! People, staff, sign-in and consent: who is calling, and what that proves.

pub mod caller;

pub use caller::{Admin, Caller, Clerk, Manager, MemberCaller, Resident, Scope, Staff, StaffCaller, Volunteer};
