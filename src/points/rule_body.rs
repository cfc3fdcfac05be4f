//! A rule as a call gives it, in earnest or as a draft, and what is wrong with it by itself.

use chrono::{DateTime, Utc};
use entity::category::Category;
use entity::id::RuleId;
use entity::rule::{Approver, Model, RuleBasis, Subject};
use entity::service_record::Evidence;
use sea_orm::ActiveEnum as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::programmes::DEFAULT;
use super::rule_fields::{Factor, SignedAmount, is_code};
use super::rules::NewRule;
use crate::http::{FieldError, Instant, Line, PointsAmount};
use crate::region::RegionCode;

/// A rule to be added.
#[derive(Clone, Debug, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct RuleBody {
    /// `default` where it is not given.
    #[validate(length(min = 1, max = 64))]
    #[schema(min_length = 1, max_length = 64)]
    programme: Option<String>,
    /// Your own region where it is not given; a community at the smallest.
    region_code: Option<RegionCode>,
    /// What it is for; `record` (a verified service) where it is not given.
    #[schema(inline)]
    subject: Option<Subject>,
    /// Every category where it is not given.
    category: Option<Category>,
    /// Code of the thing done, such as `high_toss`; everything where it is not given. Not with subject `record`.
    item: Option<String>,
    /// What people call it.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 60)]
    name: Option<Line<60>>,
    basis: RuleBasis,
    /// For each unit of the basis. Below zero (to take away) with subject `event` or `household_score`, where the programme
    /// allows it.
    amount: SignedAmount,
    /// With basis `time`; 30 where it is not given.
    #[validate(range(min = 1, max = 1440))]
    #[schema(minimum = 1, maximum = 1440)]
    per_minutes: Option<i32>,
    /// With basis `item` and `yuan`: how many items or yuan the amount is for; 1 where it is not given.
    #[validate(range(min = 1, max = 1_000_000))]
    #[schema(minimum = 1, maximum = 1_000_000)]
    per_units: Option<i32>,
    #[serde(default)]
    factors: Factors,
    /// At most so much per member and local day, over the whole programme. Not with an amount below zero, as all caps.
    #[schema(inline)]
    cap_day: Option<PointsAmount>,
    /// Likewise per local week, Monday to Sunday.
    #[schema(inline)]
    cap_week: Option<PointsAmount>,
    /// Likewise per local month.
    #[schema(inline)]
    cap_month: Option<PointsAmount>,
    /// At most so much per member by this version of the rule, in all the time for which it is in force.
    #[schema(inline)]
    cap_rule: Option<PointsAmount>,
    /// What is proved worse than this earns 0.00.
    #[schema(inline)]
    min_evidence: Option<Evidence>,
    /// How high the manager must stand who verifies what earns by it; any where it is not given.
    #[schema(inline)]
    approver: Option<Approver>,
    /// Not in the past; now where it is not given.
    valid_from: Option<Instant>,
    valid_until: Option<Instant>,
}

/// What a value is multiplied by; 1.00 where it is not given.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Factors {
    #[serde(default)]
    evidence: GradeFactors,
    /// For difficulty 1, 2 and 3.
    #[schema(value_type = Vec<Factor>, min_items = 3, max_items = 3)]
    #[serde(default = "ones")]
    difficulty: [Factor; 3],
    /// For who led the service.
    #[serde(default)]
    organiser: Factor,
}

/// By evidence grade.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct GradeFactors {
    #[serde(rename = "A", default)]
    a: Factor,
    #[serde(rename = "B", default)]
    b: Factor,
    #[serde(rename = "C", default)]
    c: Factor,
    #[serde(rename = "D", default)]
    d: Factor,
}

impl Default for Factor {
    fn default() -> Self {
        Self::ONE
    }
}

const fn ones() -> [Factor; 3] {
    [Factor::ONE; 3]
}

impl Factors {
    pub fn of(rule: &Model) -> Self {
        let factor = Factor::from_hundredths;
        Self {
            evidence: GradeFactors {
                a: factor(rule.factor_grade_a),
                b: factor(rule.factor_grade_b),
                c: factor(rule.factor_grade_c),
                d: factor(rule.factor_grade_d),
            },
            difficulty: [factor(rule.factor_level_1), factor(rule.factor_level_2), factor(rule.factor_level_3)],
            organiser: factor(rule.factor_organiser),
        }
    }
}

/// Fields of a rule that only make sense for some.
struct Fault(&'static str, &'static str, &'static str);

impl RuleBody {
    /// The programme, where it is given.
    pub fn named_programme(&self) -> Option<&str> {
        self.programme.as_deref()
    }

    /// The rule, to begin at `now` where it does not say; every fault that shows without looking at anything else.
    ///
    /// # Errors
    /// The refused fields.
    pub fn rule(self, now: DateTime<Utc>) -> Result<NewRule, Vec<FieldError>> {
        let valid_from = self.valid_from.map_or(now, Instant::get);
        let past = (valid_from < now)
            .then(|| FieldError::new("valid_from", "out_of_range").saying("规则不能追溯，请填写现在或将来的时间"));
        let ended = self
            .valid_until
            .filter(|until| valid_from >= now && until.get() <= now)
            .map(|_| FieldError::new("valid_until", "out_of_range").saying("失效时间不能在过去，请填写将来的时间"));
        let drafted = self.draft(now);
        match (past.or(ended), drafted) {
            (None, drafted) => drafted,
            (Some(fault), Ok(_)) => Err(vec![fault]),
            (Some(fault), Err(mut faults)) => {
                faults.retain(|other| other.field != fault.field);
                faults.insert(0, fault);
                Err(faults)
            }
        }
    }

    /// The same for a rule that is only tried, which may begin in the past.
    ///
    /// # Errors
    /// The refused fields.
    pub fn draft(self, begin: DateTime<Utc>) -> Result<NewRule, Vec<FieldError>> {
        let valid_from = self.valid_from.map_or(begin, Instant::get);
        let valid_until = self.valid_until.map(Instant::get);
        let mut errors: Vec<FieldError> = self
            .faults()
            .into_iter()
            .map(|Fault(field, code, detail)| FieldError::new(field, code).saying(detail))
            .collect();
        if valid_until.is_some_and(|until| until <= valid_from) {
            errors.push(FieldError::new("valid_until", "out_of_range").saying("失效时间须晚于生效时间"));
        }
        if errors.is_empty() { Ok(self.made(begin, valid_from, valid_until)) } else { Err(errors) }
    }

    fn faults(&self) -> Vec<Fault> {
        let subject = self.subject.unwrap_or_default();
        let takes = self.amount.hundredths() < 0;
        let counted = matches!(self.basis, RuleBasis::Item | RuleBasis::Yuan);
        let caps = [
            ("cap_day", self.cap_day),
            ("cap_week", self.cap_week),
            ("cap_month", self.cap_month),
            ("cap_rule", self.cap_rule),
        ];
        let mut faults = Vec::new();
        if takes && !matches!(subject, Subject::Event | Subject::HouseholdScore) {
            faults.push(Fault("amount", "out_of_range", "只有文明事件和家庭评分可以扣分，请填写大于 0 的分值"));
        }
        if takes {
            let given = caps.iter().filter(|(_, cap)| cap.is_some());
            faults.extend(given.map(|(field, _)| Fault(field, "invalid", "扣分规则不设上限，请去掉此项")));
        }
        if self.basis != RuleBasis::Time && self.per_minutes.is_some() {
            faults.push(Fault("per_minutes", "invalid", "只有按时长计分时填写此项，请去掉"));
        }
        if !counted && self.per_units.is_some() {
            faults.push(Fault("per_units", "invalid", "只有按件或按金额计分时填写此项，请去掉"));
        }
        let fits = match self.basis {
            RuleBasis::Event => true,
            RuleBasis::Time => matches!(subject, Subject::Record | Subject::Event),
            RuleBasis::Item => subject != Subject::Record,
            RuleBasis::Yuan => subject == Subject::Donation,
        };
        if !fits {
            faults.push(Fault("basis", "invalid", "该计分对象没有这种计量，请改用按次，或换一种计量"));
        }
        if let Some(item) = &self.item {
            if subject == Subject::Record {
                faults.push(Fault("item", "invalid", "服务记录不分事项，请去掉此项，或按类别设规则"));
            } else if !is_code(item) {
                faults.push(Fault("item", "invalid", "事项代码由小写字母、数字、- 和 _ 组成，最多 32 个字符"));
            }
        }
        faults
    }

    fn made(self, created_at: DateTime<Utc>, valid_from: DateTime<Utc>, valid_until: Option<DateTime<Utc>>) -> NewRule {
        let counted = matches!(self.basis, RuleBasis::Item | RuleBasis::Yuan);
        let cap = |cap: Option<PointsAmount>| cap.map(PointsAmount::hundredths);
        let Factors { evidence, difficulty: [level_1, level_2, level_3], organiser } = self.factors;
        let rule = Model {
            id: RuleId::new(),
            programme: self.programme.unwrap_or_else(|| DEFAULT.to_owned()),
            region_code: None,
            category: self.category.map(|category| category.to_value()),
            basis: self.basis,
            amount: self.amount.hundredths(),
            per_minutes: (self.basis == RuleBasis::Time).then(|| self.per_minutes.unwrap_or(30)),
            cap_day: cap(self.cap_day),
            cap_month: cap(self.cap_month),
            version: 1,
            valid_from,
            valid_until,
            created_by: None,
            created_at,
            subject: self.subject.unwrap_or_default(),
            item: self.item,
            name: self.name.map(Line::into_inner),
            per_units: counted.then(|| self.per_units.unwrap_or(1)),
            factor_grade_a: evidence.a.hundredths(),
            factor_grade_b: evidence.b.hundredths(),
            factor_grade_c: evidence.c.hundredths(),
            factor_grade_d: evidence.d.hundredths(),
            factor_level_1: level_1.hundredths(),
            factor_level_2: level_2.hundredths(),
            factor_level_3: level_3.hundredths(),
            factor_organiser: organiser.hundredths(),
            cap_week: cap(self.cap_week),
            cap_rule: cap(self.cap_rule),
            min_evidence: self.min_evidence,
            approver: self.approver.unwrap_or_default(),
        };
        NewRule { rule, region: self.region_code }
    }
}
