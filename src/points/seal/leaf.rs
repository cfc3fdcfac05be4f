//! A journal as it is hashed: one line of JSON, without spaces, its members in this order. Never changes; another form would
//! have another `v`.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use entity::id::{AccountId, BudgetId, JournalId};
use entity::journal::JournalKind;
use entity::{entry, journal};
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _};
use serde::Serialize;
use uuid::Uuid;

use super::tree::{self, Hash};

const FORM: u8 = 1;

#[derive(Serialize)]
struct Form<'a> {
    v: u8,
    journal: JournalId,
    programme: &'a str,
    kind: JournalKind,
    source_kind: &'a str,
    source_id: Uuid,
    reason: Option<&'a str>,
    actor_kind: Option<&'a str>,
    actor_id: Option<Uuid>,
    reverses_id: Option<JournalId>,
    budget_id: Option<BudgetId>,
    at: String,
    posted_at: String,
    entries: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    #[serde(rename = "line")]
    number: i16,
    account: AccountId,
    /// Hundredths.
    amount: i64,
    expires_on: Option<NaiveDate>,
}

/// RFC 3339 in UTC with six places of a second, whatever they are.
pub(super) fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// The text that is hashed; `entries` in order of their line.
pub(super) fn text(journal: &journal::Model, entries: &[entry::Model]) -> String {
    let line = |row: &entry::Model| Line {
        number: row.line,
        account: row.account_id,
        amount: row.amount,
        expires_on: row.expires_on,
    };
    let form = Form {
        v: FORM,
        journal: journal.id,
        programme: &journal.programme,
        kind: journal.kind,
        source_kind: &journal.source_kind,
        source_id: journal.source_id,
        reason: journal.reason.as_deref(),
        actor_kind: journal.actor_kind.as_deref(),
        actor_id: journal.actor_id,
        reverses_id: journal.reverses_id,
        budget_id: journal.budget_id,
        at: instant(journal.at),
        posted_at: instant(journal.posted_at),
        entries: entries.iter().map(line).collect(),
    };
    // Strings, numbers and lists: nothing that JSON could refuse.
    serde_json::to_string(&form).unwrap_or_default()
}

/// Its hash as a leaf of the tree.
pub(super) fn hash(journal: &journal::Model, entries: &[entry::Model]) -> Hash {
    tree::leaf(text(journal, entries).as_bytes())
}

/// Journals of one statement.
const CHUNK: usize = 1000;

/// Journals with their entries in order of line.
#[derive(Default)]
pub(super) struct Rows(HashMap<JournalId, (journal::Model, Vec<entry::Model>)>);

impl Rows {
    /// Reads those that are there.
    pub(super) async fn read(db: &impl ConnectionTrait, ids: &[JournalId]) -> Result<Self, DbErr> {
        let mut rows = HashMap::with_capacity(ids.len());
        for ids in ids.chunks(CHUNK) {
            let journals =
                journal::Entity::find().filter(journal::Column::Id.is_in(ids.iter().copied())).all(db).await?;
            rows.extend(journals.into_iter().map(|row| (row.id, (row, Vec::new()))));
            let entries = entry::Entity::find()
                .filter(entry::Column::JournalId.is_in(ids.iter().copied()))
                .order_by_asc(entry::Column::JournalId)
                .order_by_asc(entry::Column::Line)
                .all(db)
                .await?;
            for line in entries {
                if let Some((_, lines)) = rows.get_mut(&line.journal_id) {
                    lines.push(line);
                }
            }
        }
        Ok(Self(rows))
    }

    pub(super) fn get(&self, id: JournalId) -> Option<(&journal::Model, &[entry::Model])> {
        self.0.get(&id).map(|(journal, lines)| (journal, lines.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written down for good: other bytes would break every seal there is.
    #[test]
    fn the_form_never_changes() {
        let id = |n| JournalId(Uuid::from_u128(n));
        let at = "2026-11-21T02:00:00.5Z".parse().unwrap();
        let journal = journal::Model {
            id: id(1),
            programme: "default".to_owned(),
            kind: JournalKind::Reversal,
            source_kind: "service_record_reversal".to_owned(),
            source_id: Uuid::from_u128(2),
            reason: Some("重复登记 \"一\"\n二\u{7f}\u{1}𬱖".to_owned()),
            actor_kind: Some("staff".to_owned()),
            actor_id: Some(Uuid::from_u128(3)),
            reverses_id: Some(id(4)),
            at,
            posted_at: at,
            budget_id: Some(BudgetId(Uuid::from_u128(7))),
        };
        let line = |line, account, amount, expires_on| entry::Model {
            journal_id: id(1),
            line,
            account_id: AccountId(Uuid::from_u128(account)),
            amount,
            expires_on,
        };
        let entries = [line(1, 5, -150, NaiveDate::from_ymd_opt(2027, 1, 1)), line(2, 6, 150, None)];
        let expected = "{\"v\":1,\"journal\":\"00000000-0000-0000-0000-000000000001\",\"programme\":\"default\",\
            \"kind\":\"reversal\",\"source_kind\":\"service_record_reversal\",\
            \"source_id\":\"00000000-0000-0000-0000-000000000002\",\
            \"reason\":\"重复登记 \\\"一\\\"\\n二\u{7f}\\u0001𬱖\",\"actor_kind\":\"staff\",\
            \"actor_id\":\"00000000-0000-0000-0000-000000000003\",\
            \"reverses_id\":\"00000000-0000-0000-0000-000000000004\",\
            \"budget_id\":\"00000000-0000-0000-0000-000000000007\",\
            \"at\":\"2026-11-21T02:00:00.500000Z\",\"posted_at\":\"2026-11-21T02:00:00.500000Z\",\"entries\":[\
            {\"line\":1,\"account\":\"00000000-0000-0000-0000-000000000005\",\"amount\":-150,\"expires_on\":\"2027-01-01\"},\
            {\"line\":2,\"account\":\"00000000-0000-0000-0000-000000000006\",\"amount\":150,\"expires_on\":null}]}";
        assert_eq!(text(&journal, &entries), expected);
    }
}
