//! The tests that drive the real application over real migrations, on both databases: one file per slice.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[macro_use]
mod support;

mod assign;
mod assignment;
mod books_property;
mod claim;
mod claim_photo;
mod claim_property;
mod claim_race;
mod db;
mod exchange;
mod fairness;
mod hostile;
mod house;
mod household;
mod http;
mod identity;
mod identity_codes;
mod jobs;
mod journey;
mod listing;
mod matching;
mod member;
mod merit;
mod migrations;
mod offering;
mod partners;
mod photo;
mod points;
mod ranking;
mod redemption;
mod region;
mod service_record;
mod simulate;
mod statement;
mod task;
mod taxonomy;
mod tenancy;
mod trial;
mod wish;
mod wish_stage;
