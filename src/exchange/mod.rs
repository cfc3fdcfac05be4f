//! Import and export of data sets: reading files as `data/RULES.md` says, checking each record, writing what is accepted,
//! and writing a set that brings the same into an empty instance.
//!
//! The way of a record: [`dataset`] finds its file, [`decode`] and [`csv`] or [`sheet`] make it text, [`row`] puts its cells
//! into the columns of its [`table`], and one function a table says what it means or why it is rejected ([`report`]).

pub mod assignment;
pub mod csv;
pub mod dataset;
pub mod decode;
pub mod export;
pub mod import;
pub mod intervals;
pub mod mapping;
pub mod record;
pub mod report;
pub mod row;
pub mod scene;
pub mod sheet;
pub mod table;
pub mod text;
pub mod time;
