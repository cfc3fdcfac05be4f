//! What each column of a result holds.
//!
//! SeaORM reads a value of this driver only in its exact type, and takes one that does not fit for NULL. So nothing is
//! guessed here. A column of a table has its declared type. An expression has the type that PostgreSQL would give it, where
//! that can be read off the text: `CAST(… AS type)`, `COUNT`, `SUM`, `EXISTS`, `MAX`/`MIN`/`COALESCE` of a column, a literal.
//! Any other is refused with an error that asks for a CAST. PostgreSQL is as strict about types, and the tests run on both.

use std::collections::HashMap;

use rusqlite::{Connection, Statement};

use super::value::Kind;

/// The kinds of a result's columns, found once for each text.
#[derive(Debug)]
pub(super) struct Columns {
    /// Names under which a row keeps its values. Twice as many as columns where the names do not happen to be in
    /// alphabetical order: SeaORM takes "the third column" for the third name in that order, so a second set of names comes
    /// before all others and counts in the right one.
    pub(super) keys: Vec<String>,
    /// `None`: unknown, only NULL can be told.
    pub(super) kinds: Vec<Option<Kind>>,
}

impl Columns {
    pub(super) fn of(statement: &Statement<'_>, sql: &str, schema: &Schema) -> Self {
        let items = result_list(sql);
        let columns = statement.columns();
        let items = items.filter(|items| items.len() == columns.len());
        let kind = |(at, column): (usize, &rusqlite::Column<'_>)| match column.decl_type() {
            Some(declared) => Kind::declared(declared),
            None => items.as_ref().and_then(|items| schema.kind_of(items[at])),
        };
        let kinds = columns.iter().enumerate().map(kind).collect();
        let mut keys: Vec<String> = columns.iter().map(|column| column.name().to_owned()).collect();
        if !keys.is_sorted_by(|one, next| one < next) {
            keys.extend((0..columns.len()).map(|at| format!("\0{at:04}")));
        }
        Self { keys, kinds }
    }
}

/// The declared types of all tables' columns.
#[derive(Debug, Default)]
pub(super) struct Schema {
    by_name: HashMap<String, Option<Kind>>,
    by_table: HashMap<(String, String), Kind>,
}

impl Schema {
    pub(super) fn read(conn: &Connection) -> rusqlite::Result<Self> {
        let sql =
            "SELECT t.name, c.name, c.type FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table'";
        let mut statement = conn.prepare(sql)?;
        let mut rows = statement.query([])?;
        let mut schema = Self::default();
        while let Some(row) = rows.next()? {
            let (table, column, declared): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let kind = Kind::declared(&declared);
            // A name that means different types in different tables means nothing alone.
            schema
                .by_name
                .entry(column.clone())
                .and_modify(|known| *known = known.filter(|known| Some(*known) == kind))
                .or_insert(kind);
            schema.by_table.extend(kind.map(|kind| ((table, column), kind)));
        }
        Ok(schema)
    }

    /// The kind of one expression of a result list.
    fn kind_of(&self, expression: &str) -> Option<Kind> {
        let expression = without_alias(expression.trim());
        if let Some((function, inside, after)) = call(expression) {
            return self.kind_of_call(&function, inside, after.trim());
        }
        if expression.parse::<i32>().is_ok() {
            return Some(Kind::Int);
        }
        let quoted = expression.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
        if quoted.is_some_and(|text| !text.contains('\'')) {
            return Some(Kind::Text);
        }
        let mut names = expression.split('.').map(plain_name);
        match (names.next()?, names.next(), names.next()) {
            (Some(column), None, None) => self.by_name.get(column).copied().flatten(),
            (Some(table), Some(Some(column)), None) => {
                let exact = self.by_table.get(&(table.to_owned(), column.to_owned())).copied();
                exact.or_else(|| self.by_name.get(column).copied().flatten())
            }
            _ => None,
        }
    }

    fn kind_of_call(&self, function: &str, inside: &str, after: &str) -> Option<Kind> {
        let windowed =
            after.to_ascii_uppercase().starts_with("OVER") || after.to_ascii_uppercase().starts_with("FILTER");
        if !(after.is_empty() || windowed) {
            return None;
        }
        match function {
            "CAST" => {
                let (_, target) = split_at_word(inside, "AS")?;
                Kind::declared(target)
            }
            "COUNT" | "ROW_NUMBER" | "RANK" | "DENSE_RANK" => Some(Kind::BigInt),
            "SUM" => Some(Kind::Sum),
            "EXISTS" | "NOT EXISTS" => Some(Kind::Bool),
            "MAX" | "MIN" | "COALESCE" | "IFNULL" => self.kind_of(split_list(inside).first()?),
            _ => None,
        }
    }
}

/// The name in `name` or `"name"`; `None` for anything else.
fn plain_name(name: &str) -> Option<&str> {
    let name = name.trim();
    let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name);
    let plain = !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    (plain && !name.starts_with(|letter: char| letter.is_ascii_digit())).then_some(name)
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

/// The expressions after `RETURNING`, or between the first `SELECT` outside parentheses and its `FROM`.
fn result_list(sql: &str) -> Option<Vec<&str>> {
    let list = match split_at_word(sql, "RETURNING") {
        Some((_, list)) => list,
        None => split_at_word(sql, "SELECT")?.1,
    };
    let list = split_at_word(list, "FROM").map_or(list, |(list, _)| list);
    let list = list.trim();
    let list = list.strip_prefix("DISTINCT ").unwrap_or(list);
    Some(split_list(list.trim_end_matches(';')))
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
        let schema = Schema::read(&conn).unwrap();
        let statement = conn.prepare(sql).unwrap();
        Columns::of(&statement, sql, &schema).kinds
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
        let sql = "SELECT amount + 1, COUNT(*) > 0, MAX(same), MAX(item.same), lower(same), CASE WHEN done THEN 1 ELSE 2 END FROM item";
        assert_eq!(kinds(sql), [None, None, None, Some(Kind::Text), None, None]);
    }
}
