//! What stands on the lists at each place: a service that the resident gives, the volunteer's booking of it, and a bundle.

use ::entity::booking::{self, BookingStatus};
use ::entity::category::Category;
use ::entity::id::PeriodId;
use ::entity::list_project::{self, ProjectStatus};
use ::entity::listing::{self, CapacityPeriod, ListingKind, ListingStatus, OwnerKind};
use ::entity::listing_period;
use chrono::TimeDelta;
use sea_orm::IntoActiveModel as _;
use serde_json::json;

use super::world::Plot;
use crate::support::TestApp;

pub(crate) async fn plant(app: &TestApp, plot: &Plot) {
    let (seed, now) = (app.seed(), app.clock.now());
    let (from, until) = (now - TimeDelta::days(1), now + TimeDelta::days(30));
    let listing = listing::Model {
        id: plot.listing,
        ref_id: None,
        kind: ListingKind::Service,
        title: plot.listing_words.clone(),
        body: plot.listing_words.clone(),
        category: Category::Neighbourly,
        domain: None,
        region_code: plot.region.to_owned(),
        owner_kind: OwnerKind::Member,
        unit_id: None,
        station_id: None,
        member_id: Some(plot.resident.id),
        capacity: 5,
        measure: None,
        period: CapacityPeriod::All,
        window_from: from,
        window_until: until,
        lat: None,
        lon: None,
        address: None,
        openings: json!({}),
        special_group_sealed: None,
        status: ListingStatus::Published,
        risk_notice: None,
        reason: None,
        created_by: None,
        published_by: Some(plot.manager.id),
        created_at: now,
        published_at: Some(now),
        ended_at: None,
        updated_at: now,
        next_round_at: None,
    };
    seed.insert(vec![listing.into_active_model()]).await;
    let period = listing_period::Model {
        id: PeriodId::new(),
        listing_id: plot.listing,
        starts_at: now,
        capacity: 5,
        taken: 1,
        waiting: 0,
        created_at: now,
    };
    seed.insert(vec![period.clone().into_active_model()]).await;
    let booking = booking::Model {
        id: plot.booking,
        listing_id: plot.listing,
        period_id: period.id,
        member_id: plot.volunteer.id,
        wish_id: None,
        region_code: plot.region.to_owned(),
        quantity: 1,
        starts_at: from,
        ends_at: until,
        held_until: until,
        status: BookingStatus::Booked,
        made_by: None,
        attended_at: None,
        attended_by: None,
        ended_at: None,
        record_id: None,
        reason: None,
        created_at: now,
        updated_at: now,
    };
    seed.insert(vec![booking.into_active_model()]).await;
    let project = list_project::Model {
        id: plot.project,
        region_code: plot.region.to_owned(),
        title: plot.listing_words.clone(),
        body: plot.listing_words.clone(),
        status: ProjectStatus::Open,
        created_by: plot.manager.id,
        created_at: now,
        updated_at: now,
    };
    seed.insert(vec![project.into_active_model()]).await;
}
