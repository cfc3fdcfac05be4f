//! What stations do with partners has no table in a data set: it is named, with its number.

use entity::stock_transfer::TransferStatus;
use entity::voucher::VoucherStatus;
use entity::{settlement, stock_take, stock_transfer, voucher};
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};

use super::{Export, ExportError};

impl Export<'_> {
    pub(super) async fn partners(&mut self) -> Result<(), ExportError> {
        let db = self.db;
        let free = voucher::Entity::find().filter(voucher::Column::Status.eq(VoucherStatus::Free)).count(db).await?;
        let codes = voucher::Entity::find().count(db).await?;
        let on_their_way = stock_transfer::Column::Status.eq(TransferStatus::Sent);
        let sent = stock_transfer::Entity::find().filter(on_their_way).count(db).await?;
        let takes = stock_take::Entity::find().count(db).await?;
        let settled = settlement::Entity::find().count(db).await?;
        for (count, words) in [
            (codes, format!("个礼券券码未导出，其中 {free} 个尚未发放，导入后请重新导入券码")),
            (sent, "笔在途调拨未导出，请先签收或撤回，否则在途数量不在任何站点的库存中".to_owned()),
            (takes, "次盘点的明细未导出，其库存变动已随 stock_movements 导出".to_owned()),
            (settled, "笔供应商结算未导出，请另行保存".to_owned()),
        ] {
            if count > 0 {
                self.report.warnings.push(format!("{count} {words}"));
            }
        }
        Ok(())
    }
}
