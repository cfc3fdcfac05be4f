//! A list of codes before anything is known of the goods: from JSON, CSV or XLSX to codes, each judged by itself.

use std::collections::HashSet;
use std::io::Cursor;

use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use super::code;
use crate::crypto::Keys;
use crate::exchange::csv::CsvRecords;
use crate::exchange::decode::decode;
use crate::exchange::record::Record;
use crate::exchange::sheet::{Sheet, SheetLimits};
use crate::exchange::text::{fold, unguard};

/// The most codes of one list.
pub(super) const MOST_CODES: usize = 5_000;

const CODE_NAMES: [&str; 7] = ["code", "voucher", "券码", "券号", "卡号", "卡密", "兑换码"];
const DATE_NAMES: [&str; 6] = ["expires_on", "expiry", "有效期", "有效期至", "到期日", "截止日期"];

/// One code as it came.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Where it stands in its file, header = 1.
    pub(super) line: Option<u64>,
    pub(super) text: String,
    /// The last day on which it is good, as the list says it; empty: as the call says.
    pub(super) expires_on: String,
    /// It holds bytes that are no text.
    pub(super) bad_encoding: bool,
}

/// Why a code was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum BadCode {
    /// Bytes that are no text.
    BadEncoding,
    /// Empty, longer than 64 characters, or with characters that no code has.
    Invalid,
    /// Its date is none.
    BadDate,
    /// Its last day is over.
    Expired,
}

/// Where a code stood before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Before {
    /// Earlier in this list.
    List,
    /// Imported before, from the same issuer.
    Known,
}

/// Where in the list a code stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct At {
    /// From 0.
    pub(super) index: usize,
    /// In a file: the line, header = 1.
    pub(super) line: Option<u64>,
}

/// A code that may be taken.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    pub(super) at: At,
    pub(super) sealed: Vec<u8>,
    pub(super) index: Vec<u8>,
    pub(super) expires_on: Option<NaiveDate>,
}

/// A list, judged. Everything that takes time is done.
#[derive(Clone, Debug, Default)]
pub(super) struct Judged {
    pub(super) ready: Vec<Ready>,
    pub(super) bad: Vec<(At, BadCode)>,
    /// Those that stood in this list before.
    pub(super) repeated: Vec<At>,
}

impl Judged {
    /// `expires_on` is for codes that name no day of their own, `today` the local day.
    pub(super) fn of(keys: &Keys, entries: &[Entry], expires_on: Option<NaiveDate>, today: NaiveDate) -> Self {
        let mut judged = Self::default();
        let mut seen: HashSet<Vec<u8>> = HashSet::new();
        for (index, entry) in entries.iter().enumerate() {
            let at = At { index, line: entry.line };
            match read(entry, expires_on, today) {
                Err(reason) => judged.bad.push((at, reason)),
                Ok((code, expires_on)) => {
                    let index = code::index(keys, &code);
                    if !seen.insert(index.clone()) {
                        judged.repeated.push(at);
                        continue;
                    }
                    judged.ready.push(Ready { at, sealed: code::seal(keys, &code), index, expires_on });
                }
            }
        }
        judged
    }
}

fn read(
    entry: &Entry,
    expires_on: Option<NaiveDate>,
    today: NaiveDate,
) -> Result<(String, Option<NaiveDate>), BadCode> {
    if entry.bad_encoding {
        return Err(BadCode::BadEncoding);
    }
    let code = code::read(&entry.text).ok_or(BadCode::Invalid)?;
    let own = match fold(&entry.expires_on) {
        text if text.is_empty() => None,
        text => Some(day(&text).ok_or(BadCode::BadDate)?),
    };
    let expires_on = own.or(expires_on);
    if expires_on.is_some_and(|day| day < today) { Err(BadCode::Expired) } else { Ok((code, expires_on)) }
}

/// `2026-12-31` or `2026/12/31`; a sheet's date comes with midnight.
fn day(text: &str) -> Option<NaiveDate> {
    let text = text.split([' ', 'T']).next().unwrap_or(text).replace('/', "-");
    let plain = text.len() <= 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if plain { NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok() } else { None }
}

/// Why a file was not read at all; for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// No text and no workbook, or beyond the limits.
    Unreadable,
    Empty,
    /// More than [`MOST_CODES`].
    TooLong,
}

/// Reads a CSV (UTF-8 or GB18030) or XLSX file: the column named as a code, else the first one.
///
/// # Errors
/// See [`Unread`].
pub(super) fn file(bytes: Vec<u8>) -> Result<Vec<Entry>, Unread> {
    let mut lines = Lines::default();
    if bytes.starts_with(b"PK") {
        let sheet = Sheet::read_from(Cursor::new(bytes), &limits()).map_err(|_| Unread::Unreadable)?;
        let mut record = Record::default();
        let mut next = 0;
        while sheet.read(next, 0, &mut record) {
            lines.add(&record)?;
            next += 1;
        }
    } else {
        let text = decode(bytes);
        let mut records = CsvRecords::new(&text);
        let mut record = Record::default();
        while records.read(&mut record) {
            lines.add(&record)?;
        }
    }
    if lines.entries.is_empty() { Err(Unread::Empty) } else { Ok(lines.entries) }
}

/// Far below what an import of a data set may take: this one comes over the network.
fn limits() -> SheetLimits {
    const MIB: u64 = 1 << 20;
    SheetLimits {
        packed: 2 * MIB,
        unpacked: 32 * MIB,
        shared_strings: 4 * MIB,
        members: 100,
        rows: 6_000,
        columns: 50,
        text: 4 << 20,
        ..SheetLimits::default()
    }
}

#[derive(Default)]
struct Lines {
    /// Which columns hold the code and its date; known after the first line.
    columns: Option<(usize, Option<usize>)>,
    entries: Vec<Entry>,
}

impl Lines {
    fn add(&mut self, record: &Record) -> Result<(), Unread> {
        let (code, date) = if let Some(columns) = self.columns {
            columns
        } else {
            let named =
                |names: &[&str]| record.cells().position(|cell| names.contains(&fold(cell).to_lowercase().as_str()));
            let found = named(&CODE_NAMES);
            let columns = (found.unwrap_or(0), found.and_then(|_| named(&DATE_NAMES)));
            self.columns = Some(columns);
            if found.is_some() {
                return Ok(());
            }
            columns
        };
        if self.entries.len() == MOST_CODES {
            return Err(Unread::TooLong);
        }
        let cell = record.cell(code);
        self.entries.push(Entry {
            line: Some(record.line),
            text: unguard(cell).unwrap_or(cell).to_owned(),
            expires_on: date.map(|date| record.cell(date).to_owned()).unwrap_or_default(),
            bad_encoding: record.bad_encoding,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(bytes: &[u8]) -> Vec<(Option<u64>, String)> {
        file(bytes.to_vec()).unwrap().into_iter().map(|entry| (entry.line, entry.text)).collect()
    }

    #[test]
    fn files_with_and_without_a_header_are_read() {
        assert_eq!(codes(b"A1\nB2\n"), [(Some(1), "A1".to_owned()), (Some(2), "B2".to_owned())]);
        let named = "名称,券码,有效期\n米,'=A1,2026/12/31\n\n油,B2,\n".as_bytes();
        let entries = file(named.to_vec()).unwrap();
        assert_eq!(entries[0].text, "=A1");
        assert_eq!((entries[0].line, entries[1].line), (Some(2), Some(4)));
        assert_eq!(day(&entries[0].expires_on), NaiveDate::from_ymd_opt(2026, 12, 31));
    }

    #[test]
    fn what_is_no_list_is_not_read() {
        assert_eq!(file(Vec::new()).unwrap_err(), Unread::Empty);
        assert_eq!(file("券码\n".into()).unwrap_err(), Unread::Empty);
        assert_eq!(file(b"PK\x03\x04nonsense".to_vec()).unwrap_err(), Unread::Unreadable);
        assert_eq!(file("A\n".repeat(MOST_CODES + 1).into()).unwrap_err(), Unread::TooLong);
    }

    #[test]
    fn each_code_is_judged_by_itself() {
        let keys = Keys::from_secret(&[7; 32]).unwrap();
        let today = NaiveDate::from_ymd_opt(2026, 11, 22).unwrap();
        let entry = |text: &str, expires_on: &str| Entry {
            line: None,
            text: text.to_owned(),
            expires_on: expires_on.to_owned(),
            bad_encoding: text.contains('\u{fffd}'),
        };
        let entries = [
            entry("A１", ""),
            entry("A1", ""),
            entry("a1", "2026-11-22"),
            entry("B", "2026-11-21"),
            entry("C", "2026-02-30"),
            entry("\u{fffd}", ""),
            entry("二", ""),
        ];
        let judged = Judged::of(&keys, &entries, None, today);
        assert_eq!(judged.ready.iter().map(|ready| ready.at.index).collect::<Vec<_>>(), [0, 2]);
        assert_eq!(judged.repeated.iter().map(|at| at.index).collect::<Vec<_>>(), [1]);
        let bad: Vec<_> = judged.bad.iter().map(|(at, reason)| (at.index, *reason)).collect();
        assert_eq!(
            bad,
            [(3, BadCode::Expired), (4, BadCode::BadDate), (5, BadCode::BadEncoding), (6, BadCode::Invalid)]
        );
    }
}
