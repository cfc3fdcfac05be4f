//! What requesters are told about their wishes, and volunteers about the wishes they helped with.

use entity::claim::{self, ClaimStatus};
use entity::id::MemberId;
use entity::wish::{self, WishStatus};

use crate::notify::Message;
use crate::task;

pub(super) fn published(wish: &wish::Model) -> Message {
    about("wish.published", "心愿已发布", format!("“{}”已发布，有志愿者认领时会通知您。", wish.title), wish)
}

pub(super) fn rejected(wish: &wish::Model) -> Message {
    let reason = wish.reason.as_deref().unwrap_or("未说明");
    let body = format!("“{}”未通过审核，原因：{reason}。您可以修改后重新发布。", wish.title);
    about("wish.rejected", "心愿未通过审核", body, wish)
}

pub(super) fn cancelled(wish: &wish::Model) -> Message {
    about("wish.cancelled", "心愿已取消", format!("“{}”已取消；如仍需要帮助，请重新发布。", wish.title), wish)
}

pub(super) fn expired(wish: &wish::Model) -> Message {
    let body = format!("“{}”在约定时段内无人认领，已过期；工作人员可为您重新上架。", wish.title);
    about("wish.expired", "心愿已过期", body, wish)
}

pub(super) fn claimed(wish: &wish::Model) -> Message {
    about("wish.claimed", "心愿已被认领", format!("志愿者已认领“{}”，请保持电话畅通。", wish.title), wish)
}

pub(super) fn released(wish: &wish::Model) -> Message {
    let next = match wish.status {
        WishStatus::Published => "心愿已重新发布，请等待新的志愿者认领",
        _ => "其他志愿者照常服务",
    };
    about("wish.released", "有志愿者退出", format!("一位志愿者不能参加“{}”，{next}。", wish.title), wish)
}

pub(super) fn begun(wish: &wish::Model) -> Message {
    about("wish.in_service", "志愿者已签到", format!("志愿者已为“{}”签到。", wish.title), wish)
}

pub(super) fn fulfilled(wish: &wish::Model) -> Message {
    let body = format!("“{}”已完成，请确认并评价；如有问题，请提出异议。", wish.title);
    about("wish.fulfilled", "心愿已完成，请确认", body, wish)
}

pub(super) fn arbitrated(wish: &wish::Model) -> Message {
    let outcome = match wish.status {
        WishStatus::Published => "将重新安排志愿者",
        _ => "认定为已完成",
    };
    about("wish.arbitrated", "异议已处理", format!("您对“{}”的异议已处理：{outcome}。", wish.title), wish)
}

/// For a volunteer who served.
pub(super) fn confirmed(wish: &wish::Model, rating: i16) -> Message {
    let body = format!("求助人已确认“{}”并评价 {rating} 星，感谢您的付出。", wish.title);
    about("wish.confirmed", "服务获得确认", body, wish)
}

/// For a volunteer who served.
pub(super) fn disputed(wish: &wish::Model) -> Message {
    let body = format!("求助人对“{}”提出异议，工作人员会与您联系核实。", wish.title);
    about("wish.disputed", "服务有异议", body, wish)
}

/// For those whose claims and offers ended with their wish.
pub(super) fn to_claims_of_cancelled<'a>(
    wish: &'a wish::Model,
    ended: &'a [claim::Model],
) -> impl Iterator<Item = (MemberId, Message)> + 'a {
    ended.iter().map(|claim| {
        let message = match claim.status {
            ClaimStatus::Lapsed => task::notice::lapsed(&wish.title, claim),
            _ => task::notice::cancelled(&wish.title, claim),
        };
        (claim.member_id, message)
    })
}

fn about(kind: &'static str, title: &str, body: String, wish: &wish::Model) -> Message {
    Message::new(kind, title, body).about("wish", wish.id)
}
