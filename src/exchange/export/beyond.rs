//! What a data set has no table for: told, so that nobody takes a set for a backup.

use entity::code_item::{self, Privacy};
use entity::{assignment, guess_word, member, merit, offer, offer_policy, photo, qualification, wish_hazard};
use sea_orm::{ColumnTrait as _, Condition, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};
use uuid::Uuid;

use super::{Export, ExportError};

impl Export<'_> {
    /// Counts what stays behind, table by table.
    pub(super) async fn beyond(&mut self) -> Result<(), ExportError> {
        let paused = member::Entity::find().filter(member::Column::OffersPaused.eq(true));
        let counts = [
            ("捐赠、事件与家庭评分", "积分分录已导出", merit::Entity::find().count(self.db).await?),
            ("批量派单方案", "派单结果在认领中", assignment::Entity::find().count(self.db).await?),
            ("自动派单规则", "请在新实例中重新设置", offer_policy::Entity::find().count(self.db).await?),
            ("派单依据（得分与因素）", "仅供核对当时的派单", offer::Entity::find().count(self.db).await?),
            ("暂停接单的居民", "数据集没有这一列", paused.count(self.db).await?),
            ("照片", "数据集不含照片", photo::Entity::find().count(self.db).await?),
            ("资质、培训与保险", "数据集没有这张表", qualification::Entity::find().count(self.db).await?),
            ("心愿的危险类型", "数据集没有这一列", wish_hazard::Entity::find().count(self.db).await?),
            ("代码的合并、停用、标记与自设危险类型、培训", "codes 表只有名称和上级", self.marked_codes().await?),
            ("自设的猜测用词", "数据集没有这张表", self.own_words().await?),
        ];
        for (what, why, count) in counts {
            if count > 0 {
                self.report.warnings.push(format!("{what}：{count} 项未导出（{why}）"));
            }
        }
        Ok(())
    }

    /// Codes of which `codes.csv` cannot tell everything; the hazards and trainings that every instance begins with are not
    /// counted.
    async fn marked_codes(&self) -> Result<u64, ExportError> {
        use code_item::Column::{Code, Licence, List, MergedInto, Priority, RetiredAt};
        let given = (1..=10).map(|number| format!("H{number:02}")).chain((1..=8).map(|number| format!("T{number:02}")));
        let own = Condition::all().add(List.is_in(["hazard", "training"])).add(Code.is_not_in(given));
        let marked = Condition::any()
            .add(MergedInto.is_not_null())
            .add(RetiredAt.is_not_null())
            .add(code_item::Column::Privacy.ne(Privacy::Sensitive))
            .add(Priority.ne(0_i16))
            .add(Licence.eq(true))
            .add(own);
        Ok(code_item::Entity::find().filter(marked).count(self.db).await?)
    }

    /// Words that staff have added to those that every instance begins with, whose ids are of the beginning of time.
    async fn own_words(&self) -> Result<u64, ExportError> {
        let last = Uuid::from_u128(0x0000_0000_0000_7000_8000_ffff_ffff_ffff);
        Ok(guess_word::Entity::find().filter(guess_word::Column::Id.gt(last)).count(self.db).await?)
    }
}
