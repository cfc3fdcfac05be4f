//! Wishes with their tasks and claims.

use entity::claim::ClaimStatus;
use entity::id::{ClaimId, TaskId};
use entity::task::{TaskSource, TaskStatus};
use entity::wish::WishStatus;
use sea_orm::{ConnectionTrait, Value};

use super::{Stamp, WriteError, word};
use crate::db::Bulk;
use crate::exchange::import::known::PROGRAMME;
use crate::exchange::import::rows::{Accepted, WishRow};
use crate::identity::sealed;

/// Publishing needs one, and data sets have none.
const RISK_NOTICE: &str = "由原系统导入：上门前请先与社区确认时间、地点和注意事项，量力而行。";

struct Parts<'a> {
    reference: &'a str,
    wish: &'a WishRow,
    task: Option<(TaskId, TaskStatus, i32)>,
    claim: Option<(ClaimId, ClaimStatus)>,
}

/// What a state means for task and claim. A withdrawn wish is taken as never published. A wish that was done has a claim that
/// is closed and no service record: the set's participations say who served.
fn parts(accepted: &Accepted<WishRow>) -> Parts<'_> {
    let wish = &accepted.row;
    let taken = i32::from(wish.claim.is_some());
    let task = match wish.status {
        WishStatus::Published => Some((TaskStatus::Open, 0)),
        WishStatus::Claimed if wish.slots <= taken => Some((TaskStatus::Full, taken)),
        WishStatus::Claimed => Some((TaskStatus::Open, taken)),
        WishStatus::Confirmed => Some((TaskStatus::Done, taken)),
        WishStatus::Expired => Some((TaskStatus::Closed, 0)),
        _ => None,
    };
    let claim = wish.claim.as_ref().map(|_| {
        let status = if wish.status == WishStatus::Claimed { ClaimStatus::Accepted } else { ClaimStatus::Verified };
        (ClaimId::new(), status)
    });
    Parts {
        reference: &accepted.reference,
        wish,
        task: task.map(|(status, taken)| (TaskId::new(), status, taken)),
        claim,
    }
}

pub(in super::super) async fn wishes(
    db: &impl ConnectionTrait,
    stamp: &Stamp,
    rows: &[Accepted<WishRow>],
) -> Result<(), WriteError> {
    let all: Vec<Parts<'_>> = rows.iter().map(parts).collect();
    tasks(db, stamp, &all).await?;
    let mut lines = Bulk::insert(db, "wish", &WISH);
    for parts in &all {
        lines.push(db, wish(stamp, parts)).await?;
    }
    lines.finish(db).await?;
    let mut wish_skills = Bulk::insert(db, "wish_skill", &["wish_id", "skill"]);
    let mut task_skills = Bulk::insert(db, "task_skill", &["task_id", "skill"]);
    for Parts { wish, task, .. } in &all {
        for skill in &wish.skills {
            wish_skills.push(db, [wish.id.into(), skill.as_str().into()]).await?;
            if let Some((task, ..)) = task {
                task_skills.push(db, [(*task).into(), skill.as_str().into()]).await?;
            }
        }
    }
    wish_skills.finish(db).await?;
    task_skills.finish(db).await?;
    claims(db, stamp, &all).await
}

async fn tasks(db: &impl ConnectionTrait, stamp: &Stamp, all: &[Parts<'_>]) -> Result<(), WriteError> {
    let columns = [
        "id",
        "source_kind",
        "source_id",
        "region_code",
        "title",
        "body",
        "category",
        "slots",
        "taken",
        "window_from",
        "window_until",
        "place_required",
        "status",
        "risk_notice",
        "priority",
        "programme",
        "created_at",
        "updated_at",
    ];
    let mut lines = Bulk::insert(db, "task", &columns);
    for Parts { wish, task, .. } in all {
        let Some((id, status, taken)) = task else { continue };
        let line = [
            (*id).into(),
            word(&TaskSource::Wish),
            wish.id.0.into(),
            wish.region.as_str().into(),
            wish.title.as_str().into(),
            wish.body.as_str().into(),
            word(&wish.category),
            wish.slots.into(),
            (*taken).into(),
            wish.window.0.into(),
            wish.window.1.into(),
            false.into(),
            word(status),
            RISK_NOTICE.into(),
            0.into(),
            PROGRAMME.into(),
            wish.created_at.into(),
            stamp.now.into(),
        ];
        lines.push(db, line).await?;
    }
    lines.finish(db).await?;
    Ok(())
}

const WISH: [&str; 25] = [
    "id",
    "ref_id",
    "requester_id",
    "region_code",
    "title",
    "body",
    "category",
    "slots",
    "window_from",
    "window_until",
    "special_group_sealed",
    "est_minutes",
    "status",
    "priority",
    "risk_notice",
    "rating",
    "task_id",
    "due_at",
    "deadline_on",
    "created_at",
    "published_at",
    "claimed_at",
    "fulfilled_at",
    "confirmed_at",
    "updated_at",
];

fn wish(stamp: &Stamp, parts: &Parts<'_>) -> [Value; 25] {
    let Parts { reference, wish, task, .. } = parts;
    let published = task.is_some();
    let done_at = wish.done_at.filter(|_| wish.status == WishStatus::Confirmed);
    let group = wish.special_group.as_deref();
    [
        wish.id.into(),
        (*reference).into(),
        wish.requester.id.into(),
        wish.region.as_str().into(),
        wish.title.as_str().into(),
        wish.body.as_str().into(),
        word(&wish.category),
        wish.slots.into(),
        wish.window.0.into(),
        wish.window.1.into(),
        group.map(|group| sealed::seal_special_group(&stamp.keys, group)).into(),
        wish.est_minutes.into(),
        word(&wish.status),
        0.into(),
        published.then_some(RISK_NOTICE).into(),
        wish.rating.into(),
        task.as_ref().map(|(id, ..)| *id).into(),
        wish.due_at.into(),
        wish.deadline_on.into(),
        wish.created_at.into(),
        published.then_some(wish.created_at).into(),
        wish.claim.as_ref().map(|(_, at)| *at).into(),
        done_at.into(),
        done_at.into(),
        stamp.now.into(),
    ]
}

async fn claims(db: &impl ConnectionTrait, stamp: &Stamp, all: &[Parts<'_>]) -> Result<(), WriteError> {
    let columns = [
        "id",
        "task_id",
        "member_id",
        "region_code",
        "status",
        "window_from",
        "window_until",
        "accepted_at",
        "ended_at",
        "created_at",
        "updated_at",
    ];
    let mut lines = Bulk::insert(db, "claim", &columns);
    for Parts { wish, task, claim, .. } in all {
        let (Some((task, ..)), Some((id, status)), Some((volunteer, at))) = (task, claim, &wish.claim) else {
            continue;
        };
        let line = [
            (*id).into(),
            (*task).into(),
            volunteer.id.into(),
            wish.region.as_str().into(),
            word(status),
            wish.window.0.into(),
            wish.window.1.into(),
            (*at).into(),
            wish.done_at.filter(|_| *status == ClaimStatus::Verified).into(),
            (*at).into(),
            stamp.now.into(),
        ];
        lines.push(db, line).await?;
    }
    lines.finish(db).await?;
    Ok(())
}
