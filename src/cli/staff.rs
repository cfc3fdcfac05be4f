//! `linli staff`: console accounts.

use std::io::Read as _;

use ::entity::id::{MemberId, StaffId, StationId};
use ::entity::staff::Role;
use ::entity::{member, station};
use clap::{Subcommand, ValueEnum};
use sea_orm::{ColumnTrait as _, EntityTrait as _, ExprTrait as _, QueryFilter as _, QuerySelect as _};

use super::{CliError, Migrate, configure, open};
use crate::app::AppState;
use crate::http::text::normalize;
use crate::identity::password;
use crate::identity::staff::{self, NewStaff, StaffError};
use crate::region::RegionCode;

const LONGEST_NAME: usize = 64;

/// Make and change console accounts
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Make an account
    Add(Add),
    /// Take an account out of use: it is signed out everywhere at once
    Disable { name: String },
    /// Bring an account back into use
    Enable { name: String },
}

#[derive(clap::Args)]
struct Add {
    name: String,
    #[arg(long)]
    role: RoleName,
    /// Code of the region in whose subtree it works
    #[arg(long, value_name = "CODE", value_parser = RegionCode::parse)]
    region: RegionCode,
    /// The one station it works at (id or ref); without it, every station of the subtree
    #[arg(long, value_name = "ID")]
    station: Option<String>,
    /// Which member it is (ref or id), so that nobody decides about themselves
    #[arg(long, value_name = "REF")]
    member: Option<String>,
    /// Read the password from standard input, its first line
    #[arg(long, required = true)]
    password_stdin: bool,
}

#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum RoleName {
    Admin,
    Manager,
    Clerk,
    Operator,
    GridWorker,
    Auditor,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Admin => Self::Admin,
            RoleName::Manager => Self::Manager,
            RoleName::Clerk => Self::Clerk,
            RoleName::Operator => Self::Operator,
            RoleName::GridWorker => Self::GridWorker,
            RoleName::Auditor => Self::Auditor,
        }
    }
}

impl From<StaffError> for CliError {
    fn from(error: StaffError) -> Self {
        match error {
            StaffError::Db(error) => error.into(),
            other => Self::failed(other.to_string()),
        }
    }
}

pub(super) async fn run(args: Args) -> Result<(), CliError> {
    match args.action {
        Action::Add(args) => add(args).await,
        Action::Disable { name } => set_disabled(name, true).await,
        Action::Enable { name } => set_disabled(name, false).await,
    }
}

async fn add(args: Add) -> Result<(), CliError> {
    let username = check_name(&args.name)?;
    let password = read_password()?;
    let state = open(configure()?, Migrate::Sqlite).await?;
    let station = match &args.station {
        Some(text) => Some(find_station(&state, text).await?),
        None => None,
    };
    let member = match &args.member {
        Some(text) => Some(find_member(&state, text).await?),
        None => None,
    };
    let password_hash = password::hash(&password)
        .map_err(|error| CliError::failed(format!("the password cannot be hashed: {error}")))?;
    let new = NewStaff {
        id: StaffId::new(),
        username,
        password_hash,
        role: args.role.into(),
        region: args.region,
        station,
        member,
    };
    let now = state.clock.now();
    let (id, name) = (new.id, new.username.clone());
    state.db.write(async move |txn| staff::add(txn, &new, now).await).await?;
    println!("{name} {id}");
    Ok(())
}

async fn set_disabled(name: String, disabled: bool) -> Result<(), CliError> {
    let state = open(configure()?, Migrate::Sqlite).await?;
    let now = state.clock.now();
    let account = name.clone();
    state.db.write(async move |txn| staff::set_disabled(txn, &account, disabled, now).await).await?;
    println!("{name} {}", if disabled { "disabled" } else { "enabled" });
    Ok(())
}

/// The name as it is kept: folded.
fn check_name(name: &str) -> Result<String, CliError> {
    let name = normalize(name, LONGEST_NAME, false).map(|name| staff::fold(&name));
    let spaced = |name: &String| name.chars().any(char::is_whitespace);
    name.ok()
        .filter(|name| !spaced(name))
        .ok_or_else(|| CliError::Usage(format!("a name has 1 to {LONGEST_NAME} visible characters and no spaces")))
}

fn read_password() -> Result<String, CliError> {
    let mut text = String::new();
    std::io::stdin().take(4096).read_to_string(&mut text)?;
    let password = text.lines().next().unwrap_or_default().to_owned();
    let fits = password.chars().count() >= password::SHORTEST && password.len() <= password::LONGEST_BYTES;
    let rule = || {
        format!(
            "a password has at least {} characters and at most {} bytes",
            password::SHORTEST,
            password::LONGEST_BYTES
        )
    };
    if fits { Ok(password) } else { Err(CliError::Usage(rule())) }
}

async fn find_station(state: &AppState, text: &str) -> Result<StationId, CliError> {
    let id = text.parse().unwrap_or(StationId::NIL);
    let wanted = station::Column::Id.eq(id).or(station::Column::RefId.eq(text));
    let found = station::Entity::find().filter(wanted).one(state.db.read()).await?;
    found.map(|row| row.id).ok_or_else(|| CliError::failed("no such station"))
}

async fn find_member(state: &AppState, text: &str) -> Result<MemberId, CliError> {
    let id = text.parse().unwrap_or(MemberId::NIL);
    let found: Option<MemberId> = member::Entity::find()
        .select_only()
        .column(member::Column::Id)
        .filter(member::Column::Id.eq(id).or(member::Column::RefId.eq(text)))
        .into_tuple()
        .one(state.db.read())
        .await?;
    found.ok_or_else(|| CliError::failed("no such member"))
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn names_are_folded_and_have_no_spaces() {
        assert_eq!(check_name("Wang").unwrap(), "wang");
        for name in ["", "  ", "a b", "a\u{202E}b", "a\nb"] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }
}
