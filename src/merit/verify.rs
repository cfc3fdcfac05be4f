//! What must hold of merits.

use crate::verify::Check;

/// See [`crate::verify`].
pub const CHECKS: &[Check] = &[
    // What it is worth by rule was posted, or is owed, or was not there to be taken; once it is reversed what was owed is no
    // longer. Whatever is not approved has posted nothing.
    Check {
        name: "merit_moved_its_points_once",
        table: "merit",
        sql: "SELECT m.id AS id, COALESCE(m.points, 0) + m.shortfall AS expected,
                COALESCE(s.amount, 0) + COALESCE(d.amount, 0) AS found FROM merit m
            LEFT JOIN (SELECT j.source_id, SUM(e.amount) AS amount FROM journal j JOIN entry e ON e.journal_id = j.id
                JOIN account a ON a.id = e.account_id
                WHERE j.source_kind = 'merit' AND a.kind = 'member' GROUP BY j.source_id) s ON s.source_id = m.id
            LEFT JOIN (SELECT source_id, SUM(amount) AS amount FROM due
                WHERE source_kind = 'merit' AND status = 'waiting' GROUP BY source_id) d ON d.source_id = m.id
            WHERE COALESCE(s.amount, 0) + COALESCE(d.amount, 0) <> COALESCE(m.points, 0) + m.shortfall
                AND NOT (m.status = 'reversed' AND s.amount IS NULL AND d.amount IS NULL)",
    },
    Check {
        name: "reversed_merit_comes_to_nothing",
        table: "merit",
        sql: "SELECT m.id AS id, CASE WHEN m.status = 'reversed' THEN 1 ELSE 0 END AS expected,
                CASE WHEN back.id IS NULL THEN 0 ELSE 1 END AS found FROM merit m
            JOIN journal j ON j.source_kind = 'merit' AND j.source_id = m.id
            LEFT JOIN journal back ON back.reverses_id = j.id
            WHERE (m.status = 'reversed') <> (back.id IS NOT NULL)",
    },
    Check {
        name: "household_has_one_score_of_an_item_and_month",
        table: "merit",
        sql: "SELECT id, 1 AS expected, live AS found FROM (SELECT id,
                COUNT(*) OVER (PARTITION BY household_id, period, COALESCE(item, '')) AS live,
                ROW_NUMBER() OVER (PARTITION BY household_id, period, COALESCE(item, '') ORDER BY id) AS place
                FROM merit WHERE household_id IS NOT NULL AND status IN ('pending', 'approved')) AS scores
            WHERE live > 1 AND place = 1",
    },
];
