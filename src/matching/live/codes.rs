//! Codes as numbers, and what the lists say of them.

use std::collections::HashMap;

use entity::code_item;
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _};

use crate::taxonomy::Merged;

/// What a hazard asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Hazard {
    pub(super) training: Option<String>,
    pub(super) insurance: bool,
    pub(super) min_age: u8,
}

/// The lists as they were when the district was read. A change of them makes all be read anew.
#[derive(Debug, Default)]
pub(super) struct Codes {
    skills: Merged,
    trainings: Merged,
    hazards: HashMap<String, Hazard>,
    /// Special groups: higher comes first.
    groups: HashMap<String, i16>,
    /// Skills, now, that a licence is required for.
    licensed: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Codes {
    /// Reads the lists.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn read(db: &impl ConnectionTrait) -> Result<Self, DbErr> {
        let lists = ["skill", "training", "hazard", "special_group"];
        let rows = code_item::Entity::find().filter(code_item::Column::List.is_in(lists)).all(db).await?;
        let merged = |list: &str| -> Merged {
            let of_list = rows.iter().filter(|row| row.list == list);
            of_list.filter_map(|row| Some((row.code.clone(), row.merged_into.clone()?))).collect()
        };
        let mut codes = Self { skills: merged("skill"), trainings: merged("training"), ..Self::default() };
        for row in &rows {
            match row.list.as_str() {
                "skill" if row.licence && row.merged_into.is_none() => {
                    codes.licensed.push(codes.skills.canonical(&row.code).to_owned());
                }
                "special_group" => {
                    codes.groups.insert(row.code.clone(), row.priority);
                }
                "hazard" => {
                    let min_age = row.min_age.and_then(|age| u8::try_from(age).ok()).unwrap_or(0);
                    let hazard = Hazard { training: row.training.clone(), insurance: row.insurance, min_age };
                    codes.hazards.insert(row.code.clone(), hazard);
                }
                _ => {}
            }
        }
        // What a hazard or a group became asks for what it asks for now.
        for (list, hazards) in [("hazard", true), ("special_group", false)] {
            let merged = merged(list);
            for row in rows.iter().filter(|row| row.list == list && row.merged_into.is_some()) {
                let now = merged.canonical(&row.code);
                if hazards {
                    let became = codes.hazards.get(now).cloned().unwrap_or_default();
                    codes.hazards.insert(row.code.clone(), became);
                } else {
                    let became = codes.groups.get(now).copied().unwrap_or(0);
                    codes.groups.insert(row.code.clone(), became);
                }
            }
        }
        Ok(codes)
    }

    /// Skills as numbers: what they are now, sorted, without repeats.
    pub(super) fn skills(&mut self, codes: &[String]) -> Vec<u32> {
        let now = self.skills.each(codes);
        let mut numbers: Vec<u32> = now.iter().map(|code| self.number("skill", code)).collect();
        numbers.sort_unstable();
        numbers
    }

    /// Those of `codes` that a licence is required for, as numbers.
    pub(super) fn licences(&mut self, codes: &[String]) -> Vec<u32> {
        let now = self.skills.each(codes);
        let needed: Vec<String> = now.into_iter().filter(|code| self.licensed.contains(code)).collect();
        needed.iter().map(|code| self.number("skill", code)).collect()
    }

    /// The number of one skill, whatever it is called now.
    pub(super) fn skill(&mut self, code: &str) -> u32 {
        let now = self.skills.canonical(code).to_owned();
        self.number("skill", &now)
    }

    pub(super) fn training(&mut self, code: &str) -> u32 {
        let now = self.trainings.canonical(code).to_owned();
        self.number("training", &now)
    }

    /// One that is not on the list asks for nothing.
    pub(super) fn hazard(&self, code: &str) -> Hazard {
        self.hazards.get(code).cloned().unwrap_or_default()
    }

    /// What a special group is worth among equals; 0 where it is unknown.
    pub(super) fn group(&self, code: &str) -> i16 {
        self.groups.get(code).copied().unwrap_or(0)
    }

    fn number(&mut self, list: &str, code: &str) -> u32 {
        let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        let key = format!("{list}:{code}");
        *self.numbers.entry(key).or_insert(next)
    }
}
