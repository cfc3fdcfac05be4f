//! What must hold of tasks and claims.

use crate::verify::Check;

/// See [`crate::verify`].
pub const CHECKS: &[Check] = &[
    Check {
        name: "slots_taken_are_claims",
        table: "task",
        sql: "SELECT t.id AS id, COALESCE(c.n, 0) AS expected, t.taken AS found FROM task t
            LEFT JOIN (SELECT task_id, COUNT(*) AS n FROM claim
                WHERE status IN ('accepted', 'checked_in', 'checked_out', 'verified', 'rejected') GROUP BY task_id) c
                ON c.task_id = t.id
            WHERE COALESCE(c.n, 0) <> t.taken",
    },
    Check {
        name: "slots_are_enough",
        table: "task",
        sql: "SELECT id, slots AS expected, taken AS found FROM task WHERE taken < 0 OR taken > slots",
    },
    Check {
        name: "claims_of_one_member_do_not_overlap",
        table: "claim",
        sql: "SELECT id, NULL AS expected, NULL AS found FROM (SELECT id, window_until,
                LEAD(window_from) OVER (PARTITION BY member_id ORDER BY window_from, window_until) AS next_from FROM claim
                WHERE status IN ('accepted', 'checked_in')) AS runs
            WHERE next_from < window_until",
    },
];
