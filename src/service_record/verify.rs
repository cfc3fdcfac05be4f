//! What must hold of service records.

use crate::verify::Check;

/// See [`crate::verify`].
pub const CHECKS: &[Check] = &[
    Check {
        name: "records_of_one_member_do_not_overlap",
        table: "service_record",
        sql: "SELECT id, NULL AS expected, NULL AS found FROM (SELECT id, ended_at,
                LEAD(started_at) OVER (PARTITION BY member_id ORDER BY started_at, ended_at) AS next_at FROM service_record
                WHERE status IN ('pending', 'verified', 'disputed') AND started_at < ended_at) AS runs
            WHERE next_at < ended_at",
    },
    // A record counts from its verification; a reversed one has its points taken back by another journal. What was imported
    // as reversed came without its journals. What no budget could pay is owed, or was until the record was reversed.
    Check {
        name: "record_earned_its_points_once",
        table: "service_record",
        sql: "SELECT r.id AS id, CASE WHEN r.counted_at IS NULL THEN 0 ELSE COALESCE(r.points, 0) END AS expected,
                COALESCE(s.amount, 0) AS found FROM service_record r
            LEFT JOIN (SELECT source_id, SUM(amount) AS amount FROM (
                SELECT j.source_id AS source_id, e.amount AS amount FROM journal j JOIN entry e ON e.journal_id = j.id
                    JOIN account a ON a.id = e.account_id WHERE j.source_kind = 'service_record' AND a.kind = 'member'
                UNION ALL SELECT source_id, amount FROM due WHERE source_kind = 'service_record' AND status <> 'paid'
                ) AS posted_or_owed GROUP BY source_id) s ON s.source_id = r.id
            WHERE COALESCE(s.amount, 0) <> CASE WHEN r.counted_at IS NULL THEN 0 ELSE COALESCE(r.points, 0) END
                AND NOT (r.status = 'reversed' AND r.ref_id IS NOT NULL AND s.amount IS NULL)",
    },
    Check {
        name: "reversed_record_gave_its_points_back",
        table: "service_record",
        sql: "SELECT r.id AS id, CASE WHEN r.status = 'reversed' THEN 1 ELSE 0 END AS expected,
                CASE WHEN back.id IS NULL THEN 0 ELSE 1 END AS found FROM service_record r
            JOIN journal j ON j.source_kind = 'service_record' AND j.source_id = r.id
            LEFT JOIN journal back ON back.reverses_id = j.id
            WHERE (r.status = 'reversed') <> (back.id IS NOT NULL)",
    },
];
