//! Where one command moves several rooms: a claim moves its task, the task its wish; a judged service record its claim.
//!
//! Rooms call downwards only, and return what they found out. Here it is carried up, in the same transaction: [`claims`] does
//! a step on a claim and then lets the task's source follow, [`follow::record_judged`] ends the claim of a record. A new source of
//! tasks adds its arm to [`follow::task_moved`] and nothing else.

pub mod claims;
pub mod deadlines;
pub mod follow;
pub mod proof;
pub mod route;
