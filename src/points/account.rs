//! Which account is whose. Ids are derived, so that nothing has to be looked up before a posting.

use entity::account::{self, AccountKind};
use entity::id::{AccountId, MemberId};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait as _};
use uuid::Uuid;

/// The namespace of derived account ids; never changes.
const NAMESPACE: Uuid = Uuid::from_u128(0x6c69_6e6c_692d_4163_8000_636f_756e_7473);

/// A member's account in a programme.
pub fn of_member(programme: &str, member: MemberId) -> AccountId {
    derived(&format!("member/{programme}/{member}"))
}

/// A community's side of a programme's books. `kind` is not `member`.
pub fn of_books(programme: &str, kind: AccountKind, community: &str) -> AccountId {
    let kind = match kind {
        AccountKind::Member => "member",
        AccountKind::Issued => "issued",
        AccountKind::Spent => "spent",
        AccountKind::Expired => "expired",
        AccountKind::Donated => "donated",
    };
    derived(&format!("{kind}/{programme}/{community}"))
}

fn derived(name: &str) -> AccountId {
    AccountId(Uuid::new_v5(&NAMESPACE, name.as_bytes()))
}

/// The row of a member's account.
pub fn member_row(programme: &str, member: MemberId) -> account::ActiveModel {
    account::ActiveModel {
        id: Set(of_member(programme, member)),
        programme: Set(programme.to_owned()),
        kind: Set(AccountKind::Member),
        member_id: Set(Some(member)),
        region_code: Set(None),
    }
}

/// The row of a community's issued, spent, expired or donated account.
pub fn books_row(programme: &str, kind: AccountKind, community: &str) -> account::ActiveModel {
    account::ActiveModel {
        id: Set(of_books(programme, kind, community)),
        programme: Set(programme.to_owned()),
        kind: Set(kind),
        member_id: Set(None),
        region_code: Set(Some(community.to_owned())),
    }
}

/// Makes sure that accounts exist, whoever made them first.
///
/// # Errors
/// The database's: an unknown member or community is a foreign key violation.
pub async fn open(
    db: &impl ConnectionTrait,
    rows: impl IntoIterator<Item = account::ActiveModel>,
) -> Result<(), DbErr> {
    account::Entity::insert_many(rows)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(db)
        .await
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ids are stored for good: another formula would lose every account.
    #[test]
    fn derived_ids_never_change() {
        let member = MemberId(Uuid::from_u128(1));
        assert_eq!(of_member("default", member).to_string(), "b7af70bf-5f50-5e35-a9d7-7938d72ceba9");
        assert_ne!(of_member("default", member), of_member("other", member));
        let (issued, spent) = (AccountKind::Issued, AccountKind::Spent);
        assert_ne!(of_books("default", issued, "130202009001"), of_books("default", spent, "130202009001"));
    }
}
