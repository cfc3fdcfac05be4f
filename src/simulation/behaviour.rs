//! What a volunteer does: drawn from the seed, the member and the wish, and from nothing else.

use rand::rngs::ChaCha12Rng;
use rand::{RngExt as _, SeedableRng as _};
use sha2::{Digest as _, Sha256};

use super::policy::Answers;

/// An answer, and so many minutes after the offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Accept(i64),
    Decline(i64),
    /// None at all.
    Silence,
}

/// Chance, by seed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chance {
    seed: u64,
}

impl Chance {
    pub(super) const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// A stream of its own for each purpose and names; no name can run into the next.
    fn stream(self, purpose: &str, names: &[&str]) -> ChaCha12Rng {
        let mut hasher = Sha256::new();
        hasher.update(self.seed.to_le_bytes());
        for name in std::iter::once(&purpose).chain(names) {
            hasher.update((name.len() as u64).to_le_bytes());
            hasher.update(name.as_bytes());
        }
        ChaCha12Rng::from_seed(hasher.finalize().into())
    }

    /// How far this volunteer's share of accepted offers lies from the average: -1 to 1.
    pub(super) fn leaning(self, member: &str) -> f64 {
        self.stream("leaning", &[member]).random::<f64>() * 2.0 - 1.0
    }

    /// How the volunteer answers an offer of the wish.
    pub(super) fn answer(self, answers: &Answers, leaning: f64, member: &str, wish: &str) -> Answer {
        let mut random = self.stream("answer", &[member, wish]);
        let accept = (answers.accept + answers.spread * leaning).clamp(0.0, 1.0);
        // Who accepts less declines and keeps silent in the average's proportion.
        let rest = 1.0 - answers.accept;
        let decline = if rest > 0.0 { (1.0 - accept) * answers.decline / rest } else { 1.0 - accept };
        let drawn: f64 = random.random();
        let delay = delay(answers.delay_minutes, random.random());
        match drawn {
            drawn if drawn < accept => Answer::Accept(delay),
            drawn if drawn < accept + decline => Answer::Decline(delay),
            _ => Answer::Silence,
        }
    }

    /// Whether a promise is kept.
    pub(super) fn keeps(self, answers: &Answers, member: &str, wish: &str) -> bool {
        self.stream("keeps", &[member, wish]).random::<f64>() >= answers.no_show
    }
}

/// Exponential by a uniform number of 0 to 1, in whole minutes from 1 to sixty days.
fn delay(mean: u32, uniform: f64) -> i64 {
    let minutes = -(1.0 - uniform).ln() * f64::from(mean);
    #[expect(clippy::cast_possible_truncation, reason = "clamped to what fits")]
    let whole = minutes.clamp(1.0, 86_400.0) as i64;
    whole
}
