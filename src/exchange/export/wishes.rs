//! Wishes, with who claimed them.

use std::collections::HashMap;

use entity::claim::{self, ClaimStatus};
use entity::id::{TaskId, WishId};
use entity::wish::{self, WishStatus};
use entity::wish_skill;
use futures_util::TryStreamExt as _;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};

use super::{Export, ExportError, category_name, day, hours, number};
use crate::exchange::table::Table;

/// The state as data sets call it; `None` for one that they cannot tell of.
const fn word(status: WishStatus) -> Option<&'static str> {
    match status {
        WishStatus::Submitted => None,
        WishStatus::Published => Some("open"),
        WishStatus::Claimed | WishStatus::InService => Some("claimed"),
        WishStatus::Fulfilled | WishStatus::Confirmed | WishStatus::Disputed => Some("done"),
        WishStatus::Expired => Some("expired"),
        WishStatus::Rejected | WishStatus::Cancelled => Some("withdrawn"),
    }
}

impl Export<'_> {
    pub(super) async fn wishes(&mut self) -> Result<(), ExportError> {
        let mut sink = self.open(Table::Wishes)?;
        let (claims, mut skills) = (self.claims().await?, self.wish_skills().await?);
        let db = self.db;
        let mut rows = wish::Entity::find().order_by_asc(wish::Column::Id).stream(db).await?;
        let (mut submitted, mut left_out) = (0, 0);
        while let Some(row) = rows.try_next().await? {
            let Some(mut status) = word(row.status) else {
                submitted += 1;
                continue;
            };
            let Some(requester) = self.refs.members.get(&row.requester_id).cloned() else {
                left_out += 1;
                continue;
            };
            let claim =
                row.task_id.and_then(|task| claims.get(&task)).filter(|_| ["claimed", "done"].contains(&status));
            let volunteer = claim.and_then(|claim| self.refs.members.get(&claim.member_id)).cloned();
            if status == "claimed" && volunteer.is_none() {
                status = "open";
            }
            let claimed_at =
                claim.filter(|_| volunteer.is_some()).map(|claim| claim.accepted_at.unwrap_or(claim.created_at));
            let done_at = row.confirmed_at.or(row.fulfilled_at).filter(|_| status == "done");
            let rating = row.rating.filter(|_| row.status == WishStatus::Confirmed);
            sink.write([
                &row.ref_id.clone().unwrap_or_else(|| row.id.to_string()),
                &row.title,
                &row.body,
                category_name(row.category),
                &skills.remove(&row.id).unwrap_or_default().join(";"),
                &row.region_code,
                &requester,
                &self.special_group(row.special_group_sealed.as_deref()),
                &row.slots.to_string(),
                &row.est_minutes.map(|minutes| hours(i64::from(minutes))).unwrap_or_default(),
                &self.window(&row),
                &day(row.deadline_on),
                &self.moment(row.created_at),
                status,
                volunteer.as_deref().unwrap_or_default(),
                &claimed_at.map(|at| self.moment(at)).unwrap_or_default(),
                &done_at.map(|at| self.moment(at)).unwrap_or_default(),
                &number(rating),
            ])?;
        }
        drop(rows);
        self.left_out(Table::Wishes, submitted, "尚未审核");
        self.left_out(Table::Wishes, left_out, "人员未导出");
        self.close(sink)
    }

    /// `2023-08-27 14:00/16:00`; with its own day where the window ends on another one.
    fn window(&self, row: &wish::Model) -> String {
        let (from, until) = (self.calendar.local(row.window_from), self.calendar.local(row.window_until));
        let form = if from.date() == until.date() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
        format!("{}/{}", from.format("%Y-%m-%d %H:%M"), until.format(form))
    }

    /// The first claim of each task that came to something.
    async fn claims(&self) -> Result<HashMap<TaskId, claim::Model>, ExportError> {
        let kept = [ClaimStatus::Accepted, ClaimStatus::CheckedIn, ClaimStatus::CheckedOut, ClaimStatus::Verified];
        let rows = claim::Entity::find().filter(claim::Column::Status.is_in(kept)).order_by_asc(claim::Column::Id);
        let mut rows = rows.stream(self.db).await?;
        let mut found = HashMap::new();
        while let Some(row) = rows.try_next().await? {
            found.entry(row.task_id).or_insert(row);
        }
        Ok(found)
    }

    async fn wish_skills(&self) -> Result<HashMap<WishId, Vec<String>>, ExportError> {
        let mut found: HashMap<_, Vec<_>> = HashMap::new();
        let rows = wish_skill::Entity::find().order_by_asc(wish_skill::Column::Skill);
        let mut rows = rows.stream(self.db).await?;
        while let Some(row) = rows.try_next().await? {
            found.entry(row.wish_id).or_default().push(row.skill);
        }
        Ok(found)
    }
}
