//! linli (邻里): the service behind a district's volunteer points programme. `ARCHITECTURE.md` is the map.

pub mod app;
pub mod audit;
pub mod calendar;
pub mod cli;
pub mod clock;
pub mod config;
pub mod crypto;
pub mod db;
pub mod exchange;
pub mod household;
pub mod http;
pub mod identity;
pub mod jobs;
pub mod matching;
pub mod notify;
pub mod photo;
pub mod pipeline;
pub mod points;
pub mod ranking;
pub mod redemption;
pub mod region;
pub mod service_record;
pub mod setting;
pub mod task;
pub mod verify;
pub mod wish;
