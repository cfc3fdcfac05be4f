//! Regions and stations.

use ::entity::id::StationId;
use ::entity::region::{self, RegionLevel};
use ::entity::station::{self, StationKind};
use sea_orm::{Set, TryIntoModel as _};

use super::{CITY, COMMUNITY, DISTRICT, FOREIGN, SISTER, STREET, Seed, Sent};

pub(super) fn tree() -> Vec<region::ActiveModel> {
    [
        (CITY, "秦皇岛市", RegionLevel::City, None),
        (DISTRICT, "海港区", RegionLevel::District, Some(CITY)),
        (STREET, "文化路街道", RegionLevel::Street, Some(DISTRICT)),
        (COMMUNITY, "红旗里社区居委会", RegionLevel::Community, Some(STREET)),
        (SISTER, "河涧里社区居委会", RegionLevel::Community, Some(STREET)),
        ("130303", "山海关区", RegionLevel::District, Some(CITY)),
        ("130303001", "南关街道", RegionLevel::Street, Some("130303")),
        (FOREIGN, "道南社区居委会", RegionLevel::Community, Some("130303001")),
    ]
    .map(|(code, name, level, parent)| region::ActiveModel {
        code: Set(code.to_owned()),
        name: Set(name.to_owned()),
        level: Set(level),
        parent_code: Set(parent.map(str::to_owned)),
        kind: Set(String::new()),
    })
    .to_vec()
}

pub(crate) struct StationSeed<'a> {
    seed: Seed<'a>,
    region: String,
    name: Option<String>,
}

impl<'a> StationSeed<'a> {
    pub(super) fn new(seed: Seed<'a>) -> Self {
        Self { seed, region: COMMUNITY.to_owned(), name: None }
    }

    pub(crate) fn in_region(mut self, code: &str) -> Self {
        code.clone_into(&mut self.region);
        self
    }

    pub(crate) fn called(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    async fn send(self) -> station::Model {
        self.seed.regions().await;
        let number = self.seed.next();
        let now = self.seed.app.clock.now();
        let row = station::ActiveModel {
            id: Set(StationId::new()),
            ref_id: Set(Some(format!("S{number:03}"))),
            name: Set(self.name.unwrap_or_else(|| format!("第{number}积分超市"))),
            kind: Set(StationKind::PointsShop),
            region_code: Set(self.region),
            address: Set(None),
            opening_hours: Set(None),
            lat: Set(None),
            lon: Set(None),
            active: Set(true),
            created_at: Set(now),
            updated_at: Set(now),
        };
        self.seed.insert(vec![row.clone()]).await;
        row.try_into_model().unwrap()
    }
}

impl<'a> IntoFuture for StationSeed<'a> {
    type Output = station::Model;
    type IntoFuture = Sent<'a, station::Model>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
