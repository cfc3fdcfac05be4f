//! What each column of a result holds.
//!
//! SeaORM reads a value of this driver only in its exact type, and takes one that does not fit for NULL. So nothing is
//! guessed here. A column of a table has its declared type. An expression has the type that PostgreSQL would give it, where
//! that can be read off the text: `CAST(… AS type)`, `COUNT`, `SUM`, `EXISTS`, `MAX`/`MIN`/`COALESCE` of a column, a literal.
//! Any other is refused with an error that asks for a CAST. PostgreSQL is as strict about types, and the tests run on both.

use rusqlite::{Connection, Statement};

use super::value::Kind;

/// The kinds of a result's columns, found once for each text.
#[derive(Debug)]
pub(super) struct Columns {
    /// Names under which a row keeps its values, in alphabetical order, each with its column. Twice as many as columns where
    /// the columns are not in that order themselves: SeaORM takes "the third column" for the third name in it, so a second
    /// set of names comes before all others and counts in the right one.
    pub(super) keys: Vec<(String, usize)>,
    /// `None`: unknown, only NULL can be told.
    pub(super) kinds: Vec<Option<Kind>>,
}

impl Columns {
    /// Of a statement whose whole text is `sql`; without it only declared types are known.
    pub(super) fn of(conn: &Connection, statement: &Statement<'_>, sql: Option<&str>) -> Self {
        let columns = statement.columns();
        let text = sql.and_then(Text::split).filter(|text| text.items.len() == columns.len());
        let kind = |(at, column): (usize, &rusqlite::Column<'_>)| match column.decl_type() {
            Some(declared) => Kind::declared(declared),
            None => text.as_ref().and_then(|text| text.kind_of(conn, text.items[at])),
        };
        let kinds = columns.iter().enumerate().map(kind).collect();
        let mut keys: Vec<(String, usize)> = columns.iter().map(|column| column.name().to_owned()).zip(0..).collect();
        if !keys.is_sorted_by(|(one, _), (next, _)| one < next) {
            keys.extend((0..columns.len()).map(|at| (format!("\0{at:04}"), at)));
            keys.sort();
        }
        Self { keys, kinds }
    }
}

/// A statement taken apart: the expressions of its result, and what stands around them.
struct Text<'a> {
    before: &'a str,
    items: Vec<&'a str>,
    after: &'a str,
}

impl<'a> Text<'a> {
    /// At `RETURNING`, or at the first `SELECT` outside parentheses and its `FROM`.
    fn split(sql: &'a str) -> Option<Self> {
        let sql = sql.trim().trim_end_matches(';');
        let (_, list) = split_at_word(sql, "RETURNING").or_else(|| split_at_word(sql, "SELECT"))?;
        let list = split_at_word(list, "DISTINCT")
            .filter(|(before, _)| before.trim().is_empty())
            .map_or(list, |(_, list)| list);
        let before = &sql[..sql.len() - list.len()];
        let list = split_at_word(list, "FROM").map_or(list, |(list, _)| list);
        Some(Self { before, items: split_list(list), after: &sql[before.len() + list.len()..] })
    }

    /// The kind of one expression of the result.
    fn kind_of(&self, conn: &Connection, expression: &str) -> Option<Kind> {
        let expression = without_alias(expression.trim());
        if let Some((function, inside, after)) = call(expression) {
            return self.kind_of_call(conn, &function, inside, after.trim());
        }
        if expression.parse::<i32>().is_ok() {
            return Some(Kind::Int);
        }
        let quoted = expression.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
        if quoted.is_some_and(|text| !text.contains('\'')) {
            return Some(Kind::Text);
        }
        if expression.split('.').all(is_name) { self.kind_of_column(conn, expression) } else { None }
    }

    /// SQLite tells the declared type of a column that stands alone, so it is asked for the same statement with that.
    fn kind_of_column(&self, conn: &Connection, column: &str) -> Option<Kind> {
        let probe = conn.prepare(&format!("{} {column} {}", self.before, self.after)).ok()?;
        Kind::declared(probe.columns().first()?.decl_type()?)
    }

    fn kind_of_call(&self, conn: &Connection, function: &str, inside: &str, after: &str) -> Option<Kind> {
        let after = after.to_ascii_uppercase();
        if !(after.is_empty() || after.starts_with("OVER") || after.starts_with("FILTER")) {
            return None;
        }
        match function {
            "CAST" => Kind::declared(split_at_word(inside, "AS")?.1),
            "COUNT" | "ROW_NUMBER" | "RANK" | "DENSE_RANK" => Some(Kind::BigInt),
            "SUM" => Some(Kind::Sum),
            "EXISTS" | "NOT EXISTS" => Some(Kind::Bool),
            "MAX" | "MIN" => self.kind_of(conn, inside),
            "COALESCE" | "IFNULL" => self.kind_of_first(conn, inside),
            _ => None,
        }
    }

    /// The kind of the first of several, if the others are of the same or take any: a number, a place for a value.
    fn kind_of_first(&self, conn: &Connection, inside: &str) -> Option<Kind> {
        let list = split_list(inside);
        let (first, others) = list.split_first()?;
        let kind = self.kind_of(conn, first)?;
        let fits =
            |other: &str| other == "?" || other.parse::<i32>().is_ok() || self.kind_of(conn, other) == Some(kind);
        others.iter().all(|other| fits(other.trim())).then_some(kind)
    }
}

/// Whether it is `name` or `"name"`.
fn is_name(name: &str) -> bool {
    let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name);
    !name.starts_with(|letter: char| letter.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// `FUNCTION(inside) after`.
fn call(expression: &str) -> Option<(String, &str, &str)> {
    let open = expression.find('(')?;
    let name = expression[..open].trim().to_ascii_uppercase();
    if name.is_empty() || !name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_' || letter == ' ') {
        return None;
    }
    let close = walk(&expression[open..]).find(|step| step.depth == 0 && step.letter == ')')?.at + open;
    Some((name, &expression[open + 1..close], &expression[close + 1..]))
}

fn without_alias(expression: &str) -> &str {
    split_at_word(expression, "AS").map_or(expression, |(expression, _)| expression).trim()
}

fn split_list(list: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut from = 0;
    for step in walk(list).filter(|step| step.depth == 0 && step.letter == ',') {
        parts.push(&list[from..step.at]);
        from = step.at + 1;
    }
    parts.push(&list[from..]);
    parts
}

/// What stands before and after the first `word` outside quotes and parentheses.
fn split_at_word<'a>(text: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let is_name = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let bytes = text.as_bytes();
    let begins = |at: usize| {
        let end = at + word.len();
        text.get(at..end).is_some_and(|found| found.eq_ignore_ascii_case(word))
            && !(at > 0 && is_name(bytes.get(at - 1)))
            && !is_name(bytes.get(end))
    };
    let at = walk(text).find(|step| step.depth == 0 && begins(step.at))?.at;
    Some((&text[..at], &text[at + word.len()..]))
}

/// A letter outside quotes; `depth` counts the parentheses still open after it.
struct Step {
    at: usize,
    letter: char,
    depth: usize,
}

fn walk(text: &str) -> impl Iterator<Item = Step> {
    let (mut depth, mut quote) = (0_usize, None);
    text.char_indices().filter_map(move |(at, letter)| {
        match (quote, letter) {
            (Some(open), _) => {
                if open == letter {
                    quote = None;
                }
                return None;
            }
            (None, '\'' | '"') => {
                quote = Some(letter);
                return None;
            }
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        Some(Step { at, letter, depth })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(sql: &str) -> Vec<Option<Kind>> {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(
            "CREATE TABLE item (id uuid_text PRIMARY KEY, minutes integer, amount bigint, done boolean, at timestamp_with_timezone_text, same text);
             CREATE TABLE other (id uuid_text PRIMARY KEY, same integer);",
        )
        .unwrap();
        let statement = conn.prepare(sql).unwrap();
        Columns::of(&conn, &statement, Some(sql)).kinds
    }

    #[test]
    fn columns_have_their_declared_types() {
        use Kind::{BigInt, Bool, Int, Uuid};
        assert_eq!(
            kinds(r#"SELECT "item"."id" AS "A_id", "minutes", amount FROM "item""#),
            [Some(Uuid), Some(Int), Some(BigInt)]
        );
        assert_eq!(kinds("UPDATE item SET amount = 1 RETURNING done, amount"), [Some(Bool), Some(BigInt)]);
        assert_eq!(
            kinds("SELECT (SELECT amount FROM item), x.id FROM (SELECT id FROM item) x"),
            [Some(BigInt), Some(Uuid)]
        );
    }

    #[test]
    fn expressions_have_the_types_of_postgresql() {
        use Kind::{BigInt, Bool, DateTimeUtc, Int, Sum, Text};
        let sql = r#"SELECT COUNT(*) AS "n", SUM("amount"), MAX("item"."at") AS "at", COALESCE(MAX(minutes), 0), CAST(SUM(amount) AS bigint),
                     EXISTS(SELECT 1 FROM other), 1, 'FROM, (', row_number() OVER (PARTITION BY done) FROM item"#;
        let expected = [BigInt, Sum, DateTimeUtc, Int, BigInt, Bool, Int, Text, BigInt];
        assert_eq!(kinds(sql), expected.map(Some));
        assert_eq!(kinds("WITH c AS (SELECT amount FROM item) SELECT amount, count(*) FROM c"), [Some(BigInt); 2]);
    }

    #[test]
    fn what_cannot_be_told_is_unknown() {
        let sql =
            "SELECT amount + 1, COUNT(*) > 0, MAX(same), MAX(item.same), lower(same), CASE WHEN done THEN 1 ELSE 2 END,
                   COALESCE(minutes, amount) FROM item";
        assert_eq!(kinds(sql), [None, None, Some(Kind::Text), Some(Kind::Text), None, None, None]);
        // PostgreSQL makes the sum a bigint, although a column of that name is an integer.
        assert_eq!(
            kinds("SELECT MAX(x.minutes), x.minutes FROM (SELECT SUM(minutes) AS minutes FROM item) x"),
            [None, None]
        );
        assert_eq!(
            kinds("SELECT COALESCE(minutes, 0), COALESCE(MAX(x.amount), ?) FROM item x"),
            [Some(Kind::Int), Some(Kind::BigInt)]
        );
    }
}
