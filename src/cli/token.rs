//! `linli token`: access tokens for scripts, one `ref token` per line.

use std::io::Write as _;

use ::entity::id::{MemberId, SessionId};
use ::entity::member::{Column, Entity};
use chrono::{DateTime, TimeDelta, Utc};
use clap::Subcommand;
use sea_orm::sea_query::{Expr, NullOrdering};
use sea_orm::{ColumnTrait as _, DbErr, EntityTrait as _, Order, QueryFilter as _, QueryOrder as _, QuerySelect as _};
use serde_json::json;

use super::{CliError, Migrate, configure, open};
use crate::app::AppState;
use crate::audit::{self, Actor, AuditEvent};
use crate::crypto::random_token;
use crate::identity::session::{Holder, begin_for_script};
use crate::identity::staff;
use crate::region::RegionCode;

/// A script of a working day; it cannot refresh.
const LIVES: TimeDelta = TimeDelta::hours(12);
/// Sessions made in one command.
const AT_ONCE: usize = 1_000;

/// Print access tokens for scripts; they count for twelve hours
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    whose: Whose,
}

#[derive(Subcommand)]
enum Whose {
    /// Of a console account: `name token`
    Staff { name: String },
    /// Of members: `ref token` a line (the id where a member has no ref), in order of ref
    Members {
        /// Only of this region's subtree
        #[arg(long, value_name = "CODE", value_parser = RegionCode::parse)]
        region: Option<RegionCode>,
        /// Only of so many
        #[arg(long, value_name = "N")]
        limit: Option<u64>,
    },
}

pub(super) async fn run(args: Args) -> Result<(), CliError> {
    let state = open(configure()?, Migrate::Sqlite).await?;
    match args.whose {
        Whose::Staff { name } => of_staff(&state, &name).await,
        Whose::Members { region, limit } => of_members(&state, region, limit).await,
    }
}

async fn of_staff(state: &AppState, name: &str) -> Result<(), CliError> {
    let found = staff::find(state.db.read(), name).await?;
    if found.disabled_at.is_some() {
        return Err(CliError::failed("the account is disabled"));
    }
    issue(state, vec![(found.username, Holder::Staff(found.id))]).await
}

async fn of_members(state: &AppState, region: Option<RegionCode>, limit: Option<u64>) -> Result<(), CliError> {
    let mut query = Entity::find()
        .select_only()
        .columns([Column::Id, Column::RefId])
        .filter(Column::DisabledAt.is_null())
        .filter(Column::ErasedAt.is_null())
        .filter(Column::MergedInto.is_null());
    if let Some(region) = region {
        query = query.filter(region.subtree().covers(Expr::col(Column::RegionCode)));
    }
    let rows: Vec<(MemberId, Option<String>)> = query
        .order_by_with_nulls(Column::RefId, Order::Asc, NullOrdering::Last)
        .order_by_asc(Column::Id)
        .limit(limit)
        .into_tuple()
        .all(state.db.read())
        .await?;
    for chunk in rows.chunks(AT_ONCE) {
        let holders = chunk
            .iter()
            .map(|(id, reference)| (reference.clone().unwrap_or_else(|| id.to_string()), Holder::Member(*id)));
        issue(state, holders.collect()).await?;
    }
    Ok(())
}

/// Stores sessions and prints their tokens once they count.
async fn issue(state: &AppState, holders: Vec<(String, Holder)>) -> Result<(), CliError> {
    let now = state.clock.now();
    let (names, rows): (Vec<_>, Vec<_>) =
        holders.into_iter().map(|(name, holder)| (name, (SessionId::new(), holder, random_token()))).unzip();
    let stored = rows.clone();
    let command = async move |txn: &crate::db::Txn| {
        begin_for_script(txn, &stored, LIVES, now).await?;
        audit::record(txn, event(&stored, now)).await
    };
    state.db.write_long(command).await.map_err(|error: DbErr| CliError::from(error))?;
    let mut out = std::io::stdout().lock();
    for (name, (_, _, token)) in names.iter().zip(&rows) {
        writeln!(out, "{name} {token}")?;
    }
    Ok(())
}

fn event(rows: &[(SessionId, Holder, String)], now: DateTime<Utc>) -> AuditEvent {
    let event = AuditEvent::new(Actor::System, "session.begin.script", "session", now);
    match rows {
        [(session, _, _)] => event.of(session),
        _ => event.with(json!({"sessions": rows.len()})),
    }
}
