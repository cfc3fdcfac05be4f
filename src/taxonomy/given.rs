//! Codes that somebody gave: whether they may be used, and what they are now.

use std::borrow::Cow;
use std::collections::BTreeMap;

use entity::code_item;
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QuerySelect as _};

use super::canonical::Merged;
use crate::http::FieldError;

/// Codes as they came, judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// As they are now: merged ones replaced by what they became, in order of code, each once.
    pub codes: Vec<String>,
    /// By place among those given.
    pub refused: Vec<(usize, Refusal)>,
}

/// Why a code may not be used anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Unknown,
    Retired,
}

impl Given {
    /// The refused ones as faults of the field `name`; `what` says what the list is of.
    pub fn faults(&self, name: &str, what: &str) -> Vec<FieldError> {
        let fault = |(place, refusal): &(usize, Refusal)| {
            FieldError::new(format!("{name}[{place}]"), "invalid").saying(refusal.words(what))
        };
        self.refused.iter().map(fault).collect()
    }

    /// The one code that was given, or why not.
    ///
    /// # Errors
    /// The fault of the field `name`.
    pub fn one(self, name: &str, what: &str) -> Result<Option<String>, FieldError> {
        match self.refused.first() {
            Some((_, refusal)) => Err(FieldError::new(name, "invalid").saying(refusal.words(what))),
            None => Ok(self.codes.into_iter().next()),
        }
    }
}

impl Refusal {
    fn words(self, what: &str) -> Cow<'static, str> {
        Cow::Owned(match self {
            Self::Unknown => format!("没有这个{what}代码，请从{what}列表中选择"),
            Self::Retired => format!("这项{what}已停用，请从{what}列表中另选"),
        })
    }
}

/// Judges codes of a list, in the transaction that is going to use them: on PostgreSQL a merge of one of them waits until it
/// ends, so that nothing new is written under a code that is just being merged. A list without entries (nothing imported
/// yet) knows all.
///
/// # Errors
/// The database's.
pub async fn given(db: &impl ConnectionTrait, list: &str, codes: &[String]) -> Result<Given, DbErr> {
    if codes.is_empty() {
        return Ok(Given::default());
    }
    let of_list = code_item::Entity::find().filter(code_item::Column::List.eq(list));
    let named = of_list.clone().filter(code_item::Column::Code.is_in(codes)).lock_shared().all(db).await?;
    let plain = |code: &String| named.iter().any(|item| item.code == *code && item.merged_into.is_none());
    if codes.iter().all(plain) {
        return Ok(judge(&named, codes));
    }
    Ok(judge(&of_list.all(db).await?, codes))
}

fn judge(items: &[code_item::Model], codes: &[String]) -> Given {
    let merged: Merged = items.iter().filter_map(|item| Some((item.code.clone(), item.merged_into.clone()?))).collect();
    let known: BTreeMap<&str, bool> =
        items.iter().map(|item| (item.code.as_str(), item.retired_at.is_some())).collect();
    let judged = |(place, code): (usize, &String)| match known.get(merged.canonical(code)) {
        None if !known.is_empty() => Some((place, Refusal::Unknown)),
        Some(true) => Some((place, Refusal::Retired)),
        None | Some(false) => None,
    };
    Given { codes: merged.each(codes), refused: codes.iter().enumerate().filter_map(judged).collect() }
}
