//! The tables of a data set: their names, columns and order.

/// How a column's cells are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Codes, lists of codes, words from a list: width-folded and trimmed.
    Code,
    /// Codes or words joined by `;`, whose order says nothing; folded.
    List,
    /// Names and other text: trimmed only.
    Text,
    /// A number, folded.
    Number,
    /// A moment in local time, folded.
    Moment,
    /// A day, folded.
    Day,
    /// A moment as exact as it was stored: RFC 3339, or as [`Kind::Moment`]. Of the tables that only exports write.
    Instant,
    /// A phone number, folded.
    Phone,
}

/// One column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub name: &'static str,
    pub kind: Kind,
    /// An empty cell is `missing_field`.
    pub required: bool,
    /// Says when something happened, so that it counts for the newest moment of the set (plans and deadlines do not).
    pub happened: bool,
}

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, required: false, happened: false }
}

impl Column {
    const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    const fn happened(mut self) -> Self {
        self.happened = true;
        self
    }
}

const fn code(name: &'static str) -> Column {
    column(name, Kind::Code)
}

const fn text(name: &'static str) -> Column {
    column(name, Kind::Text)
}

const fn list(name: &'static str) -> Column {
    column(name, Kind::List)
}

const fn number(name: &'static str) -> Column {
    column(name, Kind::Number)
}

const fn moment(name: &'static str) -> Column {
    column(name, Kind::Moment)
}

const fn day(name: &'static str) -> Column {
    column(name, Kind::Day)
}

const fn instant(name: &'static str) -> Column {
    column(name, Kind::Instant)
}

/// A table of a data set, in the order in which they are imported: what is referred to comes before what refers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    Regions,
    Codes,
    Units,
    Members,
    Activities,
    Participations,
    OpeningBalances,
    Wishes,
    Goods,
    ServiceRecords,
    Journals,
    StockMovements,
    Redemptions,
    Grids,
    Listings,
    WorkOrders,
    Reports,
    Deployments,
}

impl Table {
    /// All of them, in the order in which they are imported.
    pub const ALL: [Self; 18] = [
        Self::Regions,
        Self::Codes,
        Self::Units,
        Self::Members,
        Self::Activities,
        Self::Participations,
        Self::OpeningBalances,
        Self::Wishes,
        Self::Goods,
        Self::ServiceRecords,
        Self::Journals,
        Self::StockMovements,
        Self::Redemptions,
        Self::Grids,
        Self::Listings,
        Self::WorkOrders,
        Self::Reports,
        Self::Deployments,
    ];

    /// As in file names and in the report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Regions => "regions",
            Self::Codes => "codes",
            Self::Units => "units",
            Self::Members => "members",
            Self::Activities => "activities",
            Self::Participations => "participations",
            Self::OpeningBalances => "opening_balances",
            Self::Wishes => "wishes",
            Self::Goods => "goods",
            Self::ServiceRecords => "service_records",
            Self::Journals => "journals",
            Self::StockMovements => "stock_movements",
            Self::Redemptions => "redemptions",
            Self::Grids => "grids",
            Self::Listings => "listings",
            Self::WorkOrders => "work_orders",
            Self::Reports => "reports",
            Self::Deployments => "deployments",
        }
    }

    /// The table whose file has this stem: the longest name that it equals or begins with, followed by `_`.
    pub fn of_stem(stem: &str) -> Option<Self> {
        let belongs =
            |table: &Self| stem.strip_prefix(table.name()).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
        Self::ALL.into_iter().filter(belongs).max_by_key(|table| table.name().len())
    }

    /// The columns in the order in which [`Row`](super::row::Row) has them and in which they are written.
    pub const fn columns(self) -> &'static [Column] {
        match self {
            Self::Regions => {
                const {
                    &[
                        code("code").required(),
                        text("name").required(),
                        code("level").required(),
                        code("parent_code"),
                        code("kind"),
                    ]
                }
            }
            Self::Codes => {
                const { &[code("list").required(), code("code").required(), text("name").required(), code("parent")] }
            }
            Self::Units => {
                const {
                    &[
                        code("unit_id").required(),
                        text("name").required(),
                        code("unit_type"),
                        code("region_code").required(),
                        number("party_members"),
                    ]
                }
            }
            Self::Members => MEMBERS,
            Self::Activities => ACTIVITIES,
            Self::Participations => PARTICIPATIONS,
            Self::OpeningBalances => {
                const { &[code("member_id").required(), number("hours").required(), day("as_of").required().happened()] }
            }
            Self::Wishes => WISHES,
            Self::Goods => {
                const {
                    &[
                        code("goods_id").required(),
                        text("name").required(),
                        code("station_region_code").required(),
                        number("points_cost").required(),
                        number("stock").required(),
                        number("per_member_limit"),
                        code("supplier_unit_id"),
                    ]
                }
            }
            Self::Redemptions => {
                const {
                    &[
                        code("redemption_id").required(),
                        code("member_id").required(),
                        code("goods_id").required(),
                        number("quantity").required(),
                        number("points").required(),
                        moment("redeemed_at").required().happened(),
                        code("station_region_code"),
                    ]
                }
            }
            Self::ServiceRecords => SERVICE_RECORDS,
            Self::Journals => JOURNALS,
            Self::StockMovements => {
                const {
                    &[
                        code("movement_id").required(),
                        code("goods_id").required(),
                        number("quantity").required(),
                        code("reason").required(),
                        moment("at").required().happened(),
                    ]
                }
            }
            Self::Listings => LISTINGS,
            Self::Grids | Self::WorkOrders | Self::Reports | Self::Deployments => &[],
        }
    }

    /// Where column `name` stands in [`Self::columns`]; for constants, so that a misspelt name does not compile.
    ///
    /// # Panics
    /// Where there is no such column.
    pub const fn position(self, name: &str) -> usize {
        let columns = self.columns();
        let mut at = 0;
        while at < columns.len() {
            if same(columns[at].name, name) {
                return at;
            }
            at += 1;
        }
        panic!("no such column")
    }
}

const fn same(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut at = 0;
    while at < left.len() && at < right.len() && left[at] == right[at] {
        at += 1;
    }
    at == left.len() && at == right.len()
}

const MEMBERS: &[Column] = &[
    code("member_id").required(),
    text("name").required(),
    column("phone", Kind::Phone).required(),
    code("gender"),
    number("birth_year"),
    code("region_code").required(),
    list("kinds"),
    code("unit_id"),
    code("group_no"),
    list("skills"),
    list("availability"),
    number("max_hours_week"),
    code("special_group"),
    number("lat"),
    number("lon"),
    day("registered_on").happened(),
];

const ACTIVITIES: &[Column] = &[
    code("activity_id").required(),
    text("title").required(),
    code("category").required(),
    code("region_code").required(),
    code("unit_id"),
    moment("starts_at").required().happened(),
    moment("ends_at").required().happened(),
    number("capacity"),
    number("points"),
    number("participants"),
    number("served_persons"),
];

const PARTICIPATIONS: &[Column] = &[
    code("participation_id").required(),
    code("activity_id").required(),
    code("member_id").required(),
    moment("check_in").required().happened(),
    moment("check_out").required().happened(),
    number("hours"),
    code("category"),
    number("points"),
];

const WISHES: &[Column] = &[
    code("wish_id").required(),
    text("title").required(),
    text("body").required(),
    code("category").required(),
    list("skills"),
    code("region_code").required(),
    code("requester_id").required(),
    code("special_group"),
    number("people_needed"),
    number("est_hours"),
    code("preferred_window").required(),
    day("deadline"),
    moment("created_at").required().happened(),
    code("status").required(),
    code("claimed_by"),
    moment("claimed_at").happened(),
    moment("done_at").happened(),
    number("rating"),
];

/// Plans, so that none of its days counts for the newest moment of a set.
const LISTINGS: &[Column] = &[
    code("listing_id").required(),
    code("kind").required(),
    text("title").required(),
    text("body").required(),
    code("category").required(),
    list("skills"),
    code("region_code").required(),
    code("owner_kind").required(),
    code("owner_id").required(),
    number("quantity"),
    text("unit_name"),
    day("available_from").required(),
    day("available_to").required(),
    code("special_group"),
];

const SERVICE_RECORDS: &[Column] = &[
    code("record_id").required(),
    code("member_id").required(),
    code("activity_id"),
    code("category").required(),
    instant("started_at").required().happened(),
    instant("ended_at").required().happened(),
    number("minutes").required(),
    number("points"),
    code("evidence").required(),
    code("status").required(),
    instant("verified_at").happened(),
    instant("counted_at").happened(),
    instant("reversed_at").happened(),
    text("reason"),
];

/// One row an entry; the entries of a journal sum to zero.
const JOURNALS: &[Column] = &[
    code("journal_id").required(),
    number("line").required(),
    code("kind").required(),
    code("programme").required(),
    code("account_kind").required(),
    code("account").required(),
    number("amount").required(),
    day("expires_on"),
    instant("at").required().happened(),
    text("reason"),
    code("source_kind").required(),
    code("source"),
    code("reverses"),
];

/// The English name of a column for one of the Chinese headers in use.
pub fn english(header: &str) -> Option<&'static str> {
    Some(match header {
        "编号" | "志愿者编号" => "member_id",
        "姓名" => "name",
        "手机号" => "phone",
        "出生年" => "birth_year",
        "社区编码" => "region_code",
        "身份" => "kinds",
        "技能" => "skills",
        "特殊群体" => "special_group",
        "记录编号" => "participation_id",
        "活动编号" => "activity_id",
        "签到时间" => "check_in",
        "签退时间" => "check_out",
        "时长" => "hours",
        "类别" => "category",
        "积分" => "points",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stem_belongs_to_the_longest_name() {
        assert_eq!(Table::of_stem("members"), Some(Table::Members));
        assert_eq!(Table::of_stem("members_1"), Some(Table::Members));
        assert_eq!(Table::of_stem("opening_balances_old"), Some(Table::OpeningBalances));
        for stem in ["membership", "summary", "member", "Members", "", "_members", "members-1"] {
            assert_eq!(Table::of_stem(stem), None, "{stem}");
        }
    }
}
