//! Entries of journals that no other table can say.

use entity::account::AccountKind;
use entity::journal::JournalKind;
use uuid::Uuid;

use super::{Context, optional};
use crate::exchange::import::rows::{EntryAccount, EntryRow};
use crate::exchange::import::{RECORD_REVERSAL, REDEMPTION};
use crate::exchange::report::Reason;
use crate::exchange::row::Row;
use crate::exchange::table::Table;
use crate::exchange::text;
use crate::points::RECORD;

const T: Table = Table::Journals;

fn kind(cell: &str) -> Option<JournalKind> {
    Some(match cell {
        "earn" => JournalKind::Earn,
        "spend" => JournalKind::Spend,
        "refund" => JournalKind::Refund,
        "grant" => JournalKind::Grant,
        "deduct" => JournalKind::Deduct,
        "expire" => JournalKind::Expire,
        "reversal" => JournalKind::Reversal,
        "gift" => JournalKind::Gift,
        "opening" => JournalKind::Opening,
        _ => return None,
    })
}

/// What the journal was posted for. Its entries repeat it, and get the same id only where the source is one that other
/// tables hold; the journal takes that of its first entry.
fn source(cx: &mut Context<'_>, row: &Row) -> Result<(String, Uuid), Reason> {
    let kind = row.cell(const { T.position("source_kind") });
    let reference = row.cell(const { T.position("source") });
    let id = match kind {
        _ if reference.is_empty() => Uuid::now_v7(),
        RECORD | RECORD_REVERSAL => cx.known.records.get(reference).ok_or(Reason::UNKNOWN_RECORD)?.0,
        REDEMPTION => cx.known.posted_redemptions.entry(reference.into()).or_default().0,
        _ => Uuid::now_v7(),
    };
    Ok((kind.to_owned(), id))
}

/// One entry; that those of a journal sum to zero is seen when all have been read.
pub(in super::super) fn entry(cx: &mut Context<'_>, row: &Row) -> Result<EntryRow, Reason> {
    cx.unique()?;
    let kind = kind(row.cell(const { T.position("kind") })).ok_or(Reason::UNKNOWN_KIND)?;
    let programme = row.cell(const { T.position("programme") });
    if !cx.known.programmes.contains(programme) {
        return Err(Reason::UNKNOWN_PROGRAMME);
    }
    let owner = row.cell(const { T.position("account") });
    let account = match row.cell(const { T.position("account_kind") }) {
        "member" => EntryAccount::Member(cx.person(owner)?),
        "issued" => EntryAccount::Books(AccountKind::Issued, cx.region(owner)?),
        "spent" => EntryAccount::Books(AccountKind::Spent, cx.region(owner)?),
        "expired" => EntryAccount::Books(AccountKind::Expired, cx.region(owner)?),
        "donated" => EntryAccount::Books(AccountKind::Donated, cx.region(owner)?),
        _ => return Err(Reason::UNKNOWN_ACCOUNT),
    };
    let at = cx.times.instant(row.cell(const { T.position("at") })).ok_or(Reason::BAD_TIME)?;
    let expires_on = row.given(const { T.position("expires_on") });
    let expires_on = expires_on.map(|cell| cx.times.day(cell).ok_or(Reason::BAD_TIME)).transpose()?;
    let (source_kind, source_id) = source(cx, row)?;
    let line = text::whole(row.cell(const { T.position("line") })).and_then(|line| i16::try_from(line).ok());
    let amount = text::hundredths(row.cell(const { T.position("amount") })).filter(|amount| *amount != 0);
    Ok(EntryRow {
        journal: row.cell(const { T.position("journal_id") }).to_owned(),
        line: line.ok_or(Reason::BAD_NUMBER)?,
        kind,
        programme: programme.to_owned(),
        account,
        amount: amount.ok_or(Reason::BAD_NUMBER)?,
        expires_on,
        at,
        reason: optional(row.cell(const { T.position("reason") })),
        source_kind,
        source_id,
        reverses: optional(row.cell(const { T.position("reverses") })),
    })
}
