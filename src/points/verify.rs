//! What must hold of the ledger.

use entity::account::{self, AccountKind};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait as _, QueryOrder as _, QueryResult, QuerySelect as _, Statement};

use crate::verify::{Check, Finding};

/// See [`crate::verify`].
pub const CHECKS: &[Check] = &[
    Check {
        name: "journal_sums_to_zero",
        table: "journal",
        sql: "SELECT journal_id AS id, 0 AS expected, SUM(amount) AS found FROM entry GROUP BY journal_id HAVING SUM(amount) <> 0",
    },
    Check {
        name: "journal_has_two_sides",
        table: "journal",
        sql: "SELECT j.id AS id, 2 AS expected, 0 AS found FROM journal j
            WHERE NOT EXISTS (SELECT 1 FROM entry e WHERE e.journal_id = j.id AND e.amount > 0)
               OR NOT EXISTS (SELECT 1 FROM entry e WHERE e.journal_id = j.id AND e.amount < 0)",
    },
    Check {
        name: "entry_lies_in_its_journals_programme",
        table: "journal",
        sql: "SELECT e.journal_id AS id, NULL AS expected, e.line AS found FROM entry e
            JOIN journal j ON j.id = e.journal_id JOIN account a ON a.id = e.account_id WHERE a.programme <> j.programme",
    },
    Check {
        name: "balance_is_sum_of_entries",
        table: "balance",
        sql: "SELECT a.id AS id, COALESCE(s.amount, 0) AS expected, COALESCE(b.balance, 0) AS found FROM account a
            LEFT JOIN (SELECT account_id, SUM(amount) AS amount FROM entry GROUP BY account_id) s ON s.account_id = a.id
            LEFT JOIN balance b ON b.account_id = a.id
            WHERE a.kind = 'member' AND COALESCE(s.amount, 0) <> COALESCE(b.balance, 0)",
    },
    Check {
        name: "only_members_have_balances",
        table: "balance",
        sql: "SELECT b.account_id AS id, NULL AS expected, b.balance AS found FROM balance b
            LEFT JOIN account a ON a.id = b.account_id WHERE a.kind IS NULL OR a.kind <> 'member'",
    },
    Check {
        name: "available_is_not_negative",
        table: "balance",
        sql: "SELECT account_id AS id, 0 AS expected, balance - held AS found FROM balance WHERE held < 0 OR balance < held",
    },
    Check {
        name: "dated_is_sum_of_buckets",
        table: "balance",
        sql: "SELECT b.account_id AS id, COALESCE(s.amount, 0) AS expected, b.dated AS found FROM balance b
            LEFT JOIN (SELECT account_id, SUM(amount) AS amount FROM bucket GROUP BY account_id) s ON s.account_id = b.account_id
            WHERE COALESCE(s.amount, 0) <> b.dated OR b.dated < 0 OR b.dated > b.balance",
    },
    Check {
        name: "bucket_is_sum_of_its_entries",
        table: "bucket",
        sql: "SELECT account_id AS id, SUM(entered) AS expected, SUM(kept) AS found FROM (
                SELECT account_id, expires_on, amount AS entered, 0 AS kept FROM entry WHERE expires_on IS NOT NULL
                UNION ALL SELECT account_id, expires_on, 0, amount FROM bucket) AS both_sides
            GROUP BY account_id, expires_on HAVING SUM(entered) <> SUM(kept)",
    },
    Check {
        name: "month_is_sum_of_its_sealed_entries",
        table: "account_month",
        sql: "SELECT account_id AS id, SUM(entered) AS expected, SUM(kept) AS found FROM (
                SELECT account_id, COALESCE(expires_on, '9999-12-31') AS expires_on, amount AS entered, 0 AS kept FROM entry
                    WHERE NOT EXISTS (SELECT 1 FROM unsealed u WHERE u.journal_id = entry.journal_id)
                UNION ALL SELECT account_id, expires_on, 0, amount FROM account_month) AS both_sides
            GROUP BY account_id, expires_on HAVING SUM(entered) <> SUM(kept)",
    },
    Check {
        name: "held_is_sum_of_open_holds",
        table: "balance",
        sql: "SELECT b.account_id AS id, COALESCE(s.amount, 0) AS expected, b.held AS found FROM balance b
            LEFT JOIN (SELECT account_id, SUM(amount) AS amount FROM hold WHERE status = 'open' GROUP BY account_id) s
                ON s.account_id = b.account_id
            WHERE COALESCE(s.amount, 0) <> b.held",
    },
    Check {
        name: "earned_is_sum_of_earnings",
        table: "balance",
        sql: "SELECT b.account_id AS id, COALESCE(s.amount, 0) AS expected, b.earned AS found FROM balance b
            LEFT JOIN (SELECT e.account_id AS account_id, SUM(e.amount) AS amount FROM entry e
                JOIN journal j ON j.id = e.journal_id WHERE j.kind IN ('earn', 'reversal') GROUP BY e.account_id) s
                ON s.account_id = b.account_id
            WHERE COALESCE(s.amount, 0) <> b.earned",
    },
    Check {
        name: "reversal_undoes_its_journal",
        table: "journal",
        sql: "SELECT j.id AS id, -o.amount AS expected, r.amount AS found FROM journal j
            JOIN (SELECT e.journal_id, SUM(e.amount) AS amount FROM entry e JOIN account a ON a.id = e.account_id
                JOIN journal x ON x.id = e.journal_id
                WHERE a.kind = 'member' AND x.reverses_id IS NOT NULL GROUP BY e.journal_id) r ON r.journal_id = j.id
            JOIN (SELECT e.journal_id, SUM(e.amount) AS amount FROM entry e JOIN account a ON a.id = e.account_id
                JOIN journal x ON x.reverses_id = e.journal_id
                WHERE a.kind = 'member' GROUP BY e.journal_id) o ON o.journal_id = j.reverses_id
            WHERE r.amount <> -o.amount",
    },
    Check {
        name: "budget_issued_is_sum_of_its_journals",
        table: "budget",
        sql: "SELECT b.id AS id, COALESCE(s.amount, 0) AS expected, b.issued AS found FROM budget b
            LEFT JOIN (SELECT j.budget_id, SUM(e.amount) AS amount FROM journal j JOIN entry e ON e.journal_id = j.id
                JOIN account a ON a.id = e.account_id
                WHERE j.budget_id IS NOT NULL AND a.kind = 'member' GROUP BY j.budget_id) s ON s.budget_id = b.id
            WHERE COALESCE(s.amount, 0) <> b.issued OR b.issued < 0 OR b.issued > b.funded",
    },
    Check {
        name: "budget_of_a_journal_is_its_programmes",
        table: "journal",
        sql: "SELECT j.id AS id, NULL AS expected, NULL AS found FROM journal j LEFT JOIN budget b ON b.id = j.budget_id
            WHERE j.budget_id IS NOT NULL
                AND (b.id IS NULL OR b.programme <> j.programme OR j.kind NOT IN ('earn', 'grant', 'reversal'))",
    },
    Check {
        name: "budget_funded_is_sum_of_fundings",
        table: "budget",
        sql: "SELECT b.id AS id, COALESCE(s.amount, 0) AS expected, b.funded AS found FROM budget b
            LEFT JOIN (SELECT budget_id, SUM(amount) AS amount FROM budget_funding GROUP BY budget_id) s ON s.budget_id = b.id
            WHERE COALESCE(s.amount, 0) <> b.funded",
    },
    Check {
        name: "due_is_posted_once_it_is_paid",
        table: "due",
        sql: "SELECT d.id AS id, CASE WHEN d.status = 'paid' THEN d.amount ELSE 0 END AS expected, COALESCE(s.amount, 0) AS found
            FROM due d
            LEFT JOIN (SELECT j.source_kind, j.source_id, SUM(e.amount) AS amount FROM due o
                JOIN journal j ON j.source_kind = o.source_kind AND j.source_id = o.source_id
                JOIN entry e ON e.journal_id = j.id JOIN account a ON a.id = e.account_id
                WHERE a.kind = 'member' GROUP BY j.source_kind, j.source_id) s
                ON s.source_kind = d.source_kind AND s.source_id = d.source_id
            WHERE COALESCE(s.amount, 0) <> CASE WHEN d.status = 'paid' THEN d.amount ELSE 0 END",
    },
    Check {
        name: "rule_cap_is_kept",
        table: "rule",
        sql: "SELECT r.id AS id, r.cap_rule AS expected, SUM(u.amount) AS found FROM rule_use u
            LEFT JOIN rule r ON r.id = u.rule_id
            GROUP BY r.id, r.cap_rule, u.account_id HAVING r.cap_rule IS NULL OR SUM(u.amount) > r.cap_rule",
    },
    Check {
        name: "adjustment_is_posted_once",
        table: "adjustment",
        sql: "SELECT d.id AS id, CASE WHEN d.status = 'posted' THEN d.amount ELSE 0 END AS expected, COALESCE(s.amount, 0) AS found
            FROM adjustment d
            LEFT JOIN (SELECT j.source_id, SUM(ABS(e.amount)) AS amount FROM journal j JOIN entry e ON e.journal_id = j.id
                JOIN account a ON a.id = e.account_id
                WHERE j.source_kind = 'adjustment' AND a.kind = 'member' GROUP BY j.source_id) s ON s.source_id = d.id
            WHERE COALESCE(s.amount, 0) <> CASE WHEN d.status = 'posted' THEN d.amount ELSE 0 END",
    },
];

/// Accounts whose id is not the one derived from whose they are: postings would not find them.
///
/// # Errors
/// The database's.
pub async fn misnamed_accounts(db: &impl ConnectionTrait) -> Result<Vec<Finding>, DbErr> {
    const BATCH: u64 = 10_000;
    let mut found = Vec::new();
    let mut after = entity::id::AccountId::NIL;
    loop {
        use account::{Column, Entity};
        use sea_orm::{ColumnTrait as _, QueryFilter as _};
        let rows = Entity::find().filter(Column::Id.gt(after)).order_by_asc(Column::Id).limit(BATCH).all(db).await?;
        let Some(last) = rows.last() else { return Ok(found) };
        after = last.id;
        let misnamed = rows.iter().filter(|row| match (row.kind, row.member_id, row.region_code.as_deref()) {
            (AccountKind::Member, Some(member), None) => super::account::of_member(&row.programme, member) != row.id,
            (kind, None, Some(community)) => super::account::of_books(&row.programme, kind, community) != row.id,
            _ => true,
        });
        found.extend(misnamed.map(|row| Finding {
            check: "account_id_is_derived",
            table: "account".to_owned(),
            row: row.id.to_string(),
            expected: None,
            found: None,
        }));
    }
}

/// Sums of the turnover that are not those of the sealed entries, over all months. A journal that is not sealed yet is not in
/// the turnover either.
///
/// # Errors
/// The database's.
pub async fn turnover(db: &impl ConnectionTrait) -> Result<Vec<Finding>, DbErr> {
    const SQL: &str = "SELECT programme, region_code, kind, CAST(SUM(entered) AS bigint) AS expected,
            CAST(SUM(folded) AS bigint) AS found FROM (
        SELECT j.programme AS programme, a.region_code AS region_code, j.kind AS kind, -e.amount AS entered, 0 AS folded
            FROM entry e JOIN account a ON a.id = e.account_id JOIN journal j ON j.id = e.journal_id
            WHERE a.kind <> 'member' AND NOT EXISTS (SELECT 1 FROM unsealed u WHERE u.journal_id = j.id)
        UNION ALL SELECT programme, region_code, kind, 0, amount FROM turnover) AS both_sides
        GROUP BY programme, region_code, kind HAVING SUM(entered) <> SUM(folded) ORDER BY programme, region_code, kind";
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), SQL)).await?;
    let finding = |row: &QueryResult| {
        let text = |column| row.try_get::<String>("", column);
        Ok(Finding {
            check: "turnover_is_sum_of_sealed_entries",
            table: "turnover".to_owned(),
            row: format!("{} {} {}", text("programme")?, text("region_code")?, text("kind")?),
            expected: row.try_get("", "expected")?,
            found: row.try_get("", "found")?,
        })
    };
    rows.iter().map(finding).collect()
}
