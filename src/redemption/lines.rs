//! A redemption with all its lines. The common one has a single line, which is its own row: then nothing more is read.

use entity::goods::GoodsKind;
use entity::id::{GoodsId, RedemptionId, SlotId};
use entity::redemption::{Column, Entity, Model};
use entity::{goods, goods_slot, redemption_line};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, FromQueryResult, JoinType, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, RelationDef, Select,
};

use crate::points::Points;

/// One line as it is shown.
#[derive(Clone, Debug)]
pub struct Line {
    pub goods_id: GoodsId,
    /// As the goods are called now.
    pub name: String,
    pub quantity: i32,
    /// Of all its pieces.
    pub points: Points,
    pub slot: Option<goods_slot::Model>,
}

/// A redemption and its lines, the first one first.
#[derive(Clone, Debug)]
pub struct Basket {
    pub row: Model,
    pub lines: Vec<Line>,
    /// Its goods are vouchers: it has a code for each piece.
    pub gives_codes: bool,
}

/// A row with the name of its first line's goods.
#[derive(Debug, FromQueryResult)]
pub(super) struct Named {
    #[sea_orm(nested)]
    pub(super) row: Model,
    goods_name: String,
    goods_kind: GoodsKind,
}

/// A query for redemptions, to be read as [`Named`].
pub(super) fn named(query: Select<Entity>) -> sea_orm::Selector<sea_orm::SelectModel<Named>> {
    let goods: RelationDef = Entity::belongs_to(goods::Entity).from(Column::GoodsId).to(goods::Column::Id).into();
    let query = query.column_as(goods::Column::Name, "goods_name").column_as(goods::Column::Kind, "goods_kind");
    query.join(JoinType::InnerJoin, goods).into_model()
}

impl Basket {
    /// With what of the lines does not stand in the row.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn of(db: &impl ConnectionTrait, found: Named) -> Result<Self, DbErr> {
        let Named { row, goods_name, goods_kind } = found;
        if row.line_count == 1 && row.slot_id.is_none() {
            let line = Line {
                goods_id: row.goods_id,
                name: goods_name,
                quantity: row.quantity,
                points: Points::from_hundredths(row.points),
                slot: None,
            };
            return Ok(Self { row, lines: vec![line], gives_codes: goods_kind == GoodsKind::Voucher });
        }
        let more = More::of(db, std::slice::from_ref(&row)).await?;
        Ok(more.basket(Named { row, goods_name, goods_kind }))
    }

    /// The same for a list, by three statements more at most.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn all(db: &impl ConnectionTrait, found: Vec<Named>) -> Result<Vec<Self>, DbErr> {
        let rows: Vec<Model> = found.iter().map(|found| found.row.clone()).collect();
        let more = More::of(db, &rows).await?;
        Ok(found.into_iter().map(|found| more.basket(found)).collect())
    }

    /// Whether the time of a line has begun.
    pub(super) fn has_begun(&self, now: chrono::DateTime<chrono::Utc>) -> bool {
        self.lines.iter().filter_map(|line| line.slot.as_ref()).any(|slot| slot.starts_at <= now)
    }
}

/// What of some redemptions' lines does not stand in their rows.
struct More {
    further: Vec<(redemption_line::Model, String)>,
    slots: Vec<goods_slot::Model>,
}

#[derive(FromQueryResult)]
struct NamedLine {
    #[sea_orm(nested)]
    line: redemption_line::Model,
    goods_name: String,
}

impl More {
    async fn of(db: &impl ConnectionTrait, rows: &[Model]) -> Result<Self, DbErr> {
        let several: Vec<RedemptionId> = rows.iter().filter(|row| row.line_count > 1).map(|row| row.id).collect();
        let further = if several.is_empty() { Vec::new() } else { further(db, several).await? };
        let booked = rows.iter().filter_map(|row| row.slot_id);
        let booked: Vec<SlotId> = booked.chain(further.iter().filter_map(|(line, _)| line.slot_id)).collect();
        let slots = if booked.is_empty() {
            Vec::new()
        } else {
            goods_slot::Entity::find().filter(goods_slot::Column::Id.is_in(booked)).all(db).await?
        };
        Ok(Self { further, slots })
    }

    fn slot(&self, id: Option<SlotId>) -> Option<goods_slot::Model> {
        id.and_then(|id| self.slots.iter().find(|slot| slot.id == id).cloned())
    }

    fn basket(&self, found: Named) -> Basket {
        let Named { row, goods_name, goods_kind } = found;
        let further: Vec<Line> = self
            .further
            .iter()
            .filter(|(line, _)| line.redemption_id == row.id)
            .map(|(line, name)| Line {
                goods_id: line.goods_id,
                name: name.clone(),
                quantity: line.quantity,
                points: Points::from_hundredths(line.points),
                slot: self.slot(line.slot_id),
            })
            .collect();
        let rest: i64 = further.iter().map(|line| line.points.hundredths()).sum();
        let first = Line {
            goods_id: row.goods_id,
            name: goods_name,
            quantity: row.quantity,
            points: Points::from_hundredths(row.points - rest),
            slot: self.slot(row.slot_id),
        };
        let gives_codes = goods_kind == GoodsKind::Voucher;
        Basket { lines: std::iter::once(first).chain(further).collect(), row, gives_codes }
    }
}

async fn further(
    db: &impl ConnectionTrait,
    redemptions: Vec<RedemptionId>,
) -> Result<Vec<(redemption_line::Model, String)>, DbErr> {
    use redemption_line::{Column, Entity};
    let goods: RelationDef = Entity::belongs_to(goods::Entity).from(Column::GoodsId).to(goods::Column::Id).into();
    let rows: Vec<NamedLine> = Entity::find()
        .column_as(goods::Column::Name, "goods_name")
        .join(JoinType::InnerJoin, goods)
        .filter(Column::RedemptionId.is_in(redemptions))
        .order_by_asc(Column::RedemptionId)
        .order_by_asc(Column::Line)
        .into_model()
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|found| (found.line, found.goods_name)).collect())
}
