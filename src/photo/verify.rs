//! What must hold of photos.

use crate::verify::Check;

/// See [`crate::verify`].
pub const CHECKS: &[Check] = &[
    Check {
        name: "photo_has_its_picture",
        table: "photo",
        sql: "SELECT p.id AS id, 1 AS expected, 0 AS found FROM photo p
            LEFT JOIN photo_content c ON c.photo_id = p.id WHERE c.photo_id IS NULL",
    },
    Check {
        name: "photo_is_attached_to_what_is_there",
        table: "photo",
        sql: "SELECT p.id AS id, NULL AS expected, NULL AS found FROM photo p
            LEFT JOIN merit m ON m.id = p.subject_id AND p.subject_kind = 'merit'
            LEFT JOIN claim c ON c.id = p.subject_id AND p.subject_kind = 'claim'
            WHERE p.subject_id IS NOT NULL AND COALESCE(m.member_id, c.member_id) IS NULL",
    },
];
