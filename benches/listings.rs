//! Listings for wishes: what share of a set's wishes finds something on the lists of its district, by service domain and by points
//! category. Prints the table of `docs/matching.md`.
//!
//! `cargo bench --bench listings -- [--size station|lunan|haigang|tangshan] [--scale 0.1] [--set FOLDER]`
//!
//! Every resource and service of the set stands for its own days, every wish asks for its own window, whatever became of it since.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a program that measures ends loudly")]
#![allow(clippy::cast_precision_loss, reason = "figures are quoted to a few digits")]

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use entity::category::Category;
use entity::id::WishId;
use entity::listing::{self, ListingKind};
use entity::{wish, wish_skill};
use indicatif::ProgressBar;
use linli::app::AppState;
use linli::clock::Clock;
use linli::config::Config;
use linli::db::{Db, DbOptions};
use linli::exchange::import::{Options, import};
use linli::listing::finding::{Offered, with_meaning};
use linli::listing::matches::{Basis, content, near, worth};
use linli::listing::meaning::Meaning;
use linli::taxonomy::{guess, guesser};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};

const SECRET: &str = "bGlubGkncyB0ZXN0cyBhbGwga25vdyB0aGlzIHNlY3JldCE=";

fn option(name: &str) -> Option<String> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1)
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let size = option("--size").unwrap_or_else(|| "station".to_owned());
    let scale = option("--scale").unwrap_or_else(|| "1".to_owned());
    let set = option("--set").map_or_else(|| generate(&size, &scale, folder.path()), PathBuf::from);
    let state = state(&folder.path().join("linli.db")).await;
    import(&state, &set, Options::default(), &ProgressBar::hidden()).await.expect("an import");
    let began = Instant::now();
    let found = Found::look(&state).await;
    println!(
        "{} wishes, {} resources and services, {:.1} s",
        found.asked,
        found.offered,
        began.elapsed().as_secs_f64()
    );
    found.print(&size, &scale);
}

fn generate(size: &str, scale: &str, folder: &Path) -> PathBuf {
    let out = folder.join(size);
    let generator = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/generate.py");
    let mut python = Command::new("python3");
    python.arg(generator).args(["--size", size, "--scale", scale, "--out"]).arg(&out).stdout(Stdio::null());
    assert!(python.status().expect("python3").success(), "the generator failed");
    out
}

async fn state(file: &Path) -> AppState {
    linli::cli::install_tls();
    let url = format!("sqlite://{}", file.display());
    let variables = [
        ("LINLI_DATABASE_URL".to_owned(), url.clone()),
        ("LINLI_SECRET_KEY".to_owned(), SECRET.to_owned()),
        ("LINLI_MIN_FREE_MIB".to_owned(), "0".to_owned()),
    ];
    let config = Config::from_variables(variables).unwrap();
    let keys = config.secret_key.keys().unwrap();
    let db = Db::connect(&DbOptions { url, min_free_mib: 0, max_connections: 4 }).await.unwrap();
    db.migrate().await.unwrap();
    AppState::new(config, keys, db, Clock::system())
}

/// How many of some wishes found something.
#[derive(Clone, Copy, Default)]
struct Row {
    wishes: u32,
    /// Something of the same skills, or skills guessed from the words.
    by_skill: u32,
    /// Nothing by skill, but something of the same domain or category.
    by_domain: u32,
    /// Of all that fits, something is open for half of the window at least.
    in_time: u32,
}

#[derive(Default)]
struct Found {
    asked: usize,
    offered: usize,
    by_domain: BTreeMap<String, Row>,
    by_category: BTreeMap<&'static str, Row>,
    all: Row,
}

impl Found {
    async fn look(state: &AppState) -> Self {
        let db = state.db.read();
        let meaning = Meaning::load(db, guesser(state).await.unwrap()).await.unwrap();
        let kinds = [ListingKind::Resource, ListingKind::Service];
        let rows = listing::Entity::find().filter(listing::Column::Kind.is_in(kinds)).all(db).await.unwrap();
        let mut offers = Vec::with_capacity(rows.len());
        // A statement takes so many values and no more.
        for part in rows.chunks(1_000) {
            offers.extend(with_meaning(db, &meaning, state.calendar, part.to_vec()).await.unwrap());
        }
        let mut found = Self { offered: offers.len(), ..Self::default() };
        let mut districts: HashMap<String, Vec<Offered>> = HashMap::new();
        for offer in offers {
            districts.entry(offer.row.region_code[..6].to_owned()).or_default().push(offer);
        }
        let mut skills: HashMap<WishId, Vec<String>> = HashMap::new();
        for row in wish_skill::Entity::find().all(db).await.unwrap() {
            skills.entry(row.wish_id).or_default().push(row.skill);
        }
        for row in wish::Entity::find().all(db).await.unwrap() {
            let own = skills.remove(&row.id).unwrap_or_default();
            let there = districts.get(&row.region_code[..6]).map(Vec::as_slice).unwrap_or_default();
            found.count(&meaning, &row, &own, there);
        }
        found
    }

    fn count(&mut self, meaning: &Meaning, row: &wish::Model, skills: &[String], there: &[Offered]) {
        let asked = meaning.about((&row.title, &row.body), skills, row.domain.as_deref(), row.category);
        let domain = guess(&format!("{}\n{}", row.title, row.body), &meaning.words).domain;
        let need = u32::try_from((row.window_until - row.window_from).num_minutes()).unwrap();
        let (mut by_skill, mut by_domain, mut in_time) = (false, false, false);
        for offer in there {
            let Some(near) = near(&row.region_code, &offer.row.region_code) else { continue };
            let Some(content) = content(&asked, &offer.about) else { continue };
            match content.0 {
                Basis::Skill | Basis::Guess => by_skill = true,
                Basis::Domain | Basis::Category => by_domain = true,
            }
            let free = offer.schedule.open_minutes(row.window_from, row.window_until);
            in_time |= worth(content, near, need, free).is_some();
        }
        self.asked += 1;
        let domain = domain.unwrap_or_else(|| "（未识别）".to_owned());
        for counted in [
            &mut self.all,
            self.by_domain.entry(domain).or_default(),
            self.by_category.entry(name(row.category)).or_default(),
        ] {
            counted.wishes += 1;
            counted.by_skill += u32::from(by_skill);
            counted.by_domain += u32::from(by_domain && !by_skill);
            counted.in_time += u32::from(in_time);
        }
    }

    fn print(&self, size: &str, scale: &str) {
        println!(
            "\n| {size} ×{scale} | wishes | by skill or guess | by domain or category only | open in the window |"
        );
        println!("| --- | ---: | ---: | ---: | ---: |");
        let share = |part: u32, of: u32| format!("{:.0} %", 100.0 * f64::from(part) / f64::from(of.max(1)));
        let line = |name: &str, row: &Row| {
            let parts = [row.by_skill, row.by_domain, row.in_time].map(|part| share(part, row.wishes));
            println!("| {name} | {} | {} |", row.wishes, parts.join(" | "));
        };
        for (name, row) in &self.by_domain {
            line(&format!("domain {name}"), row);
        }
        for (name, row) in &self.by_category {
            line(&format!("category {name}"), row);
        }
        line("all", &self.all);
    }
}

fn name(category: Category) -> &'static str {
    match category {
        Category::Neighbourly => "邻里互助",
        Category::Charity => "慈善捐赠",
        Category::Safety => "平安建设",
        Category::Culture => "文化宣传",
        Category::Civility => "文明创建",
        Category::Volunteering => "志愿服务",
    }
}
