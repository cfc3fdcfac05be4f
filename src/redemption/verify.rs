//! What must hold of goods and redemptions.

use crate::verify::Check;

/// See [`crate::verify`].
pub const CHECKS: &[Check] = &[
    Check {
        name: "stock_is_movements_less_redemptions",
        table: "goods",
        sql: "SELECT g.id AS id, COALESCE(m.quantity, 0) - COALESCE(r.quantity, 0) AS expected, g.stock AS found FROM goods g
            LEFT JOIN (SELECT goods_id, SUM(quantity) AS quantity FROM stock_movement GROUP BY goods_id) m ON m.goods_id = g.id
            LEFT JOIN (SELECT goods_id, SUM(quantity) AS quantity FROM redemption
                WHERE status IN ('reserved', 'fulfilled') GROUP BY goods_id) r ON r.goods_id = g.id
            WHERE g.stock <> COALESCE(m.quantity, 0) - COALESCE(r.quantity, 0) OR g.stock < 0",
    },
    Check {
        name: "reserved_has_its_hold",
        table: "redemption",
        sql: "SELECT r.id AS id, r.points AS expected, h.amount AS found FROM redemption r
            LEFT JOIN hold h ON h.source_kind = 'redemption' AND h.source_id = r.id AND h.status = 'open'
            WHERE r.status = 'reserved' AND (h.amount IS NULL OR h.amount <> r.points)",
    },
    Check {
        name: "open_hold_has_its_redemption",
        table: "hold",
        sql: "SELECT h.source_id AS id, h.amount AS expected, NULL AS found FROM hold h
            LEFT JOIN redemption r ON r.id = h.source_id AND r.status = 'reserved'
            WHERE h.source_kind = 'redemption' AND h.status = 'open' AND r.id IS NULL",
    },
    Check {
        name: "handed_out_is_paid_once",
        table: "redemption",
        sql: "SELECT r.id AS id, CASE WHEN r.status IN ('fulfilled', 'refunded') THEN -r.points ELSE 0 END AS expected,
                COALESCE(s.amount, 0) AS found FROM redemption r
            LEFT JOIN (SELECT j.source_id, SUM(e.amount) AS amount FROM journal j JOIN entry e ON e.journal_id = j.id
                JOIN account a ON a.id = e.account_id
                WHERE j.source_kind = 'redemption' AND a.kind = 'member' GROUP BY j.source_id) s ON s.source_id = r.id
            WHERE COALESCE(s.amount, 0) <> CASE WHEN r.status IN ('fulfilled', 'refunded') THEN -r.points ELSE 0 END",
    },
    Check {
        name: "refunded_is_given_back_once",
        table: "redemption",
        sql: "SELECT r.id AS id, CASE WHEN r.status = 'refunded' THEN r.points ELSE 0 END AS expected,
                COALESCE(s.amount, 0) AS found FROM redemption r
            LEFT JOIN (SELECT j.source_id, SUM(e.amount) AS amount FROM journal j JOIN entry e ON e.journal_id = j.id
                JOIN account a ON a.id = e.account_id
                WHERE j.source_kind = 'redemption_refund' AND a.kind = 'member' GROUP BY j.source_id) s ON s.source_id = r.id
            WHERE COALESCE(s.amount, 0) <> CASE WHEN r.status = 'refunded' THEN r.points ELSE 0 END",
    },
];
