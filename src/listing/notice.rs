//! What members are told about listings and bookings: what happened, and what to do next.

use chrono::{DateTime, Utc};
use entity::booking::{self, BookingStatus};
use entity::id::ServiceRecordId;
use entity::listing::{self, ListingStatus};

use super::domain::status_name;
use crate::calendar::Calendar;
use crate::notify::Message;

fn when(row: &booking::Model, calendar: Calendar) -> String {
    let local = |at: DateTime<Utc>| calendar.local(at);
    let (from, until) = (local(row.starts_at), local(row.ends_at));
    if from.date() == until.date() {
        format!("{} {}–{}", from.format("%-m 月 %-d 日"), from.format("%H:%M"), until.format("%H:%M"))
    } else {
        format!("{} 至 {}", from.format("%-m 月 %-d 日 %H:%M"), until.format("%-m 月 %-d 日 %H:%M"))
    }
}

pub(super) fn published(listing: &listing::Model) -> Message {
    of("listing.published", "清单条目已发布", format!("“{}”已发布，有人预约或认领时会通知您。", listing.title), listing)
}

/// By staff: closed or withdrawn.
pub(super) fn ended(listing: &listing::Model) -> Message {
    let reason = listing.reason.as_deref().map(|reason| format!("，原因：{reason}")).unwrap_or_default();
    let kind = if listing.status == ListingStatus::Withdrawn { "listing.withdrawn" } else { "listing.closed" };
    let body = format!("“{}”{}{reason}。如需继续，请修改后重新提交。", listing.title, status_name(listing.status));
    of(kind, "清单条目已停止", body, listing)
}

pub(super) fn expired(listing: &listing::Model) -> Message {
    let body = format!("“{}”的有效期已过；如需继续，请填写新的有效期后重新提交。", listing.title);
    of("listing.expired", "清单条目已过期", body, listing)
}

pub(super) fn claimed(listing: &listing::Model) -> Message {
    of("listing.claimed", "需求有人认领", format!("志愿者已认领“{}”，请做好准备。", listing.title), listing)
}

pub(super) fn released(listing: &listing::Model) -> Message {
    of("listing.released", "有志愿者退出", format!("一位志愿者不能参加“{}”，名额已重新开放。", listing.title), listing)
}

pub(super) fn served(listing: &listing::Model) -> Message {
    of("listing.served", "需求已完成一次", format!("“{}”的一次服务已完成，感谢您的配合。", listing.title), listing)
}

pub(super) fn booked(listing: &listing::Model, row: &booking::Model, calendar: Calendar) -> Message {
    let when = when(row, calendar);
    if row.status == BookingStatus::Waiting {
        let body = format!("“{}”（{when}）名额已满，您已进入候补，有空位时按先后自动转为预约并通知您。", listing.title);
        return about("booking.waiting", "已进入候补", body, row);
    }
    let body = format!("您已预约“{}”，时间 {when}，请按时到场；不能前往时请及时取消。", listing.title);
    about("booking.made", "预约成功", body, row)
}

pub(super) fn to_provider(listing: &listing::Model, row: &booking::Model, calendar: Calendar) -> Message {
    let body = format!("有人预约了“{}”，时间 {}，请做好准备。", listing.title, when(row, calendar));
    about("booking.received", "有新的预约", body, row)
}

pub(super) fn promoted(listing: &listing::Model, row: &booking::Model) -> Message {
    let body = format!("“{}”有空位了，您的候补已转为预约，请按时到场；不能前往时请及时取消。", listing.title);
    about("booking.promoted", "候补已转为预约", body, row)
}

pub(super) fn cancelled(listing: &listing::Model, row: &booking::Model, calendar: Calendar) -> Message {
    let reason = row.reason.as_deref().map(|reason| format!("，原因：{reason}")).unwrap_or_default();
    let body = format!("您预约的“{}”（{}）已取消{reason}。请改约其他时段。", listing.title, when(row, calendar));
    about("booking.cancelled", "预约已取消", body, row)
}

/// To the provider.
pub(super) fn given_up(listing: &listing::Model, row: &booking::Model, calendar: Calendar) -> Message {
    let body = format!("“{}”（{}）的一个预约已由预约人取消。", listing.title, when(row, calendar));
    about("booking.given_up", "预约人已取消", body, row)
}

/// The listing went.
pub(super) fn called_off(listing: &listing::Model, row: &booking::Model) -> Message {
    let body = format!("“{}”已停止提供，您的预约或候补随之取消。请看看清单上的其他资源和服务。", listing.title);
    about("booking.cancelled", "预约已取消", body, row)
}

/// `row` as it was before.
pub(super) fn lapsed(listing: &listing::Model, row: &booking::Model) -> Message {
    let body = if row.status == BookingStatus::Waiting {
        format!("“{}”直到开始都没有空位，您的候补已结束。请改约其他时段。", listing.title)
    } else {
        format!("“{}”的预约时段已过且没有登记到场，预约已关闭。如有出入请联系站点工作人员。", listing.title)
    };
    about("booking.lapsed", "预约已过期", body, row)
}

pub(super) fn missed(listing: &listing::Model, row: &booking::Model) -> Message {
    let body = format!("“{}”登记为未到。如与事实不符，请联系站点工作人员。", listing.title);
    about("booking.no_show", "登记为未到", body, row)
}

pub(super) fn done(listing: &listing::Model, row: &booking::Model) -> Message {
    about("booking.done", "预约已完成", format!("您预约的“{}”已完成，欢迎再次预约。", listing.title), row)
}

/// To the provider.
pub(super) fn recorded(listing: &listing::Model, record: ServiceRecordId) -> Message {
    let body = format!("“{}”的服务记录待核实，核实后时长与积分到账。", listing.title);
    Message::new("booking.recorded", "服务记录已生成", body).about("service_record", record)
}

fn about(kind: &'static str, title: &str, body: String, row: &booking::Model) -> Message {
    Message::new(kind, title, body).about("booking", row.id)
}

fn of(kind: &'static str, title: &str, body: String, listing: &listing::Model) -> Message {
    Message::new(kind, title, body).about("listing", listing.id)
}
