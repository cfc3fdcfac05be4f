//! Identifiers: one newtype a table over UUID v7, so that a member's id cannot be passed for a wish's.

/// Declares an id newtype and everything SeaORM, serde and utoipa ask of it.
macro_rules! id_type {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
            sea_orm::DeriveValueType, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
        )]
        #[serde(transparent)]
        #[schema(value_type = uuid::Uuid)]
        pub struct $name(pub uuid::Uuid);

        impl $name {
            /// The id nobody has: what an unparsable id becomes, so that it is not found in its turn.
            pub const NIL: Self = Self(uuid::Uuid::nil());

            /// A new time-ordered id. Draw it at the edge, never inside a repeatable command.
            pub fn new() -> Self {
                Self(uuid::Uuid::now_v7())
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl From<uuid::Uuid> for $name {
            fn from(id: uuid::Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for uuid::Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(out)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl sea_orm::TryFromU64 for $name {
            fn try_from_u64(_: u64) -> Result<Self, sea_orm::DbErr> {
                Err(sea_orm::DbErr::ConvertFromU64(stringify!($name)))
            }
        }
    )+};
}

id_type! {
    MemberId,
    UnitId,
    StationId,
    StaffId,
    SessionId,
    ConsentId,
    ReportingId,
    SmsCodeId,
    AuditId,
    OutboxId,
    InboxMessageId,
    RuleId,
    /// Of a points account. A member's is derived from programme and member, so it needs no look-up.
    AccountId,
    JournalId,
    AdjustmentId,
    GoodsId,
    StockMovementId,
    RedemptionId,
    ActivityId,
    WishId,
    TaskId,
    ClaimId,
    ServiceRecordId,
    BudgetId,
    /// Of a change to what a budget holds.
    FundingId,
    /// Of points that were earned and wait for a budget.
    DueId,
    GiftId,
    /// Of grants that one decision gave to many.
    GrantRoundId,
    HouseholdId,
    /// Of an activity of value beside hours.
    MeritId,
    PhotoId,
    SlotId,
    RedemptionShareId,
    VoucherId,
    /// Of a list of codes that came in together.
    VoucherBatchId,
    StockTakeId,
    StockTransferId,
    /// Of what one supplier is owed for one month.
    SettlementId,
    /// Of a month that was closed for a region.
    SettlementCloseId,
    /// Of a plan of whom to ask for what over a region.
    AssignmentId,
    GuessWordId,
    ListingId,
    /// Of a period in which a listing has so much and no more.
    PeriodId,
    BookingId,
    /// Of a bundle of needs and resources.
    ProjectId,
}
