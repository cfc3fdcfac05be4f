//! What must hold of coded lists and of what refers to them.

use crate::verify::Check;

/// See [`crate::verify`].
pub const CHECKS: &[Check] = &[
    Check {
        name: "live_task_has_no_merged_skill",
        table: "task",
        sql: "SELECT t.id AS id, NULL AS expected, NULL AS found FROM task t JOIN task_skill s ON s.task_id = t.id
            JOIN code_item c ON c.list = 'skill' AND c.code = s.skill
            WHERE c.merged_into IS NOT NULL AND t.status IN ('open', 'full', 'in_progress')",
    },
    Check {
        name: "live_task_has_no_merged_hazard",
        table: "task",
        sql: "SELECT t.id AS id, NULL AS expected, NULL AS found FROM task t JOIN task_hazard h ON h.task_id = t.id
            JOIN code_item c ON c.list = 'hazard' AND c.code = h.hazard
            WHERE c.merged_into IS NOT NULL AND t.status IN ('open', 'full', 'in_progress')",
    },
    Check {
        name: "live_listing_has_no_merged_skill",
        table: "listing",
        sql: "SELECT l.id AS id, NULL AS expected, NULL AS found FROM listing l JOIN listing_skill s ON s.listing_id = l.id
            JOIN code_item c ON c.list = 'skill' AND c.code = s.skill
            WHERE c.merged_into IS NOT NULL AND l.status IN ('draft', 'published')",
    },
    Check {
        name: "volunteer_has_no_merged_skill",
        table: "member",
        sql: "SELECT s.member_id AS id, NULL AS expected, NULL AS found FROM member_skill s
            JOIN code_item c ON c.list = 'skill' AND c.code = s.skill WHERE c.merged_into IS NOT NULL",
    },
    Check {
        name: "task_has_the_hazards_of_its_wish",
        table: "wish",
        sql: "SELECT w.id AS id, NULL AS expected, NULL AS found FROM wish w JOIN wish_hazard h ON h.wish_id = w.id
            WHERE w.status IN ('published', 'claimed', 'in_service') AND NOT EXISTS
            (SELECT 1 FROM task_hazard t WHERE t.task_id = w.task_id AND t.hazard = h.hazard)",
    },
];
