//! What all ways of a member have in common.

use chrono::{DateTime, NaiveDate, Utc};
use entity::id::MemberId;
use entity::member;
use sea_orm::{ActiveValue::Set, ConnectionTrait, DbErr};

use super::{Attempt, Subject, SubjectKind};
use crate::audit;
use crate::audit::Actor;
use crate::identity::profile::capacities;
use crate::identity::session::{self, Holder};

/// What came of a sign-in's command; all of them are committed.
pub(super) enum Outcome {
    In(Box<Subject>),
    /// The wrong code.
    Refused,
    /// The right code of an account that is out of use.
    Disabled,
}

/// A person seen for the first time: resident, without name and region.
pub(super) fn newcomer(
    id: MemberId,
    phone: Option<(Vec<u8>, Vec<u8>)>,
    today: NaiveDate,
    now: DateTime<Utc>,
) -> member::ActiveModel {
    let (sealed, index) = phone.unzip();
    member::ActiveModel {
        id: Set(id),
        ref_id: Set(None),
        name: Set(None),
        phone_sealed: Set(sealed),
        phone_index: Set(index),
        gender: Set(None),
        birth_year: Set(None),
        region_code: Set(None),
        is_resident: Set(true),
        is_volunteer: Set(false),
        is_party_member: Set(false),
        unit_id: Set(None),
        group_no: Set(None),
        max_hours_week: Set(None),
        special_group_sealed: Set(None),
        home_sealed: Set(None),
        registered_on: Set(Some(today)),
        named_on_boards: Set(false),
        created_at: Set(now),
        updated_at: Set(now),
        disabled_at: Set(None),
        erased_at: Set(None),
        merged_into: Set(None),
        offers_paused: Set(false),
    }
}

/// Begins the session of `member`, unless the account is out of use.
pub(super) async fn begin(
    db: &impl ConnectionTrait,
    member: &member::Model,
    attempt: &Attempt,
    action: &'static str,
) -> Result<Outcome, DbErr> {
    let event = attempt.event(Actor::Member(member.id), action);
    if member.disabled_at.is_some() {
        audit::record(db, event.denied()).await?;
        return Ok(Outcome::Disabled);
    }
    session::begin(db, attempt.session, Holder::Member(member.id), &attempt.pair, attempt.now).await?;
    audit::record(db, event.of(attempt.session)).await?;
    Ok(Outcome::In(Box::new(subject(member))))
}

/// Who a member is, for a client.
pub(super) fn subject(member: &member::Model) -> Subject {
    Subject { kind: SubjectKind::Member, id: member.id.0, roles: capacities(member) }
}
