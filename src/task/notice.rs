//! What volunteers are told about their claims.

use entity::claim::{self, ClaimStatus};
use entity::task;

use crate::notify::Message;

/// An offer was made to them.
pub fn offered(task: &task::Model, claim: &claim::Model) -> Message {
    let body = format!("邀请您参加“{}”，请在期限内接单或婉拒；婉拒不影响任何记录。", task.title);
    about("claim.offered", "您有一项新的服务邀请", body, claim)
}

/// An offer of theirs lapsed.
pub fn lapsed(title: &str, claim: &claim::Model) -> Message {
    let body = format!("“{title}”的服务邀请已过期，不影响任何记录；如仍有名额，您可以直接认领。");
    about("claim.lapsed", "服务邀请已过期", body, claim)
}

/// Others of the wave were faster.
pub fn filled(task: &task::Model, claim: &claim::Model) -> Message {
    let body = format!("“{}”名额已满，感谢您的热心；您无需答复，也不影响任何记录。", task.title);
    about("claim.filled", "名额已满，感谢您的热心", body, claim)
}

/// Staff took the offer back.
pub fn taken_back(title: &str, claim: &claim::Model) -> Message {
    let body = format!("“{title}”的服务邀请已由工作人员撤回，您无需答复；如仍有名额，您可以直接认领。");
    about("claim.taken_back", "服务邀请已撤回", body, claim)
}

/// For the staff who offered it, where they are a member.
pub fn answered(task: &task::Model, claim: &claim::Model) -> Message {
    let (title, done) = match claim.status {
        ClaimStatus::Declined => ("派单被婉拒", "已婉拒，可另请他人"),
        _ => ("派单已被接受", "已接单"),
    };
    about("claim.answered", title, format!("您派出的“{}”，志愿者{done}。", task.title), claim)
}

/// They claimed or accepted.
pub fn accepted(task: &task::Model, claim: &claim::Model) -> Message {
    let risk = task.risk_notice.as_deref().map(|risk| format!("风险提示：{risk}")).unwrap_or_default();
    let body = format!("您已认领“{}”，请先联系求助人，并按时到场签到；不能前往时请及时退出。{risk}", task.title);
    about("claim.accepted", "认领成功", body, claim)
}

/// They withdrew.
pub fn withdrawn(task: &task::Model, claim: &claim::Model) -> Message {
    about("claim.withdrawn", "已退出任务", format!("您已退出“{}”，名额已释放。", task.title), claim)
}

/// What they had accepted is gone.
pub fn cancelled(title: &str, claim: &claim::Model) -> Message {
    about("claim.cancelled", "任务已取消", format!("您认领的“{title}”已取消，无需前往，感谢您的热心。"), claim)
}

/// Nobody came.
pub fn missed(task: &task::Model, claim: &claim::Model) -> Message {
    let body = format!("“{}”登记为未到。如与事实不符，请联系站点工作人员。", task.title);
    about("claim.no_show", "登记为未到", body, claim)
}

/// They are checked out, by hand or by itself.
pub fn checked_out(task: &task::Model, claim: &claim::Model) -> Message {
    let body = format!("“{}”已签退，服务记录待核实，核实后时长与积分到账。", task.title);
    about("claim.checked_out", "服务已签退", body, claim)
}

fn about(kind: &'static str, title: &str, body: String, claim: &claim::Model) -> Message {
    Message::new(kind, title, body).about("claim", claim.id)
}
