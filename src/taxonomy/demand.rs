//! What a task demands beyond skill: trainings, insurance and age for its hazards (志愿服务条例 art. 17), licences for its skills.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike as _, NaiveDate, TimeDelta, Utc};
use entity::code_item::{self, Column};
use entity::id::{MemberId, TaskId};
use entity::qualification::QualificationKind;
use entity::{member, qualification, task_hazard, task_skill};
use sea_orm::sea_query::Query;
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _,
};

use crate::calendar::Calendar;

/// What somebody must have to do a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Codes of the list `training`; all of them.
    pub trainings: Vec<String>,
    pub insurance: bool,
    /// In full years.
    pub min_age: Option<i16>,
    /// Skills that need a licence; all of them.
    pub licences: Vec<String>,
}

/// What is known of a volunteer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub birth_year: Option<i32>,
    /// Those that count on the day.
    pub qualifications: BTreeSet<(QualificationKind, String)>,
}

impl Demand {
    /// Of hazards and of all skills of one task.
    pub fn of<'a>(items: impl IntoIterator<Item = &'a code_item::Model>) -> Self {
        let mut demand = Self::default();
        for item in items {
            if item.list == "hazard" {
                demand.trainings.extend(item.training.clone());
                demand.insurance |= item.insurance;
                demand.min_age = demand.min_age.max(item.min_age.filter(|age| *age > 0));
            } else if item.licence {
                demand.licences.push(item.code.clone());
            }
        }
        demand.trainings.sort_unstable();
        demand.trainings.dedup();
        demand
    }

    /// Whether everybody may do it.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// What `standing` lacks on `day`.
    ///
    /// Of a birth only the year is known: whoever may have had this year's birthday is let in; of whom not even that is known,
    /// is not.
    #[must_use]
    pub fn lacking(&self, standing: &Standing, day: NaiveDate) -> Lacking {
        let has = |kind, code: &str| standing.qualifications.contains(&(kind, code.to_owned()));
        let without = |kind, codes: &[String]| codes.iter().filter(|code| !has(kind, code)).cloned().collect();
        let insured = standing.qualifications.iter().any(|(kind, _)| *kind == QualificationKind::Insurance);
        Lacking {
            trainings: without(QualificationKind::Training, &self.trainings),
            insurance: self.insurance && !insured,
            min_age: self.min_age.filter(|least| {
                standing.birth_year.is_none_or(|year| day.year().saturating_sub(year) < i32::from(*least))
            }),
            licences: without(QualificationKind::Licence, &self.licences),
        }
    }
}

/// What somebody lacks: of the same shape as what is demanded.
pub type Lacking = Demand;

/// The local day on which work that ends at `until` ends: a window that ends with a midnight ends on the day before it.
pub fn last_day(calendar: Calendar, until: DateTime<Utc>) -> NaiveDate {
    calendar.day_of(until - TimeDelta::microseconds(1))
}

/// What a task demands.
///
/// # Errors
/// The database's.
pub async fn demand_of(db: &impl ConnectionTrait, task: TaskId) -> Result<Demand, DbErr> {
    let hazards = Query::select()
        .column(task_hazard::Column::Hazard)
        .from(task_hazard::Entity)
        .and_where(task_hazard::Column::TaskId.eq(task))
        .take();
    let skills = Query::select()
        .column(task_skill::Column::Skill)
        .from(task_skill::Entity)
        .and_where(task_skill::Column::TaskId.eq(task))
        .take();
    let hazards = Condition::all().add(Column::List.eq("hazard")).add(Column::Code.in_subquery(hazards));
    let skills = Condition::all().add(Column::List.eq("skill")).add(Column::Code.in_subquery(skills));
    let items = code_item::Entity::find()
        .filter(Condition::any().add(hazards).add(skills))
        .order_by_asc(Column::Code)
        .all(db)
        .await?;
    Ok(Demand::of(&items))
}

/// What a member may do on `day`.
///
/// # Errors
/// The database's.
pub async fn standing_of(db: &impl ConnectionTrait, id: MemberId, day: NaiveDate) -> Result<Standing, DbErr> {
    let birth_year = member::Entity::find_by_id(id).one(db).await?.and_then(|member| member.birth_year);
    let rows = qualification::Entity::find().filter(qualification::Column::MemberId.eq(id)).all(db).await?;
    let counts = |row: &qualification::Model| row.valid_until.is_none_or(|until| until >= day);
    let qualifications = rows.into_iter().filter(counts).map(|row| (row.kind, row.code)).collect();
    Ok(Standing { birth_year, qualifications })
}

/// What `member` lacks for `task` on `day`, in words that say what to do; none where nothing is lacking.
///
/// # Errors
/// The database's.
pub async fn shortfall(
    db: &impl ConnectionTrait,
    task: TaskId,
    member: MemberId,
    day: NaiveDate,
) -> Result<Option<String>, DbErr> {
    let demand = demand_of(db, task).await?;
    if demand.is_none() {
        return Ok(None);
    }
    let lacking = demand.lacking(&standing_of(db, member, day).await?, day);
    if lacking.is_none() { Ok(None) } else { words(db, &lacking).await.map(Some) }
}

async fn words(db: &impl ConnectionTrait, lacking: &Lacking) -> Result<String, DbErr> {
    let codes = lacking.trainings.iter().chain(&lacking.licences).cloned();
    let items = code_item::Entity::find()
        .filter(Column::List.is_in(["training", "skill"]))
        .filter(Column::Code.is_in(codes))
        .all(db)
        .await?;
    let name = |list: &str, code: &String| {
        let found = items.iter().find(|item| item.list == list && item.code == *code);
        found.map_or_else(|| code.clone(), |item| item.name.clone())
    };
    let mut missing = Vec::new();
    missing.extend(lacking.licences.iter().map(|code| format!("“{}”的执业资格", name("skill", code))));
    missing.extend(lacking.trainings.iter().map(|code| format!("“{}”", name("training", code))));
    if lacking.insurance {
        missing.push("志愿者保险".to_owned());
    }
    if let Some(age) = lacking.min_age {
        missing.push(format!("年满 {age} 周岁（请在个人资料中填写出生年份）"));
    }
    Ok(format!("承担该任务还缺：{}。请持证明到驿站由工作人员登记后再认领", missing.join("、")))
}
