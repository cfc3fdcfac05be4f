//! What must hold of offers by the matcher.

use crate::verify::Check;

/// See [`crate::verify`].
pub const CHECKS: &[Check] = &[
    Check {
        name: "score_of_an_offer_is_the_sum_of_its_factors",
        table: "offer",
        sql: "SELECT claim_id AS id, skill_points + near_points + time_points AS expected, score AS found FROM offer
            WHERE score <> skill_points + near_points + time_points OR score > 100",
    },
    Check {
        name: "an_offer_is_its_claims",
        table: "offer",
        sql: "SELECT o.claim_id AS id, NULL AS expected, NULL AS found FROM offer o
            LEFT JOIN claim c ON c.id = o.claim_id AND c.task_id = o.task_id AND c.member_id = o.member_id
                AND c.offer_expires_at IS NOT NULL
            WHERE c.id IS NULL",
    },
    Check {
        name: "nobody_is_asked_twice_for_one_task",
        table: "task",
        sql: "SELECT task_id AS id, 1 AS expected, COUNT(*) AS found FROM offer
            WHERE withdrawn_at IS NULL GROUP BY task_id, member_id HAVING COUNT(*) > 1",
    },
    Check {
        name: "one_open_offer_for_a_member_and_task",
        table: "task",
        sql: "SELECT task_id AS id, 1 AS expected, COUNT(*) AS found FROM claim
            WHERE status = 'offered' GROUP BY task_id, member_id HAVING COUNT(*) > 1",
    },
];
