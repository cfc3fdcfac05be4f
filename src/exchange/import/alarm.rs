//! Hours that are hard to believe. They are imported all the same: the set says so, and people decide.

use std::collections::HashSet;

use entity::id::MemberId;

/// Above this many hours a person on average, somebody has entered more than service. (A published programme has 164.)
const HOURS_PER_PERSON: i64 = 100;
/// Likewise for each person served (published: 28).
const HOURS_PER_SERVED: i64 = 25;

/// Sums over the accepted rows of a set.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    pub(super) members: i64,
    pub(super) minutes: i64,
    pub(super) served_persons: i64,
    pub(super) people: HashSet<MemberId>,
}

impl Alarm {
    pub(super) fn hours(&mut self, member: MemberId, minutes: i64) {
        self.minutes += minutes;
        self.people.insert(member);
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        let people = self.members.max(i64::try_from(self.people.len()).unwrap_or(i64::MAX));
        let hours = self.minutes / 60;
        let mut warnings = Vec::new();
        if people > 0 && hours > HOURS_PER_PERSON * people {
            let each = hours / people;
            warnings.push(format!("时长异常：{people} 人共 {hours} 小时，人均 {each} 小时，请核对来源"));
        }
        if self.served_persons > 0 && hours > HOURS_PER_SERVED * self.served_persons {
            let (served, each) = (self.served_persons, hours / self.served_persons);
            warnings.push(format!("时长异常：服务 {served} 人次共 {hours} 小时，每人次 {each} 小时，请核对来源"));
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_figures_that_cannot_be_are_told_of() {
        let alarm = Alarm { members: 10_972, minutes: 1_800_000 * 60, served_persons: 64_000, people: HashSet::new() };
        let warnings = alarm.warnings();
        assert_eq!(warnings.len(), 2);
        assert!(warnings[0].contains("164") && warnings[1].contains("28"), "{warnings:?}");
        let plausible =
            Alarm { members: 55_000, minutes: 76_191 * 60, served_persons: 110_568, people: HashSet::new() };
        assert!(plausible.warnings().is_empty());
    }
}
