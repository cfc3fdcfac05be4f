//! Where settings come from, as figment providers that hand on texts only: figment's own `Env` guesses types, and would
//! read a key of digits as a number.

use std::path::{Path, PathBuf};

use figment::value::{Dict, Map, Value};
use figment::{Error, Metadata, Profile, Provider};

use super::{ConfigError, NAMES};

const PREFIX: &str = "LINLI_";
const TESTS: &str = "LINLI_TEST_";
const CONFIG: &str = "config";

/// Settings under their short names (`database_url`).
struct Texts {
    origin: String,
    texts: Dict,
}

impl Texts {
    fn new(origin: impl Into<String>) -> Self {
        Self { origin: origin.into(), texts: Dict::new() }
    }

    /// Takes one setting; an empty one counts as not given.
    fn insert(&mut self, short_name: &str, shown_name: &str, text: String) -> Result<(), ConfigError> {
        let (name, origin) = (shown_name.to_owned(), self.origin.clone());
        if !NAMES.contains(&short_name) {
            let known = NAMES.map(|name| format!("{PREFIX}{}", name.to_uppercase())).join(", ");
            return Err(ConfigError::Unknown { name, origin, known });
        }
        if text.trim().is_empty() {
            return Ok(());
        }
        match self.texts.insert(short_name.to_owned(), Value::from(text)) {
            None => Ok(()),
            Some(_) => Err(ConfigError::Twice { name, origin }),
        }
    }

    fn provide(&self) -> Map<Profile, Dict> {
        Profile::Default.collect(self.texts.clone())
    }
}

/// The `LINLI_*` variables.
pub(super) struct Variables(Texts);

impl Variables {
    /// Also answers which file `LINLI_CONFIG` names.
    pub(super) fn read(
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(Self, Option<PathBuf>), ConfigError> {
        let mut texts = Texts::new("the environment");
        let mut file = None;
        for (name, text) in variables {
            let Some(short_name) = name.strip_prefix(PREFIX).filter(|_| !name.starts_with(TESTS)) else { continue };
            if short_name.eq_ignore_ascii_case(CONFIG) {
                file = Some(PathBuf::from(text)).filter(|path| !path.as_os_str().is_empty());
            } else {
                texts.insert(&short_name.to_ascii_lowercase(), &name, text)?;
            }
        }
        Ok((Self(texts), file))
    }
}

impl Provider for Variables {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.0.origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(self.0.provide())
    }
}

/// The TOML file. Tables are a way of writing: `[wechat] appid` is `wechat_appid`; lists are joined by commas.
pub(super) struct File(Texts);

impl File {
    pub(super) fn read(path: &Path) -> Result<Self, ConfigError> {
        use figment::providers::{Format as _, Toml};

        let refuse = |reason: String| ConfigError::File { path: path.to_owned(), reason };
        let content = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
        // The parser's own message would quote the line, and with it perhaps a secret.
        let parsed: Dict = Toml::from_str(&content).map_err(|_| refuse("not valid TOML".to_owned()))?;
        let mut texts = Texts::new(path.display().to_string());
        flatten("", parsed, &mut texts)?;
        Ok(Self(texts))
    }
}

impl Provider for File {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.0.origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(self.0.provide())
    }
}

fn flatten(parent: &str, table: Dict, texts: &mut Texts) -> Result<(), ConfigError> {
    for (key, value) in table {
        let name = if parent.is_empty() { key } else { format!("{parent}_{key}") };
        if let Value::Dict(_, inner) = value {
            flatten(&name, inner, texts)?;
        } else {
            let lower = name.to_ascii_lowercase();
            texts.insert(lower.strip_prefix("linli_").unwrap_or(&lower), &name, text_of(value))?;
        }
    }
    Ok(())
}

fn text_of(value: Value) -> String {
    match value {
        Value::String(_, text) => text,
        Value::Char(_, letter) => letter.to_string(),
        Value::Bool(_, flag) => flag.to_string(),
        Value::Num(_, number) => match (number.to_u128(), number.to_i128(), number.to_f64()) {
            (Some(number), _, _) => number.to_string(),
            (None, Some(number), _) => number.to_string(),
            (None, None, number) => number.unwrap_or(f64::NAN).to_string(),
        },
        Value::Array(_, items) => items.into_iter().map(text_of).collect::<Vec<_>>().join(","),
        Value::Empty(..) | Value::Dict(..) => String::new(),
    }
}
