//! What must hold of settlements.

use crate::verify::Check;

/// See [`crate::verify`].
pub const CHECKS: &[Check] = &[
    Check {
        name: "settlement_is_the_sum_of_its_lines",
        table: "settlement",
        sql:
            "SELECT s.id AS id, s.amount - s.refunded_amount AS expected, COALESCE(l.owed, 0) AS found FROM settlement s
            LEFT JOIN (SELECT close_id, supplier_unit_id,
                    SUM(CASE WHEN kind = 'fulfilled' THEN quantity * cost ELSE -quantity * cost END) AS owed,
                    SUM(CASE WHEN kind = 'fulfilled' THEN quantity ELSE 0 END) AS pieces,
                    SUM(CASE WHEN kind = 'fulfilled' THEN 0 ELSE quantity END) AS refunded_pieces,
                    SUM(CASE WHEN kind = 'fulfilled' THEN points ELSE -points END) AS points
                FROM settlement_line GROUP BY close_id, supplier_unit_id) l
                ON l.close_id = s.close_id AND l.supplier_unit_id = s.supplier_unit_id
            WHERE s.amount - s.refunded_amount <> COALESCE(l.owed, 0) OR s.pieces <> COALESCE(l.pieces, 0)
                OR s.refunded_pieces <> COALESCE(l.refunded_pieces, 0)
                OR s.points - s.refunded_points <> COALESCE(l.points, 0)",
    },
    Check {
        name: "settled_was_handed_out",
        table: "settlement_line",
        sql: "SELECT s.redemption_id AS id, s.quantity AS expected, COALESCE(l.quantity, r.quantity) AS found
            FROM settlement_line s JOIN redemption r ON r.id = s.redemption_id
            LEFT JOIN redemption_line l ON l.redemption_id = s.redemption_id AND l.line = s.line
            WHERE s.quantity <> COALESCE(l.quantity, r.quantity) OR s.goods_id <> COALESCE(l.goods_id, r.goods_id)
                OR (s.line > 1 AND l.line IS NULL)
                OR (s.kind = 'fulfilled' AND r.status NOT IN ('fulfilled', 'refunded'))
                OR (s.kind = 'refunded' AND r.status <> 'refunded')",
    },
    Check {
        name: "settled_line_has_its_settlement",
        table: "settlement_line",
        sql: "SELECT l.redemption_id AS id, 1 AS expected, 0 AS found FROM settlement_line l
            LEFT JOIN settlement s ON s.close_id = l.close_id AND s.supplier_unit_id = l.supplier_unit_id
            WHERE s.id IS NULL",
    },
];
