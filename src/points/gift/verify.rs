//! What must hold of gifts and of what accounts' caps moved.

use crate::verify::Check;

/// See [`crate::verify`].
pub const CHECKS: &[Check] = &[
    Check {
        name: "gift_is_posted_once",
        table: "gift",
        sql: "SELECT g.id AS id, g.amount AS expected, COALESCE(s.amount, 0) AS found FROM gift g
            LEFT JOIN (SELECT j.source_id, a.member_id, SUM(e.amount) AS amount FROM journal j
                JOIN entry e ON e.journal_id = j.id JOIN account a ON a.id = e.account_id
                WHERE j.source_kind = 'gift' AND j.kind = 'gift' GROUP BY j.source_id, a.member_id) s
                ON s.source_id = g.id AND s.member_id = g.receiver_id
            WHERE COALESCE(s.amount, 0) <> g.amount",
    },
    Check {
        name: "gift_is_taken_back_once",
        table: "gift",
        sql: "SELECT g.id AS id, CASE WHEN g.reversed_at IS NULL THEN 0 ELSE g.amount END AS expected,
                COALESCE(s.amount, 0) AS found FROM gift g
            LEFT JOIN (SELECT j.source_id, a.member_id, SUM(e.amount) AS amount FROM journal j
                JOIN entry e ON e.journal_id = j.id JOIN account a ON a.id = e.account_id
                WHERE j.source_kind = 'gift_reversal' AND j.reverses_id IS NOT NULL GROUP BY j.source_id, a.member_id) s
                ON s.source_id = g.id AND s.member_id = g.giver_id
            WHERE COALESCE(s.amount, 0) <> CASE WHEN g.reversed_at IS NULL THEN 0 ELSE g.amount END",
    },
    Check {
        name: "gift_moves_between_its_two_members",
        table: "journal",
        sql: "SELECT j.id AS id, NULL AS expected, e.line AS found FROM journal j
            JOIN entry e ON e.journal_id = j.id JOIN account a ON a.id = e.account_id
            LEFT JOIN gift g ON g.id = j.source_id
            WHERE j.source_kind IN ('gift', 'gift_reversal') AND (g.id IS NULL OR a.member_id IS NULL
                OR (a.member_id <> g.giver_id AND a.member_id <> g.receiver_id) OR j.programme <> g.programme)",
    },
    Check {
        name: "cap_moves_no_more_than_was_credited",
        table: "journal",
        sql: "SELECT j.id AS id, c.amount AS expected, m.amount AS found FROM journal j
            JOIN (SELECT e.journal_id, e.account_id, -SUM(e.amount) AS amount FROM entry e
                GROUP BY e.journal_id, e.account_id) m ON m.journal_id = j.id
            JOIN account a ON a.id = m.account_id AND a.kind = 'member'
            LEFT JOIN (SELECT e.journal_id, e.account_id, SUM(e.amount) AS amount FROM entry e
                GROUP BY e.journal_id, e.account_id) c ON c.journal_id = j.source_id AND c.account_id = m.account_id
            WHERE j.source_kind = 'account_cap' AND (c.amount IS NULL OR m.amount > c.amount OR m.amount <= 0)",
    },
    Check {
        name: "no_more_comes_back_than_a_cap_moved",
        table: "journal",
        sql: "SELECT r.id AS id, m.amount AS expected, b.amount AS found FROM journal r
            JOIN (SELECT e.journal_id, SUM(e.amount) AS amount FROM entry e JOIN account a ON a.id = e.account_id
                WHERE a.kind = 'donated' GROUP BY e.journal_id) b ON b.journal_id = r.id
            LEFT JOIN journal j ON j.source_kind = 'account_cap' AND j.source_id = r.source_id
            LEFT JOIN (SELECT e.journal_id, SUM(e.amount) AS amount FROM entry e JOIN account a ON a.id = e.account_id
                WHERE a.kind = 'donated' GROUP BY e.journal_id) m ON m.journal_id = j.id
            WHERE r.source_kind = 'account_cap_return' AND (m.amount IS NULL OR -b.amount > m.amount)",
    },
    Check {
        name: "nothing_is_given_that_was_not_donated",
        table: "account",
        sql:
            "SELECT a.id AS id, 0 AS expected, SUM(e.amount) AS found FROM account a JOIN entry e ON e.account_id = a.id
            WHERE a.kind = 'donated' GROUP BY a.id HAVING SUM(e.amount) < 0",
    },
    Check {
        name: "round_gives_each_member_its_share",
        table: "grant_round",
        sql: "SELECT r.id AS id, r.members AS expected, COUNT(d.id) AS found FROM grant_round r
            LEFT JOIN adjustment d ON d.round_id = r.id AND d.amount = r.amount_each AND d.status = r.status
                AND d.direction = 'grant' AND d.programme = r.programme
            GROUP BY r.id, r.members HAVING COUNT(d.id) <> r.members",
    },
];
