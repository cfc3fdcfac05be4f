//! What must hold of wishes and their tasks.

use crate::verify::Check;

/// See [`crate::verify`].
pub const CHECKS: &[Check] = &[
    Check {
        name: "wish_is_where_its_task_is",
        table: "wish",
        sql: "SELECT w.id AS id, NULL AS expected, t.taken AS found FROM wish w JOIN task t ON t.id = w.task_id
            WHERE NOT CASE w.status
                WHEN 'published' THEN t.status = 'open' AND t.taken = 0
                WHEN 'claimed' THEN t.status IN ('open', 'full') AND t.taken > 0
                WHEN 'in_service' THEN t.status = 'in_progress'
                WHEN 'fulfilled' THEN t.status = 'done'
                WHEN 'confirmed' THEN t.status = 'done'
                WHEN 'disputed' THEN t.status = 'done'
                WHEN 'cancelled' THEN t.status = 'closed' AND t.taken = 0
                WHEN 'expired' THEN t.status = 'closed' AND t.taken = 0
                ELSE FALSE END",
    },
    Check {
        name: "published_wish_has_a_task",
        table: "wish",
        sql: "SELECT id, 1 AS expected, 0 AS found FROM wish WHERE task_id IS NULL
            AND status IN ('published', 'claimed', 'in_service', 'fulfilled')",
    },
];
