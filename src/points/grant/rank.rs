//! Who needs it most: special groups first, then whoever has least to spend, then whoever has waited longest for a grant.
//!
//! Special groups are sealed, so a region is read page by page and opened here; of all members only as many are kept as are
//! to be given something. Which group somebody belongs to leaves this file only as "one that was asked for".

use std::collections::{BinaryHeap, HashMap};

use chrono::{DateTime, Utc};
use entity::adjustment::{self, AdjustmentStatus, Direction};
use entity::id::MemberId;
use entity::{balance, member, programme};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::error::GrantError;
use crate::crypto::Keys;
use crate::identity::sealed::open_special_group;
use crate::points::account;
use crate::points::query::serves;
use crate::region::{self, RegionCode, Subtree};

const PAGE: u64 = 1000;

/// Somebody who may be given something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) id: MemberId,
    pub(super) region_code: String,
    pub(super) name: Option<String>,
    /// Hundredths that can be spent now.
    pub(super) available: i64,
    /// Belongs to a special group that was looked for.
    pub(super) special: bool,
}

/// Whom to look for.
#[derive(Clone, Debug)]
pub(super) struct Search<'a> {
    pub(super) subtree: Subtree,
    pub(super) programme: &'a programme::Model,
    /// Codes, the neediest first; `None`: whoever belongs to any; empty: groups do not count and are not opened.
    pub(super) groups: Option<&'a [String]>,
    /// Nobody grants to the member that they are.
    pub(super) except: Option<MemberId>,
    pub(super) most: usize,
}

/// Less is needier.
type Need = (usize, i64, Option<DateTime<Utc>>, MemberId);

struct Ranked(Need, Candidate);

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Ranked {}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

/// The neediest of a region, in no order that tells more than that they are. Memory: one page and those chosen.
///
/// # Errors
/// [`GrantError::Sealed`] where the secret key is another one; the database's.
pub(super) async fn neediest(
    db: &impl ConnectionTrait,
    keys: &Keys,
    search: &Search<'_>,
) -> Result<Vec<Candidate>, GrantError> {
    let mut chosen: BinaryHeap<Ranked> = BinaryHeap::new();
    let mut after: Option<(RegionCode, MemberId)> = None;
    loop {
        let page = page(db, &search.subtree, after.as_ref()).await?;
        let Some(last) = page.last() else { break };
        let place = last.region_code.as_deref().and_then(|code| RegionCode::parse(code).ok());
        after = place.map(|code| (code, last.id));
        let full = page.len() as u64 == PAGE;
        let fits =
            |row: &member::Model| Some(row.id) != search.except && serves(search.programme, row.region_code.as_deref());
        let page: Vec<_> = page.into_iter().filter(fits).collect();
        let available = available(db, &search.programme.code, &page).await?;
        let granted = last_grants(db, &search.programme.code, &page).await?;
        for row in page {
            let rank = group_rank(keys, search.groups, row.special_group_sealed.as_deref())?;
            let spendable = available.get(&row.id).copied().unwrap_or(0);
            let need = (rank.unwrap_or(usize::MAX), spendable, granted.get(&row.id).copied(), row.id);
            let candidate = Candidate {
                id: row.id,
                region_code: row.region_code.unwrap_or_default(),
                name: row.name,
                available: spendable,
                special: rank.is_some(),
            };
            chosen.push(Ranked(need, candidate));
            if chosen.len() > search.most {
                chosen.pop();
            }
        }
        if !full || after.is_none() {
            break;
        }
    }
    let mut chosen: Vec<_> = chosen.into_iter().map(|Ranked(_, candidate)| candidate).collect();
    chosen.sort_by_key(|candidate| candidate.id);
    Ok(chosen)
}

/// Those of `ids` that live in the region and can be given something, by id.
///
/// # Errors
/// The database's.
pub(super) async fn named(
    db: &impl ConnectionTrait,
    search: &Search<'_>,
    ids: &[MemberId],
) -> Result<Vec<Candidate>, DbErr> {
    let rows = in_use(&search.subtree)
        .filter(member::Column::Id.is_in(ids.iter().copied()))
        .order_by_asc(member::Column::Id)
        .all(db)
        .await?;
    let rows: Vec<_> = rows.into_iter().filter(|row| serves(search.programme, row.region_code.as_deref())).collect();
    let available = available(db, &search.programme.code, &rows).await?;
    let candidate = |row: member::Model| Candidate {
        available: available.get(&row.id).copied().unwrap_or(0),
        id: row.id,
        region_code: row.region_code.unwrap_or_default(),
        name: row.name,
        special: false,
    };
    Ok(rows.into_iter().map(candidate).collect())
}

fn in_use(subtree: &Subtree) -> sea_orm::Select<member::Entity> {
    member::Entity::find()
        .filter(subtree.covers(Expr::col((member::Entity, member::Column::RegionCode))))
        .filter(member::Column::DisabledAt.is_null())
        .filter(member::Column::ErasedAt.is_null())
        .filter(member::Column::MergedInto.is_null())
}

async fn page(
    db: &impl ConnectionTrait,
    subtree: &Subtree,
    after: Option<&(RegionCode, MemberId)>,
) -> Result<Vec<member::Model>, DbErr> {
    use member::Column;
    let mut query = in_use(subtree);
    if let Some((code, id)) = after {
        query = query.filter(region::after((Column::RegionCode, code.as_str()), (Column::Id, *id)));
    }
    query.order_by_asc(Column::RegionCode).order_by_asc(Column::Id).limit(PAGE).all(db).await
}

/// The place of a member's group among those asked for; `None` where there is none, or it does not count.
fn group_rank(keys: &Keys, groups: Option<&[String]>, sealed: Option<&[u8]>) -> Result<Option<usize>, GrantError> {
    match (groups, sealed) {
        (_, None) | (Some([]), _) => Ok(None),
        (None, Some(_)) => Ok(Some(0)),
        (Some(groups), Some(sealed)) => {
            let code = open_special_group(keys, sealed)?;
            Ok(groups.iter().position(|group| *group == code))
        }
    }
}

async fn available(
    db: &impl ConnectionTrait,
    programme: &str,
    members: &[member::Model],
) -> Result<HashMap<MemberId, i64>, DbErr> {
    let accounts: HashMap<_, _> = members.iter().map(|row| (account::of_member(programme, row.id), row.id)).collect();
    let rows =
        balance::Entity::find().filter(balance::Column::AccountId.is_in(accounts.keys().copied())).all(db).await?;
    let spendable = rows.into_iter().filter_map(|row| Some((*accounts.get(&row.account_id)?, row.balance - row.held)));
    Ok(spendable.collect())
}

/// When each was last granted something.
async fn last_grants(
    db: &impl ConnectionTrait,
    programme: &str,
    members: &[member::Model],
) -> Result<HashMap<MemberId, DateTime<Utc>>, DbErr> {
    use adjustment::{Column, Entity};
    let rows: Vec<(MemberId, DateTime<Utc>)> = Entity::find()
        .select_only()
        .column(Column::MemberId)
        .column_as(Expr::col(Column::CreatedAt).max(), "at")
        .filter(Column::MemberId.is_in(members.iter().map(|row| row.id)))
        .filter(Column::Programme.eq(programme))
        .filter(Column::Direction.eq(Direction::Grant))
        .filter(Column::Status.eq(AdjustmentStatus::Posted))
        .group_by(Column::MemberId)
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::sealed::seal_special_group;

    #[test]
    fn the_group_asked_for_first_comes_first() {
        let keys = Keys::from_secret(&[7; 32]).unwrap();
        let sealed = seal_special_group(&keys, "A4");
        let groups = ["A4".to_owned(), "B1".to_owned()];
        let rank = |groups: Option<&[String]>, sealed| group_rank(&keys, groups, sealed).unwrap();
        assert_eq!(rank(Some(&groups), Some(&sealed[..])), Some(0));
        assert_eq!(rank(Some(&groups[1..]), Some(&sealed[..])), None);
        assert_eq!(rank(None, Some(&sealed[..])), Some(0));
        assert_eq!(rank(Some(&[]), Some(&sealed[..])), None);
        assert_eq!(rank(None, None), None);
    }

    #[test]
    fn without_a_grant_is_longest_without_one() {
        let id = MemberId::new();
        let never: Need = (0, 5, None, id);
        let once: Need = (0, 5, Some(DateTime::UNIX_EPOCH), id);
        assert!(never < once && (0, 4, Some(Utc::now()), id) < never && once < (1, 0, None, id));
    }
}
