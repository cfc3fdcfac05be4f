//! `linli demo`: a street to try things on.

use std::path::Path;

use ::entity::id::StaffId;
use ::entity::staff::{self as staff_table, Role};
use indicatif::ProgressBar;
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};

use super::serve::serve;
use super::{CliError, Migrate, install_tls, open, start_log};
use crate::app::AppState;
use crate::config::{Config, SecretKey};
use crate::exchange::import::{Options, import};
use crate::identity::password;
use crate::identity::staff::{self, NewStaff};
use crate::region::RegionCode;

/// Try it out: a SQLite file with a demonstration street, loaded once, and the server
#[derive(clap::Args)]
pub(super) struct Args {}

/// The set comes inside the binary: a stranger's machine has no folder beside it.
const SET: &[(&str, &str)] = &[
    ("regions.csv", include_str!("../../datasets/station/regions.csv")),
    ("codes.csv", include_str!("../../datasets/station/codes.csv")),
    ("units.csv", include_str!("../../datasets/station/units.csv")),
    ("grids.csv", include_str!("../../datasets/station/grids.csv")),
    ("members.csv", include_str!("../../datasets/station/members.csv")),
    ("activities.csv", include_str!("../../datasets/station/activities.csv")),
    ("participations.csv", include_str!("../../datasets/station/participations.csv")),
    ("opening_balances.csv", include_str!("../../datasets/station/opening_balances.csv")),
    ("wishes.csv", include_str!("../../datasets/station/wishes.csv")),
    ("listings.csv", include_str!("../../datasets/station/listings.csv")),
    ("goods.csv", include_str!("../../datasets/station/goods.csv")),
    ("redemptions.csv", include_str!("../../datasets/station/redemptions.csv")),
    ("work_orders.csv", include_str!("../../datasets/station/work_orders.csv")),
];

const STREET: &str = "130202009";
const PASSWORD: &str = "linli-demo-1234";

/// Who can sign in with [`PASSWORD`]. Two managers: nobody decides about what they entered themselves.
const ACCOUNTS: &[(&str, Role, &str)] = &[
    ("demo-manager", Role::Manager, "社区工作者：审核心愿、核实时长、管理兑换品"),
    ("demo-manager-2", Role::Manager, "第二位社区工作者：复核同事录入的记录"),
    ("demo-clerk", Role::Clerk, "驿站工作人员：签到、核销、补货"),
    ("demo-auditor", Role::Auditor, "审计：只看不改"),
    // Last: where it exists, everything before it was done.
    ("demo-admin", Role::Admin, "管理员"),
];

/// Members of the set that make good company: their phones are no real ones.
const MEMBERS: &[(&str, &str)] = &[
    ("10000000001", "居民 M0000001"),
    ("10000000683", "志愿者 M0000683，已有积分"),
    ("10000000473", "志愿者 M0000473，已有积分"),
];

pub(super) async fn run(_: Args) -> Result<(), CliError> {
    let config = settings()?;
    start_log(&config);
    install_tls();
    let file = config.sqlite_path().unwrap_or_default();
    let state = open(config, Migrate::Sqlite).await?;
    if !loaded(&state).await? {
        eprintln!("载入演示数据 …");
        load(&state).await?;
    }
    serve(state, |address| print_welcome(address, &file)).await
}

/// The settings, but for the database, which is the demo's own file, and a quiet log unless one is asked for.
fn settings() -> Result<Config, CliError> {
    let mut config = Config::load()?;
    let file = config.data_dir.join("demo").join("linli.db");
    config.database_url = format!("sqlite://{}", file.display()).into();
    config.secret_key = SecretKey::beside(&file);
    config.demo = true;
    if std::env::var_os("LINLI_LOG").is_none() {
        "warn".clone_into(&mut config.log);
    }
    Ok(config)
}

async fn loaded(state: &AppState) -> Result<bool, CliError> {
    let names = ACCOUNTS.iter().map(|(name, ..)| *name);
    let found = staff_table::Entity::find().filter(staff_table::Column::Username.is_in(names)).count(state.db.read());
    Ok(found.await? == ACCOUNTS.len() as u64)
}

/// Imports the set, its newest day in this week, and makes the accounts. Interrupted, the next start goes on with it.
async fn load(state: &AppState) -> Result<(), CliError> {
    let dir = state.config.data_dir.join("demo").join("set");
    std::fs::create_dir_all(&dir)?;
    for (name, text) in SET {
        std::fs::write(dir.join(name), text)?;
    }
    let options = Options { dry_run: false, shift_to: Some(state.calendar.day_of(state.clock.now())) };
    import(state, &dir, options, &ProgressBar::hidden()).await.map_err(anyhow::Error::new)?;
    std::fs::remove_dir_all(&dir)?;
    for (name, role, _) in ACCOUNTS {
        add_account(state, name, *role).await?;
    }
    Ok(())
}

async fn add_account(state: &AppState, name: &str, role: Role) -> Result<(), CliError> {
    let password_hash = password::hash(PASSWORD)
        .map_err(|error| CliError::failed(format!("the password cannot be hashed: {error}")))?;
    let new = NewStaff {
        id: StaffId::new(),
        username: name.to_owned(),
        password_hash,
        role,
        region: RegionCode::parse(STREET).map_err(|_| CliError::failed("the street has no code"))?,
        station: None,
        member: None,
    };
    let now = state.clock.now();
    match state.db.write(async move |txn| staff::add(txn, &new, now).await).await {
        Ok(()) | Err(staff::StaffError::Taken) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn print_welcome(address: &str, file: &Path) {
    println!("邻里演示已启动（数据文件 {}）", file.display());
    println!("  接口文档  {address}/docs");
    println!("  接口地址  {address}/api/v1");
    println!("工作人员（POST /api/v1/auth/staff，密码都是 {PASSWORD}）：");
    for (name, _, what) in ACCOUNTS {
        println!("  {name:<15} {what}");
    }
    println!("居民和志愿者（POST /api/v1/auth/sms 后，验证码打印在这里）：");
    for (phone, who) in MEMBERS {
        println!("  {phone}  {who}");
    }
    println!("按 Ctrl-C 结束。");
}
