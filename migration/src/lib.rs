//! How the schema got here; append-only, each step with a working `down`.

use sea_orm_migration::prelude::*;

mod ddl;
mod m20261122_000001_regions;
mod m20261122_000002_people;
mod m20261122_000003_service;
mod m20261122_000004_points;
mod m20261122_000005_redemption;
mod m20261122_000006_house;
mod m20261122_000007_programmes;
mod m20261122_000008_rules;
mod m20261122_000009_budgets;
mod m20261122_000010_households;
mod m20261122_000011_merits;
mod m20261122_000012_shelf;
mod m20261122_000013_partners;
mod m20261122_000014_seals;
mod m20261122_000015_taxonomy;
mod m20261122_000016_matching;
mod m20261122_000017_listings;
mod m20261122_000018_offers;
mod m20261122_000019_account_months;

/// All migrations, oldest first.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261122_000001_regions::Migration),
            Box::new(m20261122_000002_people::Migration),
            Box::new(m20261122_000003_service::Migration),
            Box::new(m20261122_000004_points::Migration),
            Box::new(m20261122_000005_redemption::Migration),
            Box::new(m20261122_000006_house::Migration),
            Box::new(m20261122_000007_programmes::Migration),
            Box::new(m20261122_000008_rules::Migration),
            Box::new(m20261122_000009_budgets::Migration),
            Box::new(m20261122_000010_households::Migration),
            Box::new(m20261122_000011_merits::Migration),
            Box::new(m20261122_000012_shelf::Migration),
            Box::new(m20261122_000013_partners::Migration),
            Box::new(m20261122_000014_seals::Migration),
            Box::new(m20261122_000015_taxonomy::Migration),
            Box::new(m20261122_000016_matching::Migration),
            Box::new(m20261122_000017_listings::Migration),
            Box::new(m20261122_000018_offers::Migration),
            Box::new(m20261122_000019_account_months::Migration),
        ]
    }
}
