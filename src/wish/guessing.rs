//! What the words of a wish were taken to ask for: kept when it is posted, shown to staff, taken by the review unless staff say
//! otherwise.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use entity::id::WishId;
use entity::wish_guess::{self, Column, Entity};
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _};

use crate::taxonomy::{self, Guess};

/// Keeps a guess with its wish; nothing where nothing was guessed.
pub(super) async fn keep(db: &impl ConnectionTrait, id: WishId, guess: Guess, now: DateTime<Utc>) -> Result<(), DbErr> {
    if guess == Guess::default() {
        return Ok(());
    }
    let row = wish_guess::ActiveModel {
        wish_id: Set(id),
        skills: Set(guess.skills.into()),
        domain: Set(guess.domain),
        created_at: Set(now),
    };
    Entity::insert(row).exec_without_returning(db).await.map(drop)
}

/// The guesses of wishes, by what their codes are now, the likeliest skill first.
pub(super) async fn of(
    db: &impl ConnectionTrait,
    wishes: impl IntoIterator<Item = WishId>,
) -> Result<BTreeMap<WishId, Guess>, DbErr> {
    let rows = Entity::find().filter(Column::WishId.is_in(wishes)).all(db).await?;
    if rows.is_empty() {
        return Ok(BTreeMap::new());
    }
    let (skills, domains) = (taxonomy::merged(db, "skill").await?, taxonomy::merged(db, "domain").await?);
    let now = |row: wish_guess::Model| {
        let mut guessed: Vec<String> = Vec::new();
        for code in row.skills.as_array().into_iter().flatten().filter_map(|code| code.as_str()) {
            let code = skills.canonical(code);
            if guessed.iter().all(|known| known != code) {
                guessed.push(code.to_owned());
            }
        }
        let domain = row.domain.map(|domain| domains.canonical(&domain).to_owned());
        (row.wish_id, Guess { skills: guessed, domain })
    };
    Ok(rows.into_iter().map(now).collect())
}

/// The guess of a wish without codes that were retired meanwhile; skills in order of code.
pub(super) async fn usable(db: &impl ConnectionTrait, id: WishId) -> Result<Guess, DbErr> {
    let Some(guess) = of(db, [id]).await?.remove(&id) else { return Ok(Guess::default()) };
    let judged = taxonomy::given(db, "skill", &guess.skills).await?;
    let refused = |place| judged.refused.iter().any(|(at, _)| *at == place);
    let mut skills: Vec<String> =
        guess.skills.into_iter().enumerate().filter(|(at, _)| !refused(*at)).map(|(_, code)| code).collect();
    skills.sort_unstable();
    let domain = match guess.domain {
        Some(domain) => taxonomy::given(db, "domain", &[domain]).await?.one("domain", "").unwrap_or_default(),
        None => None,
    };
    Ok(Guess { skills, domain })
}
