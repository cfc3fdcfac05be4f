//! What a data set has no table for: told, so that nobody takes a set for a backup.

use entity::{merit, photo};
use sea_orm::{EntityTrait as _, PaginatorTrait as _};

use super::{Export, ExportError};

impl Export<'_> {
    /// Counts what stays behind, table by table.
    pub(super) async fn beyond(&mut self) -> Result<(), ExportError> {
        let counts = [
            ("捐赠、事件与家庭评分", "积分分录已导出", merit::Entity::find().count(self.db).await?),
            ("照片", "数据集不含照片", photo::Entity::find().count(self.db).await?),
        ];
        for (what, why, count) in counts {
            if count > 0 {
                self.report.warnings.push(format!("{what}：{count} 项未导出（{why}）"));
            }
        }
        Ok(())
    }
}
