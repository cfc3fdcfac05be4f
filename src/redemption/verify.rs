//! What must hold of goods and redemptions.

use crate::verify::Check;

/// See [`crate::verify`].
pub const CHECKS: &[Check] = &[
    Check {
        name: "stock_is_movements_less_redemptions",
        table: "goods",
        sql: "SELECT g.id AS id, COALESCE(m.quantity, 0) - COALESCE(r.quantity, 0) AS expected, g.stock AS found FROM goods g
            LEFT JOIN (SELECT goods_id, SUM(quantity) AS quantity FROM stock_movement GROUP BY goods_id) m ON m.goods_id = g.id
            LEFT JOIN (SELECT goods_id, SUM(quantity) AS quantity FROM (
                SELECT goods_id, quantity FROM redemption WHERE status IN ('reserved', 'fulfilled') AND slot_id IS NULL
                UNION ALL
                SELECT l.goods_id, l.quantity FROM redemption_line l JOIN redemption r ON r.id = l.redemption_id
                WHERE r.status IN ('reserved', 'fulfilled') AND l.slot_id IS NULL
            ) taken GROUP BY goods_id) r ON r.goods_id = g.id
            WHERE g.stock <> COALESCE(m.quantity, 0) - COALESCE(r.quantity, 0) OR g.stock < 0",
    },
    Check {
        name: "slot_is_taken_by_its_bookings",
        table: "goods_slot",
        sql: "SELECT s.id AS id, COALESCE(b.quantity, 0) AS expected, s.taken AS found FROM goods_slot s
            LEFT JOIN (SELECT slot_id, goods_id, SUM(quantity) AS quantity FROM (
                SELECT slot_id, goods_id, quantity FROM redemption
                WHERE status IN ('reserved', 'fulfilled') AND slot_id IS NOT NULL
                UNION ALL
                SELECT l.slot_id, l.goods_id, l.quantity FROM redemption_line l JOIN redemption r ON r.id = l.redemption_id
                WHERE r.status IN ('reserved', 'fulfilled') AND l.slot_id IS NOT NULL
            ) booked GROUP BY slot_id, goods_id) b ON b.slot_id = s.id AND b.goods_id = s.goods_id
            WHERE s.taken <> COALESCE(b.quantity, 0) OR s.taken < 0 OR s.taken > s.capacity",
    },
    Check {
        name: "booking_is_of_its_goods",
        table: "redemption",
        sql: "SELECT b.id AS id, 0 AS expected, 1 AS found FROM (
                SELECT id, goods_id, slot_id FROM redemption WHERE slot_id IS NOT NULL
                UNION ALL
                SELECT redemption_id AS id, goods_id, slot_id FROM redemption_line WHERE slot_id IS NOT NULL
            ) b LEFT JOIN goods_slot s ON s.id = b.slot_id AND s.goods_id = b.goods_id WHERE s.id IS NULL",
    },
    Check {
        name: "lines_are_as_many_as_counted",
        table: "redemption",
        sql: "SELECT r.id AS id, r.line_count - 1 AS expected, COALESCE(l.lines, 0) AS found FROM redemption r
            LEFT JOIN (SELECT redemption_id, COUNT(*) AS lines, SUM(points) AS points FROM redemption_line
                GROUP BY redemption_id) l ON l.redemption_id = r.id
            WHERE r.line_count - 1 <> COALESCE(l.lines, 0) OR r.points <= COALESCE(l.points, 0)",
    },
    Check {
        name: "line_is_of_its_redemption_s_member",
        table: "redemption",
        sql: "SELECT r.id AS id, 0 AS expected, 1 AS found FROM redemption_line l JOIN redemption r ON r.id = l.redemption_id
            WHERE l.member_id <> r.member_id",
    },
    Check {
        name: "shares_are_the_points",
        table: "redemption",
        sql: "SELECT r.id AS id, CASE WHEN r.shared THEN r.points ELSE 0 END AS expected, COALESCE(s.points, 0) AS found
            FROM redemption r LEFT JOIN (SELECT redemption_id, SUM(points) AS points FROM redemption_share
                GROUP BY redemption_id) s ON s.redemption_id = r.id
            WHERE COALESCE(s.points, 0) <> CASE WHEN r.shared THEN r.points ELSE 0 END",
    },
    Check {
        name: "reserved_has_its_hold",
        table: "redemption",
        sql: "SELECT r.id AS id, r.points AS expected, h.amount AS found FROM redemption r
            LEFT JOIN hold h ON h.source_kind = 'redemption' AND h.source_id = r.id AND h.status = 'open'
            WHERE r.status = 'reserved' AND NOT r.shared AND (h.amount IS NULL OR h.amount <> r.points)",
    },
    Check {
        name: "reserved_share_has_its_hold",
        table: "redemption_share",
        sql: "SELECT s.id AS id, s.points AS expected, h.amount AS found FROM redemption_share s
            JOIN redemption r ON r.id = s.redemption_id AND r.status = 'reserved'
            LEFT JOIN hold h ON h.source_kind = 'redemption_share' AND h.source_id = s.id AND h.status = 'open'
            LEFT JOIN account a ON a.id = h.account_id AND a.member_id = s.member_id
            WHERE h.amount IS NULL OR h.amount <> s.points OR a.id IS NULL",
    },
    Check {
        name: "open_hold_has_its_redemption",
        table: "hold",
        sql: "SELECT h.source_id AS id, h.amount AS expected, NULL AS found FROM hold h
            LEFT JOIN redemption r ON r.id = h.source_id AND r.status = 'reserved' AND NOT r.shared
            WHERE h.source_kind = 'redemption' AND h.status = 'open' AND r.id IS NULL",
    },
    Check {
        name: "open_hold_has_its_share",
        table: "hold",
        sql: "SELECT h.source_id AS id, h.amount AS expected, NULL AS found FROM hold h
            LEFT JOIN redemption_share s ON s.id = h.source_id
            LEFT JOIN redemption r ON r.id = s.redemption_id AND r.status = 'reserved' AND r.shared
            WHERE h.source_kind = 'redemption_share' AND h.status = 'open' AND r.id IS NULL",
    },
    Check {
        name: "handed_out_is_paid_once",
        table: "redemption",
        sql: "SELECT r.id AS id, CASE WHEN r.status IN ('fulfilled', 'refunded') AND NOT r.shared THEN -r.points ELSE 0 END
                AS expected, COALESCE(s.amount, 0) AS found FROM redemption r
            LEFT JOIN (SELECT j.source_id, SUM(e.amount) AS amount FROM journal j JOIN entry e ON e.journal_id = j.id
                JOIN account a ON a.id = e.account_id
                WHERE j.source_kind = 'redemption' AND a.kind = 'member' GROUP BY j.source_id) s ON s.source_id = r.id
            WHERE COALESCE(s.amount, 0)
                <> CASE WHEN r.status IN ('fulfilled', 'refunded') AND NOT r.shared THEN -r.points ELSE 0 END",
    },
    Check {
        name: "share_is_paid_once",
        table: "redemption_share",
        sql: "SELECT p.id AS id, CASE WHEN r.status IN ('fulfilled', 'refunded') THEN -p.points ELSE 0 END AS expected,
                COALESCE(s.amount, 0) AS found FROM redemption_share p JOIN redemption r ON r.id = p.redemption_id
            LEFT JOIN (SELECT j.source_id, a.member_id, SUM(e.amount) AS amount FROM journal j
                JOIN entry e ON e.journal_id = j.id JOIN account a ON a.id = e.account_id
                WHERE j.source_kind = 'redemption_share' AND a.kind = 'member' GROUP BY j.source_id, a.member_id) s
                ON s.source_id = p.id AND s.member_id = p.member_id
            WHERE COALESCE(s.amount, 0) <> CASE WHEN r.status IN ('fulfilled', 'refunded') THEN -p.points ELSE 0 END",
    },
    Check {
        name: "refunded_is_given_back_once",
        table: "redemption",
        sql: "SELECT r.id AS id, CASE WHEN r.status = 'refunded' AND NOT r.shared THEN r.points ELSE 0 END AS expected,
                COALESCE(s.amount, 0) AS found FROM redemption r
            LEFT JOIN (SELECT j.source_id, SUM(e.amount) AS amount FROM journal j JOIN entry e ON e.journal_id = j.id
                JOIN account a ON a.id = e.account_id
                WHERE j.source_kind = 'redemption_refund' AND a.kind = 'member' GROUP BY j.source_id) s ON s.source_id = r.id
            WHERE COALESCE(s.amount, 0) <> CASE WHEN r.status = 'refunded' AND NOT r.shared THEN r.points ELSE 0 END",
    },
    Check {
        name: "refunded_share_is_given_back_once",
        table: "redemption_share",
        sql: "SELECT p.id AS id, CASE WHEN r.status = 'refunded' THEN p.points ELSE 0 END AS expected,
                COALESCE(s.amount, 0) AS found FROM redemption_share p JOIN redemption r ON r.id = p.redemption_id
            LEFT JOIN (SELECT j.source_id, a.member_id, SUM(e.amount) AS amount FROM journal j
                JOIN entry e ON e.journal_id = j.id JOIN account a ON a.id = e.account_id
                WHERE j.source_kind = 'redemption_share_refund' AND a.kind = 'member' GROUP BY j.source_id, a.member_id) s
                ON s.source_id = p.id AND s.member_id = p.member_id
            WHERE COALESCE(s.amount, 0) <> CASE WHEN r.status = 'refunded' THEN p.points ELSE 0 END",
    },
];
