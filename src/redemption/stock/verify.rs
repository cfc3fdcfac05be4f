//! What must hold of stock takes and transfers.

use crate::verify::Check;

/// See [`crate::verify`].
pub const CHECKS: &[Check] = &[
    Check {
        name: "difference_has_its_movement",
        table: "stock_take",
        sql: "SELECT l.stock_take_id AS id, l.counted - l.expected AS expected, m.quantity AS found FROM stock_take_line l
            LEFT JOIN stock_movement m ON m.id = l.movement_id AND m.goods_id = l.goods_id AND m.reason = 'count'
            WHERE COALESCE(m.quantity, 0) <> l.counted - l.expected",
    },
    Check {
        name: "sent_has_left_the_shelf",
        table: "stock_transfer",
        sql: "SELECT t.id AS id, -t.quantity AS expected, m.quantity AS found FROM stock_transfer t
            LEFT JOIN stock_movement m ON m.id = t.out_movement_id AND m.goods_id = t.from_goods_id AND m.reason = 'transfer_out'
            WHERE COALESCE(m.quantity, 0) <> -t.quantity",
    },
    Check {
        name: "sent_arrived_or_came_back",
        table: "stock_transfer",
        sql: "SELECT t.id AS id, t.quantity AS expected, m.quantity AS found FROM stock_transfer t
            LEFT JOIN stock_movement m ON m.id = t.in_movement_id AND m.reason = 'transfer_in'
                AND m.goods_id = CASE WHEN t.status = 'cancelled' THEN t.from_goods_id ELSE t.to_goods_id END
            WHERE COALESCE(m.quantity, 0) <> CASE WHEN t.status = 'sent' THEN 0 ELSE t.quantity END",
    },
    Check {
        name: "shortage_is_a_loss",
        table: "stock_transfer",
        sql: "SELECT t.id AS id, t.received - t.quantity AS expected, m.quantity AS found FROM stock_transfer t
            LEFT JOIN stock_movement m ON m.id = t.loss_movement_id AND m.goods_id = t.to_goods_id AND m.reason = 'loss'
            WHERE COALESCE(m.quantity, 0) <> CASE WHEN t.status = 'received' THEN t.received - t.quantity ELSE 0 END",
    },
    // Imported movements have a ref: what an export left of a transfer.
    Check {
        name: "transfer_movement_has_its_transfer",
        table: "stock_movement",
        sql: "SELECT m.id AS id, 1 AS expected, 0 AS found FROM stock_movement m
            LEFT JOIN stock_transfer o ON o.out_movement_id = m.id
            LEFT JOIN stock_transfer i ON i.in_movement_id = m.id
            WHERE m.reason IN ('transfer_out', 'transfer_in') AND m.ref_id IS NULL AND o.id IS NULL AND i.id IS NULL",
    },
];
