//! What a call orders: one thing, or a list of lines.

use std::borrow::Cow;

use entity::id::{GoodsId, SlotId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::{Validate, ValidationError};

use super::order::OrderLine;

/// One line of a basket.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub(super) struct WantedLine {
    goods_id: GoodsId,
    #[validate(range(min = 1, max = 1000))]
    #[schema(minimum = 1, maximum = 1000)]
    quantity: i32,
    /// Of a service with times to book: one of its slots.
    slot_id: Option<SlotId>,
}

/// What a body has of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) goods_id: Option<GoodsId>,
    pub(super) quantity: Option<i32>,
    pub(super) slot_id: Option<SlotId>,
    pub(super) lines: Option<&'a [WantedLine]>,
}

impl Wanted<'_> {
    /// The lines, and whether they came as a list.
    ///
    /// # Errors
    /// Neither or both were given, or two lines are of the same goods and slot.
    pub(super) fn read(self) -> Result<(Vec<OrderLine>, bool), ValidationError> {
        if let Some(lines) = self.lines {
            let single = [
                ("goods_id", self.goods_id.is_some()),
                ("quantity", self.quantity.is_some()),
                ("slot_id", self.slot_id.is_some()),
            ];
            if let Some((field, _)) = single.into_iter().find(|(_, given)| *given) {
                return Err(fault(field, "invalid", "已列出 lines，请去掉此项"));
            }
            return several(lines).map(|lines| (lines, true));
        }
        let Some(goods_id) = self.goods_id else {
            return Err(fault("goods_id", "required", "请给出 goods_id 与 quantity，或列出 lines"));
        };
        let Some(quantity) = self.quantity else {
            return Err(fault("quantity", "required", "请给出数量"));
        };
        Ok((vec![OrderLine { goods_id, quantity, slot_id: self.slot_id }], false))
    }
}

fn several(lines: &[WantedLine]) -> Result<Vec<OrderLine>, ValidationError> {
    for (at, line) in lines.iter().enumerate() {
        if lines[..at].iter().any(|other| (other.goods_id, other.slot_id) == (line.goods_id, line.slot_id)) {
            return Err(fault(&format!("lines[{at}].goods_id"), "invalid", "与前面的一项相同，请合并数量"));
        }
    }
    let line =
        |line: &WantedLine| OrderLine { goods_id: line.goods_id, quantity: line.quantity, slot_id: line.slot_id };
    Ok(lines.iter().map(line).collect())
}

fn fault(field: &str, code: &'static str, words: &'static str) -> ValidationError {
    let mut error = ValidationError::new(code).with_message(Cow::Borrowed(words));
    error.add_param(Cow::Borrowed("field"), &field);
    error
}
