//! A code sent to a phone.

use crate::id::SmsCodeId;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sms_code")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SmsCodeId,
    #[sea_orm(column_type = "Blob")]
    pub phone_index: Vec<u8>,
    #[sea_orm(column_type = "Blob")]
    pub code_hash: Vec<u8>,
    pub created_at: DateTimeUtc,
    pub expires_at: DateTimeUtc,
    pub attempts: i32,
    pub used_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
