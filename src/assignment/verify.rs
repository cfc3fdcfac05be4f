//! What must hold of assignments.

use crate::verify::Check;

/// See [`crate::verify`].
pub const CHECKS: &[Check] = &[
    Check {
        name: "objective_is_the_sum_of_scores",
        table: "assignment",
        sql: "SELECT a.id AS id, COALESCE(p.total, 0) AS expected, a.objective AS found FROM assignment a
            LEFT JOIN (SELECT assignment_id, SUM(score) AS total FROM assignment_pair GROUP BY assignment_id) p
                ON p.assignment_id = a.id
            WHERE COALESCE(p.total, 0) <> a.objective",
    },
    Check {
        name: "assigned_are_the_pairs",
        table: "assignment",
        sql: "SELECT a.id AS id, COALESCE(p.n, 0) AS expected, a.assigned AS found FROM assignment a
            LEFT JOIN (SELECT assignment_id, COUNT(*) AS n FROM assignment_pair GROUP BY assignment_id) p
                ON p.assignment_id = a.id
            WHERE COALESCE(p.n, 0) <> a.assigned",
    },
    Check {
        name: "an_offered_pair_is_its_offer",
        table: "assignment",
        sql: "SELECT p.assignment_id AS id, p.score AS expected, o.score AS found FROM assignment_pair p
            LEFT JOIN offer o ON o.claim_id = p.claim_id AND o.task_id = p.task_id AND o.member_id = p.member_id
                AND o.assignment_id = p.assignment_id
            WHERE p.outcome = 'offered' AND (o.claim_id IS NULL OR o.score <> p.score)",
    },
    Check {
        name: "what_is_offered_leaves_nothing_planned",
        table: "assignment",
        sql: "SELECT a.id AS id, 0 AS expected, COUNT(*) AS found FROM assignment a
            JOIN assignment_pair p ON p.assignment_id = a.id
            WHERE a.status = 'offered' AND p.outcome = 'planned' GROUP BY a.id",
    },
];
