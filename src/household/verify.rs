//! What must hold of households.

use crate::verify::Check;

/// See [`crate::verify`].
pub const CHECKS: &[Check] = &[
    Check {
        name: "member_belongs_to_one_household",
        table: "household_member",
        sql: "SELECT member_id AS id, 1 AS expected, COUNT(*) AS found FROM household_member
            WHERE status = 'joined' GROUP BY member_id HAVING COUNT(*) > 1",
    },
    Check {
        name: "household_has_one_head",
        table: "household",
        sql: "SELECT h.id AS id, 1 AS expected, COUNT(m.member_id) AS found FROM household h
            LEFT JOIN household_member m ON m.household_id = h.id AND m.role = 'head'
            WHERE EXISTS (SELECT 1 FROM household_member o WHERE o.household_id = h.id AND o.status <> 'left')
            GROUP BY h.id HAVING COUNT(m.member_id) <> 1",
    },
    Check {
        name: "household_ends_with_its_last_member",
        table: "household",
        sql: "SELECT h.id AS id, NULL AS expected, NULL AS found FROM household h
            WHERE (h.ended_at IS NOT NULL) AND EXISTS
                (SELECT 1 FROM household_member o WHERE o.household_id = h.id AND o.status <> 'left')",
    },
    Check {
        name: "whoever_pools_has_agreed",
        table: "household_member",
        sql: "SELECT member_id AS id, SUM(consented) AS expected, SUM(pooling) AS found FROM (
                SELECT member_id, 0 AS consented, 1 AS pooling FROM household_member WHERE pools
                UNION ALL SELECT member_id, 1, 0 FROM consent
                    WHERE kind = 'household_pooling' AND withdrawn_at IS NULL) AS both_sides
            GROUP BY member_id HAVING SUM(consented) <> SUM(pooling)",
    },
];
