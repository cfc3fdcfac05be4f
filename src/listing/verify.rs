//! What must hold of listings and bookings.

use crate::verify::Check;

/// See [`crate::verify`].
pub const CHECKS: &[Check] = &[
    Check {
        name: "period_holds_what_is_booked",
        table: "listing_period",
        sql: "SELECT p.id AS id, COALESCE(b.held, 0) AS expected, p.taken AS found FROM listing_period p
            LEFT JOIN (SELECT period_id, SUM(quantity) AS held FROM booking
                WHERE status IN ('booked', 'attended', 'done') GROUP BY period_id) b ON b.period_id = p.id
            WHERE p.taken <> COALESCE(b.held, 0) OR p.taken > p.capacity",
    },
    Check {
        name: "period_knows_who_waits",
        table: "listing_period",
        sql: "SELECT p.id AS id, COALESCE(b.waiting, 0) AS expected, p.waiting AS found FROM listing_period p
            LEFT JOIN (SELECT period_id, COUNT(*) AS waiting FROM booking
                WHERE status = 'waiting' GROUP BY period_id) b ON b.period_id = p.id
            WHERE p.waiting <> COALESCE(b.waiting, 0)",
    },
    Check {
        name: "booking_counts_in_its_listing",
        table: "booking",
        sql: "SELECT b.id AS id, NULL AS expected, NULL AS found FROM booking b
            JOIN listing_period p ON p.id = b.period_id WHERE p.listing_id <> b.listing_id",
    },
    Check {
        name: "nobody_waits_for_what_ended",
        table: "booking",
        sql: "SELECT b.id AS id, 0 AS expected, 1 AS found FROM booking b JOIN listing l ON l.id = b.listing_id
            WHERE b.status = 'waiting' AND l.status IN ('closed', 'withdrawn', 'expired')",
    },
    Check {
        name: "task_of_a_need_is_its_own",
        table: "listing",
        sql: "SELECT r.listing_id AS id, NULL AS expected, NULL AS found FROM listing_round r
            JOIN task t ON t.id = r.task_id JOIN listing l ON l.id = r.listing_id
            WHERE t.source_kind <> 'listing' OR t.source_id <> r.listing_id OR l.kind <> 'need'",
    },
    Check {
        name: "withdrawn_need_has_no_open_task",
        table: "listing",
        sql: "SELECT l.id AS id, 0 AS expected, COUNT(*) AS found FROM listing l
            JOIN listing_round r ON r.listing_id = l.id JOIN task t ON t.id = r.task_id
            WHERE l.status = 'withdrawn' AND t.status IN ('open', 'full') GROUP BY l.id",
    },
    Check {
        name: "record_of_a_booking_is_the_providers",
        table: "booking",
        sql: "SELECT b.id AS id, NULL AS expected, NULL AS found FROM booking b JOIN listing l ON l.id = b.listing_id
            JOIN service_record s ON s.id = b.record_id WHERE l.member_id IS NULL OR s.member_id <> l.member_id",
    },
];
