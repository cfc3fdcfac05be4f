//! What was handed out and what came back, at the terms of its time, as long as no settlement has it.

use chrono::{DateTime, Utc};
use entity::id::{SettlementCloseId, UnitId};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Statement};

use crate::region::Subtree;

/// `owed` in SQL: of the regions from $1 to before $2, until before $3. The first line of a redemption is its own row, whose
/// points are those of all lines.
const OWED: &str = "WITH piece AS (
    SELECT r.id AS redemption_id, 1 AS line, r.goods_id, r.quantity,
        CAST(r.points - CASE WHEN r.line_count > 1 THEN
            (SELECT SUM(l.points) FROM redemption_line l WHERE l.redemption_id = r.id) ELSE 0 END AS bigint) AS points,
        r.region_code, r.status, r.fulfilled_at, r.ended_at
    FROM redemption r WHERE r.region_code >= $1 AND r.region_code < $2 AND r.status IN ('fulfilled', 'refunded')
    UNION ALL
    SELECT l.redemption_id, l.line, l.goods_id, l.quantity, l.points, r.region_code, r.status, r.fulfilled_at, r.ended_at
    FROM redemption r JOIN redemption_line l ON l.redemption_id = r.id
    WHERE r.region_code >= $1 AND r.region_code < $2 AND r.status IN ('fulfilled', 'refunded') AND r.line_count > 1
), fact AS (
    SELECT redemption_id, line, 'fulfilled' AS kind, goods_id, quantity, points, fulfilled_at, fulfilled_at AS at
    FROM piece WHERE fulfilled_at < $3
    UNION ALL
    SELECT redemption_id, line, 'refunded' AS kind, goods_id, quantity, points, fulfilled_at, ended_at AS at
    FROM piece WHERE status = 'refunded' AND ended_at < $3
), owed AS (
    SELECT f.redemption_id, f.line, f.kind, f.goods_id, f.quantity, f.points, f.at,
        CASE WHEN t.goods_id IS NULL THEN g.supplier_unit_id ELSE t.supplier_unit_id END AS supplier_unit_id,
        CASE WHEN t.goods_id IS NULL THEN g.cost ELSE t.cost END AS cost
    FROM fact f JOIN goods g ON g.id = f.goods_id
    LEFT JOIN goods_terms t ON t.goods_id = f.goods_id AND t.until =
        (SELECT MIN(u.until) FROM goods_terms u WHERE u.goods_id = f.goods_id AND u.until > f.fulfilled_at)
    WHERE NOT EXISTS (SELECT 1 FROM settlement_line s
        WHERE s.redemption_id = f.redemption_id AND s.line = f.line AND s.kind = f.kind)
)";

/// Sums over lines of one supplier; $ stands for nothing here.
const SUMS: &str = "
    CAST(SUM(CASE WHEN kind = 'fulfilled' THEN quantity ELSE 0 END) AS bigint) AS pieces,
    CAST(SUM(CASE WHEN kind = 'fulfilled' THEN points ELSE 0 END) AS bigint) AS points,
    CAST(SUM(CASE WHEN kind = 'fulfilled' THEN quantity * cost ELSE 0 END) AS bigint) AS amount,
    CAST(SUM(CASE WHEN kind = 'refunded' THEN quantity ELSE 0 END) AS bigint) AS refunded_pieces,
    CAST(SUM(CASE WHEN kind = 'refunded' THEN points ELSE 0 END) AS bigint) AS refunded_points,
    CAST(SUM(CASE WHEN kind = 'refunded' THEN quantity * cost ELSE 0 END) AS bigint) AS refunded_amount";

/// What one supplier is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromQueryResult)]
pub(super) struct Sums {
    pub(super) supplier_unit_id: UnitId,
    pub(super) pieces: i64,
    /// Hundredths.
    pub(super) points: i64,
    /// Fen.
    pub(super) amount: i64,
    pub(super) refunded_pieces: i64,
    /// Hundredths.
    pub(super) refunded_points: i64,
    /// Fen.
    pub(super) refunded_amount: i64,
}

/// What is not settled yet of all that happened in a region before `until`, by supplier. For plain reads.
///
/// # Errors
/// The database's.
pub(super) async fn open(
    db: &impl ConnectionTrait,
    region: &Subtree,
    until: DateTime<Utc>,
) -> Result<Vec<Sums>, DbErr> {
    let sql = format!(
        "{OWED} SELECT supplier_unit_id, {SUMS} FROM owed WHERE supplier_unit_id IS NOT NULL GROUP BY supplier_unit_id"
    );
    let values = [region.lo().into(), region.hi().into(), until.into()];
    let rows = db.query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
    rows.iter().map(|row| Sums::from_query_result(row, "")).collect()
}

/// Puts all that into a closing; what another one takes at the same time is left to it. The answer is by supplier.
///
/// # Errors
/// The database's.
pub(super) async fn take(
    db: &impl ConnectionTrait,
    close: SettlementCloseId,
    region: &Subtree,
    until: DateTime<Utc>,
) -> Result<Vec<Sums>, DbErr> {
    const COLUMNS: &str = "redemption_id, line, kind, close_id, supplier_unit_id, goods_id, quantity, points, cost, at";
    let backend = db.get_database_backend();
    let sql = format!(
        "{OWED} INSERT INTO settlement_line ({COLUMNS})
            SELECT redemption_id, line, kind, $4, supplier_unit_id, goods_id, quantity, points, cost, at
            FROM owed WHERE supplier_unit_id IS NOT NULL
            ON CONFLICT (redemption_id, line, kind) DO NOTHING"
    );
    let values = [region.lo().into(), region.hi().into(), until.into(), close.0.into()];
    db.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    let sql =
        format!("SELECT supplier_unit_id, {SUMS} FROM settlement_line WHERE close_id = $1 GROUP BY supplier_unit_id");
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, sql, [close.0.into()])).await?;
    rows.iter().map(|row| Sums::from_query_result(row, "")).collect()
}
