//! The report.

use std::collections::{BTreeMap, HashMap};

use actix_web::web;
use chrono::{DateTime, NaiveDate, Utc};
use entity::category::Category;
use entity::claim::ClaimStatus;
use entity::offer::OfferSource;
use entity::{code_item, region};
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QuerySelect as _};
use serde::Serialize;
use utoipa::ToSchema;

use super::reading::{self, NO_GROUP};
use super::stats::{self, Decile, WaitStats, percent};
use super::unmet::{self, Unmet};
use crate::app::AppState;
use crate::calendar::Span;
use crate::http::Problem;
use crate::region::RegionCode;
use crate::taxonomy;

/// Whether help reaches people alike, and whether work is shared.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct FairnessView {
    pub(super) region_code: String,
    pub(super) region_name: String,
    /// The first local day.
    pub(super) from: NaiveDate,
    /// The last one.
    pub(super) until: NaiveDate,
    /// What still waits is counted until then.
    pub(super) as_of: DateTime<Utc>,
    pub(super) waiting: WaitingView,
    pub(super) work: WorkView,
    /// Offers made in the period, by who made them.
    pub(super) offers: Vec<OffersView>,
    /// As things stand now.
    pub(super) unmet: Unmet,
}

/// How long wishes that were published in the period waited until somebody claimed them.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct WaitingView {
    pub(super) all: WaitStats,
    /// Groups of fewer than three are put together, so that nobody is told from it who belongs to one.
    pub(super) by_special_group: Vec<GroupView>,
    pub(super) by_community: Vec<GroupView>,
    pub(super) by_category: Vec<GroupView>,
}

/// One group's waits; the longest median first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct GroupView {
    /// Null: small groups together.
    pub(super) code: Option<String>,
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) stats: WaitStats,
}

/// Verified service that ended in the period, of those who are volunteers now.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct WorkView {
    pub(super) volunteers: usize,
    /// Who did anything.
    pub(super) active: usize,
    pub(super) minutes: i64,
    pub(super) records: i64,
    pub(super) deciles: Vec<Decile>,
}

/// What became of offers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct OffersView {
    /// Null: staff by hand.
    pub(super) source: Option<OfferSource>,
    pub(super) made: i64,
    pub(super) waiting: i64,
    /// Whatever became of the claim.
    pub(super) accepted: i64,
    pub(super) declined: i64,
    /// Not answered in time, or others were faster, or taken back.
    pub(super) lapsed: i64,
    /// Of those made, in percent with one place.
    pub(super) declined_percent: String,
    pub(super) lapsed_percent: String,
}

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) region: region::Model,
    pub(super) code: RegionCode,
    pub(super) from: NaiveDate,
    pub(super) until: NaiveDate,
    pub(super) now: DateTime<Utc>,
}

/// Reads and works it out. Cost goes with the period.
///
/// # Errors
/// The database's.
pub(super) async fn read(state: &AppState, asked: &Question) -> Result<FairnessView, Problem> {
    let period = state.calendar.days(asked.from, asked.until);
    let (subtree, now) = (asked.code.subtree(), asked.now);
    let snapshot = state.db.snapshot().await?;
    let rows = reading::wishes(&snapshot, &subtree, &period).await;
    let work = work(&snapshot, asked, &period).await;
    let offers = reading::offers(&snapshot, &subtree, &period, now).await;
    snapshot.rollback().await?;
    let (rows, keys) = (rows?, state.keys.clone());
    let waits = web::block(move || reading::sort(rows, &keys, now)).await.map_err(|error| Problem::internal(&error))?;
    let waiting = waiting(state.db.read(), waits).await?;
    let mut unmet = unmet::unmet(state, &subtree, now).await?;
    let names = names(state.db.read(), "skill").await?;
    for row in &mut unmet.skills {
        row.name = row.skill.as_ref().and_then(|skill| names.get(skill).cloned());
    }
    Ok(FairnessView {
        region_code: asked.region.code.clone(),
        region_name: asked.region.name.clone(),
        from: asked.from,
        until: asked.until,
        as_of: now,
        waiting,
        work: work?,
        offers: by_source(offers?),
        unmet,
    })
}

async fn work(db: &impl ConnectionTrait, asked: &Question, period: &Span) -> Result<WorkView, DbErr> {
    let subtree = asked.code.subtree();
    let done = reading::work(db, &subtree, period).await?;
    let volunteers = reading::volunteers(db, &subtree).await?;
    Ok(WorkView {
        volunteers,
        active: done.len(),
        minutes: done.iter().map(|(minutes, _)| *minutes).sum(),
        records: done.iter().map(|(_, records)| *records).sum(),
        deciles: stats::deciles(done, volunteers),
    })
}

async fn waiting(db: &impl ConnectionTrait, waits: reading::Waits) -> Result<WaitingView, DbErr> {
    let merged = taxonomy::merged(db, "special_group").await?;
    let mut groups: BTreeMap<String, Vec<stats::Wait>> = BTreeMap::new();
    for (code, theirs) in waits.by_group {
        groups.entry(merged.canonical(&code).to_owned()).or_default().extend(theirs);
    }
    let group_names = names(db, "special_group").await?;
    let special = stats::suppress(groups).into_iter().map(|(code, waits)| {
        let name = match code.as_deref() {
            None => "其他（不足 3 件的合并计算）".to_owned(),
            Some(NO_GROUP) => "非特殊群体".to_owned(),
            Some(code) => group_names.get(code).cloned().unwrap_or_else(|| code.to_owned()),
        };
        let code = code.map(|code| if code == NO_GROUP { "none".to_owned() } else { code });
        GroupView { code, name, stats: WaitStats::of(&waits) }
    });
    let special = longest_first(special.collect());
    let places = region_names(db, waits.by_community.keys()).await?;
    let communities = waits.by_community.into_iter().map(|(code, waits)| GroupView {
        name: places.get(&code).cloned().unwrap_or_else(|| code.clone()),
        code: Some(code),
        stats: WaitStats::of(&waits),
    });
    let categories = waits.by_category.into_iter().map(|(category, waits)| GroupView {
        code: serde_json::to_value(category).ok().and_then(|code| code.as_str().map(str::to_owned)),
        name: category_name(category).to_owned(),
        stats: WaitStats::of(&waits),
    });
    Ok(WaitingView {
        all: WaitStats::of(&waits.all),
        by_special_group: special,
        by_community: longest_first(communities.collect()),
        by_category: longest_first(categories.collect()),
    })
}

fn longest_first(mut groups: Vec<GroupView>) -> Vec<GroupView> {
    groups.sort_by(|one, other| (other.stats.median_minutes, &one.code).cmp(&(one.stats.median_minutes, &other.code)));
    groups
}

/// A category's name, as the data sets write it.
const fn category_name(category: Category) -> &'static str {
    match category {
        Category::Neighbourly => "邻里互助",
        Category::Charity => "慈善捐赠",
        Category::Safety => "平安建设",
        Category::Culture => "文化宣传",
        Category::Civility => "文明创建",
        Category::Volunteering => "志愿服务",
    }
}

async fn names(db: &impl ConnectionTrait, list: &str) -> Result<HashMap<String, String>, DbErr> {
    let rows: Vec<(String, String)> = code_item::Entity::find()
        .select_only()
        .columns([code_item::Column::Code, code_item::Column::Name])
        .filter(code_item::Column::List.eq(list))
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().collect())
}

async fn region_names<'a>(
    db: &impl ConnectionTrait,
    codes: impl Iterator<Item = &'a String>,
) -> Result<HashMap<String, String>, DbErr> {
    let codes: Vec<&str> = codes.map(String::as_str).collect();
    let mut names = HashMap::new();
    for chunk in codes.chunks(500) {
        let rows: Vec<(String, String)> = region::Entity::find()
            .select_only()
            .columns([region::Column::Code, region::Column::Name])
            .filter(region::Column::Code.is_in(chunk.iter().copied()))
            .into_tuple()
            .all(db)
            .await?;
        names.extend(rows);
    }
    Ok(names)
}

/// Counts by who made them, those by the matcher last.
fn by_source(rows: Vec<(Option<OfferSource>, ClaimStatus, i64)>) -> Vec<OffersView> {
    let mut sources: BTreeMap<Option<OfferSource>, OffersView> = BTreeMap::new();
    for (source, status, count) in rows {
        let view = sources.entry(source).or_insert_with(|| OffersView { source, ..OffersView::default() });
        view.made += count;
        match status {
            ClaimStatus::Offered => view.waiting += count,
            ClaimStatus::Declined => view.declined += count,
            ClaimStatus::Lapsed => view.lapsed += count,
            ClaimStatus::Accepted
            | ClaimStatus::CheckedIn
            | ClaimStatus::CheckedOut
            | ClaimStatus::Verified
            | ClaimStatus::Rejected
            | ClaimStatus::Withdrawn
            | ClaimStatus::NoShow => view.accepted += count,
        }
    }
    let with_shares = |view: OffersView| OffersView {
        declined_percent: percent(view.declined, view.made),
        lapsed_percent: percent(view.lapsed, view.made),
        ..view
    };
    sources.into_values().map(with_shares).collect()
}
