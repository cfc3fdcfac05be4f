//! Journals that importing the other tables does not make.

use std::collections::{HashMap, HashSet};

use entity::account::{self, AccountKind};
use entity::due::{self, DueStatus};
use entity::id::{AccountId, JournalId, RedemptionId, ServiceRecordId};
use entity::journal::{self, JournalKind};
use entity::{budget, entry, programme};
use futures_util::TryStreamExt as _;
use sea_orm::{
    ActiveEnum as _, ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};

use super::{Export, ExportError, Sink, day, instant, points};
use crate::exchange::import::{PROGRAMME, RECORD_REVERSAL, REDEMPTION};
use crate::exchange::table::Table;
use crate::points::{RECORD, cap, gift};

/// Journals of one read.
const PAGE: u64 = 500;
/// The `source_kind` of journals whose cause is not exported.
const NO_SOURCE: &str = "import";

/// Whose an account is: kind and owner as the table has them.
type Owners = HashMap<AccountId, (String, String)>;

impl Export<'_> {
    /// Notes whose points have dates: their postings are exported one by one, since an import could not tell which bucket
    /// was filled and spent.
    pub(super) async fn dated(&mut self) -> Result<(), ExportError> {
        let dated: Vec<AccountId> = entry::Entity::find()
            .select_only()
            .column(entry::Column::AccountId)
            .distinct()
            .filter(entry::Column::ExpiresOn.is_not_null())
            .into_tuple()
            .all(self.db)
            .await?;
        self.refs.dated = dated.into_iter().collect::<HashSet<_>>();
        Ok(())
    }

    pub(super) async fn journals(&mut self) -> Result<(), ExportError> {
        let mut sink = self.open(Table::Journals)?;
        let owners = self.owners().await?;
        let (mut after, mut left_out) = (JournalId::NIL, 0);
        loop {
            let page = journal::Entity::find()
                .filter(journal::Column::Id.gt(after))
                .order_by_asc(journal::Column::Id)
                .limit(PAGE)
                .all(self.db)
                .await?;
            let Some(last) = page.last() else { break };
            after = last.id;
            let page: Vec<_> = page.into_iter().filter(|journal| !self.is_implied(journal)).collect();
            let entries = entry::Entity::find()
                .filter(entry::Column::JournalId.is_in(page.iter().map(|journal| journal.id)))
                .order_by_asc(entry::Column::JournalId)
                .order_by_asc(entry::Column::Line)
                .all(self.db)
                .await?;
            let mut by_journal: HashMap<JournalId, Vec<entry::Model>> = HashMap::new();
            for line in entries {
                by_journal.entry(line.journal_id).or_default().push(line);
            }
            for journal in &page {
                let lines = by_journal.remove(&journal.id).unwrap_or_default();
                if lines.iter().all(|line| owners.contains_key(&line.account_id)) {
                    self.journal(&mut sink, journal, &lines, &owners)?;
                } else {
                    left_out += 1;
                }
            }
        }
        left_out += self.owed(&mut sink).await?;
        self.left_out(Table::Journals, left_out, "人员未导出");
        let others = programme::Entity::find().filter(programme::Column::Code.ne(PROGRAMME)).all(self.db).await?;
        if !others.is_empty() {
            let codes: Vec<_> = others.into_iter().map(|programme| programme.code).collect();
            self.report.warnings.push(format!("积分项目 {} 及其规则未导出，导入前请先建立", codes.join("、")));
        }
        self.not_exported().await?;
        self.close(sink)
    }

    /// What waits for a budget goes out as if it had been posted: budgets stay behind, and where there is none it would be paid
    /// at once. How many dues could not be written.
    async fn owed(&mut self, sink: &mut Sink) -> Result<u64, ExportError> {
        let waiting = due::Entity::find().filter(due::Column::Status.eq(DueStatus::Waiting));
        let (mut left_out, mut written) = (0, 0_u64);
        for row in waiting.order_by_asc(due::Column::Id).all(self.db).await? {
            let Some(member) = self.refs.members.get(&row.member_id) else {
                left_out += 1;
                continue;
            };
            let journal = posted(&row);
            let (source_kind, source) = self.source(&journal);
            let lines =
                [(AccountKind::Member, member, row.amount), (AccountKind::Issued, &row.region_code, -row.amount)];
            for (line, (kind, owner, amount)) in (1..).zip(lines) {
                sink.write([
                    &journal.id.to_string(),
                    &i32::to_string(&line),
                    &journal.kind.to_value(),
                    &journal.programme,
                    &kind.to_value(),
                    owner,
                    &points(amount),
                    "",
                    &instant(journal.at),
                    journal.reason.as_deref().unwrap_or_default(),
                    source_kind,
                    source,
                    "",
                ])?;
            }
            written += 1;
        }
        let budgets = budget::Entity::find().count(self.db).await?;
        if budgets > 0 {
            let words =
                format!("预算 {budgets} 个及其注资未导出，导入后请重新设立；{written} 笔待发放的积分按已发放导出");
            self.report.warnings.push(words);
        }
        Ok(left_out)
    }

    /// What no table of a set can say.
    async fn not_exported(&mut self) -> Result<(), ExportError> {
        let gifts = entity::gift::Entity::find().count(self.db).await?;
        let households = entity::household::Entity::find().count(self.db).await?;
        if gifts > 0 {
            self.report.warnings.push(format!("{gifts} 次积分赠送只导出了记账，赠言与撤回权未导出"));
        }
        if households > 0 {
            self.report.warnings.push(format!("{households} 户家庭及其成员未导出，须重新建立并征得同意"));
        }
        Ok(())
    }

    /// Whether importing the record or the redemption posts it again.
    fn is_implied(&self, journal: &journal::Model) -> bool {
        let kind = match journal.source_kind.as_str() {
            RECORD => JournalKind::Earn,
            REDEMPTION => JournalKind::Spend,
            _ => return false,
        };
        journal.kind == kind && self.refs.implied.contains(&journal.source_id)
    }

    async fn owners(&self) -> Result<Owners, ExportError> {
        let mut owners = Owners::new();
        let mut rows = account::Entity::find().stream(self.db).await?;
        while let Some(row) = rows.try_next().await? {
            let owner = match row.kind {
                AccountKind::Member => row.member_id.and_then(|member| self.refs.members.get(&member)).cloned(),
                AccountKind::Issued | AccountKind::Spent | AccountKind::Expired | AccountKind::Donated => {
                    row.region_code
                }
            };
            if let Some(owner) = owner {
                owners.insert(row.id, (row.kind.to_value(), owner));
            }
        }
        Ok(owners)
    }

    fn journal(
        &mut self,
        sink: &mut Sink,
        journal: &journal::Model,
        lines: &[entry::Model],
        owners: &Owners,
    ) -> Result<(), ExportError> {
        let reference = journal.id.to_string();
        let (source_kind, source) = self.source(journal);
        let reverses = journal.reverses_id.and_then(|original| self.refs.journals.get(&original));
        for line in lines {
            let Some((kind, owner)) = owners.get(&line.account_id) else { continue };
            sink.write([
                &reference,
                &line.line.to_string(),
                &journal.kind.to_value(),
                &journal.programme,
                kind,
                owner,
                &points(line.amount),
                &day(line.expires_on),
                &instant(journal.at),
                journal.reason.as_deref().unwrap_or_default(),
                source_kind,
                source,
                reverses.map_or("", String::as_str),
            ])?;
        }
        self.refs.journals.insert(journal.id, reference);
        Ok(())
    }

    /// What it was posted for, as the set calls it.
    fn source<'j>(&'j self, journal: &'j journal::Model) -> (&'j str, &'j str) {
        let found = match journal.source_kind.as_str() {
            RECORD | RECORD_REVERSAL => self.refs.records.get(&ServiceRecordId(journal.source_id)),
            REDEMPTION => self.refs.redemptions.get(&RedemptionId(journal.source_id)),
            _ => None,
        };
        match (found, journal.source_kind.as_str()) {
            (Some(reference), kind) => (kind, reference),
            // Of gifts and caps the journal is exported; the gift itself, and which credit was too much, are not.
            (
                None,
                RECORD | RECORD_REVERSAL | REDEMPTION | gift::GIFT | gift::REVERSAL | cap::MOVED | cap::RETURNED,
            ) => (NO_SOURCE, ""),
            (None, kind) => (kind, ""),
        }
    }
}

/// The journal that a due would be paid by.
fn posted(row: &due::Model) -> journal::Model {
    journal::Model {
        id: JournalId(row.id.0),
        programme: row.programme.clone(),
        kind: JournalKind::Earn,
        source_kind: row.source_kind.clone(),
        source_id: row.source_id,
        reason: row.reason.clone(),
        actor_kind: row.actor_kind.clone(),
        actor_id: row.actor_id,
        reverses_id: None,
        at: row.at,
        posted_at: row.created_at,
        budget_id: None,
    }
}
