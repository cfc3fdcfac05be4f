//! The report laid out as a paper, for spreadsheets and for the file.

use entity::offer::OfferSource;

use super::report::{FairnessView, GroupView, OffersView};
use super::stats::{Decile, WaitStats};
use super::unmet::UnmetSkill;
use crate::calendar::Calendar;
use crate::statement::paper::{Cell, Column, Paper, Table};

impl FairnessView {
    /// The paper.
    pub(super) fn paper(&self, calendar: Calendar) -> Paper {
        let all = &self.waiting.all;
        let moment = calendar.local(self.as_of).format("%Y-%m-%d %H:%M").to_string();
        Paper {
            title: format!("{} 服务公平性报告 {} 至 {}", self.region_name, self.from, self.until),
            name: format!("{}_公平性报告_{}_{}", self.region_name, self.from, self.until),
            facts: vec![
                ("区划代码", self.region_code.as_str().into()),
                ("统计至", moment.into()),
                ("发布心愿", count(all.count)),
                ("已被认领", count(all.met)),
                ("仍在等待", count(all.waiting)),
                ("过期无人认领", count(all.expired)),
                ("等待中位数（分钟）", minutes(all.median_minutes)),
                ("等待九成以内（分钟）", minutes(all.p90_minutes)),
                ("最长等待（分钟）", minutes(all.worst_minutes)),
                ("志愿者", count(self.work.volunteers)),
                ("有服务的志愿者", count(self.work.active)),
                ("无人可派的任务", count(self.unmet.without_candidates)),
            ],
            tables: vec![
                waits("等待：特殊群体", "群体", &self.waiting.by_special_group),
                waits("等待：社区", "社区", &self.waiting.by_community),
                waits("等待：类别", "类别", &self.waiting.by_category),
                work(&self.work.deciles),
                offers(&self.offers),
                unmet(&self.unmet.skills),
            ],
            foot: "不足 3 件的特殊群体合并计算，以保护个人隐私；婉拒派单不影响志愿者的任何记录。".to_owned(),
        }
    }
}

fn count(number: usize) -> Cell {
    Cell::Count(i64::try_from(number).unwrap_or(i64::MAX))
}

fn minutes(minutes: Option<i64>) -> Cell {
    minutes.map_or_else(|| "—".into(), Cell::Count)
}

fn waits(heading: &'static str, of: &'static str, groups: &[GroupView]) -> Table {
    let row = |group: &GroupView| -> Vec<Cell> {
        let WaitStats { count: all, met, waiting, expired, median_minutes, p90_minutes, worst_minutes, .. } =
            group.stats;
        vec![
            group.code.as_deref().unwrap_or("—").into(),
            group.name.as_str().into(),
            count(all),
            count(met),
            count(waiting),
            count(expired),
            minutes(median_minutes),
            minutes(p90_minutes),
            minutes(worst_minutes),
        ]
    };
    Table {
        heading,
        columns: vec![
            Column::text("代码", 16),
            Column::text(of, 20),
            Column::numbers("发布", 8),
            Column::numbers("已认领", 8),
            Column::numbers("等待中", 8),
            Column::numbers("过期", 8),
            Column::numbers("中位数/分", 10),
            Column::numbers("九成/分", 10),
            Column::numbers("最长/分", 10),
        ],
        rows: groups.iter().map(row).collect(),
        empty: "该时段没有发布的心愿",
    }
}

fn work(deciles: &[Decile]) -> Table {
    let row = |part: &Decile| -> Vec<Cell> {
        vec![
            count(part.number),
            count(part.volunteers),
            Cell::Count(part.records),
            Cell::Count(part.minutes),
            part.share_percent.as_str().into(),
        ]
    };
    Table {
        heading: "服务分布（十等分）",
        columns: vec![
            Column::numbers("十分位", 12),
            Column::numbers("志愿者", 14),
            Column::numbers("服务记录", 14),
            Column::numbers("分钟", 16),
            Column::text("占比 %", 12),
        ],
        rows: deciles.iter().map(row).collect(),
        empty: "该区域没有志愿者",
    }
}

fn offers(offers: &[OffersView]) -> Table {
    let row = |line: &OffersView| -> Vec<Cell> {
        let source = match line.source {
            None => "工作人员",
            Some(OfferSource::Matcher) => "自动派单",
            Some(OfferSource::Assignment) => "批量方案",
        };
        let numbers = [line.made, line.waiting, line.accepted, line.declined, line.lapsed].map(Cell::Count);
        let shares = [line.declined_percent.as_str().into(), line.lapsed_percent.as_str().into()];
        std::iter::once(source.into()).chain(numbers).chain(shares).collect()
    };
    Table {
        heading: "派单",
        columns: vec![
            Column::text("来源", 16),
            Column::numbers("发出", 10),
            Column::numbers("待答复", 10),
            Column::numbers("接受", 10),
            Column::numbers("婉拒", 10),
            Column::numbers("过期", 10),
            Column::text("婉拒 %", 10),
            Column::text("过期 %", 10),
        ],
        rows: offers.iter().map(row).collect(),
        empty: "该时段没有派单",
    }
}

fn unmet(skills: &[UnmetSkill]) -> Table {
    let row = |line: &UnmetSkill| -> Vec<Cell> {
        vec![
            line.skill.as_deref().unwrap_or("—").into(),
            line.name.as_deref().unwrap_or("不限技能").into(),
            count(line.tasks),
            Cell::Count(line.volunteers),
            line.barrier_name.into(),
        ]
    };
    Table {
        heading: "无人可派的技能（当前）",
        columns: vec![
            Column::text("代码", 14),
            Column::text("技能", 20),
            Column::numbers("任务", 10),
            Column::numbers("具备者", 12),
            Column::text("主要原因", 24),
        ],
        rows: skills.iter().map(row).collect(),
        empty: "每个任务都有可派的志愿者",
    }
}
