//! What members are told of their merits: what they got, what was taken and why, and how to object.

use chrono::{DateTime, Utc};
use entity::merit::Model;
use sea_orm::{ConnectionTrait, DbErr};

use super::domain;
use crate::http::decimal;
use crate::notify::{self, Message};

/// How to object, in words.
const OBJECT: &str = "如有异议，请在“我的积分事项”中提出，社区会重新核查并答复";

async fn tell(
    db: &impl ConnectionTrait,
    merit: &Model,
    kind: &'static str,
    title: String,
    body: String,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    notify::tell(db, merit.member_id, Message::new(kind, title, body).about("merit", merit.id), now).await
}

/// `merit.approved`, or `merit.deducted` where points were taken. `due`: no budget can pay yet.
pub(super) async fn approved(
    db: &impl ConnectionTrait,
    merit: &Model,
    due: bool,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let name = domain::name(merit.kind);
    let points = merit.points.unwrap_or(0);
    let what = merit.period.as_ref().map(|period| format!("{period} ")).unwrap_or_default();
    if points < 0 {
        let reason = merit.reason.as_deref().unwrap_or_default();
        let (asked, short) = (decimal(-points), decimal(merit.shortfall));
        let short = if merit.shortfall > 0 {
            format!("余额不足，其中 {short} 分未扣，以后也不再补扣。")
        } else {
            String::new()
        };
        let body = format!("{what}{name}按规则扣 {asked} 分。{short}原因：{reason}。{OBJECT}。");
        return tell(db, merit, "merit.deducted", format!("{name}扣分"), body, now).await;
    }
    let gained = match (points, due) {
        (0, _) => "按规则本次不计积分".to_owned(),
        (points, false) => format!("获得 {} 分", decimal(points)),
        (points, true) => format!("应得 {} 分，积分预算暂时用完，到位后自动补发，无需再办理", decimal(points)),
    };
    let body = format!("您的{what}{name}已通过审核，{gained}。{OBJECT}。");
    tell(db, merit, "merit.approved", format!("{name}已通过审核"), body, now).await
}

/// `merit.rejected`.
pub(super) async fn rejected(db: &impl ConnectionTrait, merit: &Model, now: DateTime<Utc>) -> Result<(), DbErr> {
    let name = domain::name(merit.kind);
    let reason = merit.reason.as_deref().unwrap_or_default();
    let body = format!("原因：{reason}。如情况有变，可补充照片和说明后重新申报，或联系社区工作人员。");
    tell(db, merit, "merit.rejected", format!("{name}未通过审核"), body, now).await
}

/// `merit.reversed`.
pub(super) async fn reversed(db: &impl ConnectionTrait, merit: &Model, now: DateTime<Utc>) -> Result<(), DbErr> {
    let name = domain::name(merit.kind);
    let reason = merit.reason.as_deref().unwrap_or_default();
    let points = match merit.points.unwrap_or(0) {
        points if points < 0 => "所扣积分已退回",
        0 => "本次不涉及积分",
        _ => "相应积分已收回",
    };
    let body = format!("原因：{reason}。{points}，如有疑问请联系社区工作人员。");
    tell(db, merit, "merit.reversed", format!("{name}已冲正"), body, now).await
}

/// `merit.dispute_dismissed`.
pub(super) async fn dismissed(db: &impl ConnectionTrait, merit: &Model, now: DateTime<Utc>) -> Result<(), DbErr> {
    let name = domain::name(merit.kind);
    let answer = merit.dispute_answer.as_deref().unwrap_or_default();
    let body = format!("经核查维持原处理。说明：{answer}。如仍有疑问，请到社区面谈。");
    tell(db, merit, "merit.dispute_dismissed", format!("{name}的异议已答复"), body, now).await
}
