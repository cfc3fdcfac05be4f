//! What must hold of vouchers. That a code is given to one redemption at most stands in its row.

use crate::verify::Check;

/// See [`crate::verify`].
pub const CHECKS: &[Check] = &[
    Check {
        name: "voucher_stock_is_free_codes",
        table: "goods",
        sql: "SELECT g.id AS id, g.stock AS expected, COALESCE(v.codes, 0) AS found FROM goods g
            LEFT JOIN (SELECT goods_id, COUNT(*) AS codes FROM voucher WHERE status = 'free' GROUP BY goods_id) v
                ON v.goods_id = g.id
            WHERE g.kind = 'voucher' AND g.stock <> COALESCE(v.codes, 0)",
    },
    Check {
        name: "voucher_pieces_are_codes",
        table: "redemption",
        sql: "SELECT p.redemption_id AS id, p.pieces AS expected, COALESCE(v.codes, 0) AS found FROM (
                SELECT redemption_id, goods_id, SUM(quantity) AS pieces FROM (
                    SELECT r.id AS redemption_id, r.goods_id, r.quantity FROM redemption r WHERE r.status = 'fulfilled'
                    UNION ALL SELECT l.redemption_id, l.goods_id, l.quantity FROM redemption_line l
                        JOIN redemption r ON r.id = l.redemption_id AND r.status = 'fulfilled') piece
                GROUP BY redemption_id, goods_id) p
            JOIN goods g ON g.id = p.goods_id AND g.kind = 'voucher'
            LEFT JOIN (SELECT redemption_id, goods_id, COUNT(*) AS codes FROM voucher WHERE status = 'given'
                GROUP BY redemption_id, goods_id) v ON v.redemption_id = p.redemption_id AND v.goods_id = p.goods_id
            WHERE p.pieces <> COALESCE(v.codes, 0)",
    },
    Check {
        name: "given_voucher_has_its_redemption",
        table: "voucher",
        sql: "SELECT v.id AS id, 1 AS expected, 0 AS found FROM voucher v
            LEFT JOIN redemption r ON r.id = v.redemption_id AND r.status = 'fulfilled'
            WHERE v.status = 'given' AND (r.id IS NULL OR NOT (r.goods_id = v.goods_id
                OR EXISTS (SELECT 1 FROM redemption_line l WHERE l.redemption_id = r.id AND l.goods_id = v.goods_id)))",
    },
];
