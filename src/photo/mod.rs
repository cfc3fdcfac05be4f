//! Photos as evidence: taken in, made small and harmless, kept sealed, shown to whom they concern.
//!
//! A photo is uploaded by itself and then attached, once, to what it proves. What nobody attaches within a day is swept.
//! Every picture is decoded and written anew, so that nothing of the file survives but what can be seen: no EXIF, no place,
//! no second file behind the first. Why the pictures lie in the database: `docs/adr/0009-photos.md`.

mod domain;
pub mod error;
pub mod picture;
mod route;
pub mod service;
pub mod verify;
mod view;

pub use domain::{MOST, Subject, distinct};
pub use error::PhotoError;
pub use route::routes;
pub use view::PhotoView;
