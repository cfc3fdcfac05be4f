//! What a text asks for: skills and a domain, by the words that stand in it. Pure and the same every time.
//!
//! The text is cut into words (jieba) with the listed words in the dictionary; each listed word that is found speaks once, with
//! its weight, for its codes. A code that reaches the threshold is guessed: of skills at most three, and none that is far
//! behind the first.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

use entity::guess_word::WordKind;
use jieba_rs::Jieba;
use serde::Serialize;
use utoipa::ToSchema;

/// What the words of a text must weigh together to speak for a skill: a wrong one leaves out who could help, so one vague word
/// (6 in the list that comes with the schema) is not enough.
const SKILL_WEIGHS: i32 = 9;
/// The same for a domain, which leaves nobody out.
const DOMAIN_WEIGHS: i32 = 6;
/// How many skills are guessed at most.
const SKILLS: usize = 3;
/// A further skill weighs at least so many hundredths of the first.
const CLOSE: i32 = 60;

/// The dictionary of Chinese, unpacked at first use: some tenths of a second, so never in a worker of the server.
static CHINESE: LazyLock<Jieba> = LazyLock::new(Jieba::new);

/// A word that speaks for a code.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
pub struct Word {
    pub word: String,
    pub kind: WordKind,
    pub code: String,
    /// 1 to 100.
    pub weight: i16,
}

/// Words with the dictionary they are found by. Made by [`WordList::new`], which takes time; kept by
/// [`guesser`](super::guesser).
#[derive(Default)]
pub struct WordList {
    jieba: Option<Jieba>,
    words: HashMap<String, Vec<Word>>,
}

/// What a text asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Guess {
    /// Codes of the list `skill`, the likeliest first; at most three.
    pub skills: Vec<String>,
    /// A code of the list `domain`.
    pub domain: Option<String>,
}

impl Guess {
    /// What is guessed beside skills that were chosen: where there are some, the domain alone.
    #[must_use]
    pub fn beside(mut self, chosen: &[String]) -> Self {
        if !chosen.is_empty() {
            self.skills.clear();
        }
        self
    }
}

impl WordList {
    /// The words with their dictionary. Takes tenths of a second the first time and tens of milliseconds later: for threads
    /// that may block.
    pub fn new(words: impl IntoIterator<Item = Word>) -> Self {
        let mut list: HashMap<String, Vec<Word>> = HashMap::new();
        for word in words {
            list.entry(word.word.to_lowercase()).or_default().push(word);
        }
        if list.is_empty() {
            return Self::default();
        }
        let mut jieba = CHINESE.clone();
        // In one order, so that the dictionary is the same on every node.
        for word in list.keys().collect::<BTreeSet<_>>() {
            jieba.add_word(word, None, None);
        }
        Self { jieba: Some(jieba), words: list }
    }

    /// The listed words in `text`, each once, in order.
    pub fn found(&self, text: &str) -> Vec<&Word> {
        let Some(jieba) = &self.jieba else { return Vec::new() };
        let text = text.to_lowercase();
        let cut: BTreeSet<&str> = jieba.cut_for_search(&text, false).into_iter().map(|token| token.word).collect();
        let mut found: Vec<&Word> = cut.into_iter().filter_map(|word| self.words.get(word)).flatten().collect();
        found.sort_unstable();
        found
    }
}

/// What `text` asks for; nothing where too few words speak.
pub fn guess(text: &str, list: &WordList) -> Guess {
    weigh(&list.found(text))
}

/// The guess that follows from the words found.
pub fn weigh(found: &[&Word]) -> Guess {
    let skills = ranked(found, WordKind::Skill);
    let least = skills.first().map_or(0, |(first, _)| first.saturating_mul(CLOSE) / 100);
    Guess {
        skills: skills
            .iter()
            .filter(|(weight, _)| *weight >= least)
            .take(SKILLS)
            .map(|(_, code)| (*code).to_owned())
            .collect(),
        domain: ranked(found, WordKind::Domain).first().map(|(_, code)| (*code).to_owned()),
    }
}

/// The codes that reach the threshold, the heaviest first, equal ones in order of code.
fn ranked<'a>(found: &[&'a Word], kind: WordKind) -> Vec<(i32, &'a str)> {
    let least = match kind {
        WordKind::Skill => SKILL_WEIGHS,
        WordKind::Domain => DOMAIN_WEIGHS,
    };
    let mut weights: BTreeMap<&str, i32> = BTreeMap::new();
    for word in found.iter().filter(|word| word.kind == kind) {
        *weights.entry(&word.code).or_default() += i32::from(word.weight);
    }
    let mut ranked: Vec<_> =
        weights.into_iter().filter(|(_, weight)| *weight >= least).map(|(code, weight)| (weight, code)).collect();
    ranked.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(word: &str, kind: WordKind, code: &str, weight: i16) -> Word {
        Word { word: word.to_owned(), kind, code: code.to_owned(), weight }
    }

    fn list() -> WordList {
        use WordKind::{Domain, Skill};
        WordList::new([
            word("剪头发", Skill, "S01", 10),
            word("水龙头", Skill, "S06", 10),
            word("漏水", Skill, "S06", 6),
            word("漏水", Skill, "S07", 3),
            word("滴水", Skill, "S06", 6),
            word("WiFi", Skill, "S19", 10),
            word("老人", Domain, "养老", 10),
        ])
    }

    #[test]
    fn words_speak_for_their_codes() {
        let list = list();
        let both = guess("家里老人想剪头发，厨房水龙头也漏水", &list);
        assert_eq!(both, Guess { skills: vec!["S06".into(), "S01".into()], domain: Some("养老".into()) });
        assert_eq!(guess("连不上wifi", &list).skills, ["S19"]);
    }

    #[test]
    fn nothing_is_guessed_from_too_little() {
        let list = list();
        assert_eq!(guess("", &list), Guess::default());
        assert_eq!(guess("今天天气很好", &list), Guess::default());
        assert_eq!(guess("家里老人想剪头发", &WordList::default()), Guess::default());
    }

    #[test]
    fn a_word_counts_once_however_often_it_stands() {
        let list = list();
        assert_eq!(list.found("漏水漏水漏水，又漏水").len(), 2);
        assert_eq!(guess("漏水漏水漏水，又漏水", &list), Guess::default());
        assert_eq!(guess("漏水，一直滴水", &list).skills, ["S06"]);
    }
}
