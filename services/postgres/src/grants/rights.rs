//! Rights as the lines say them, as the server's lists hold them, and as the server lets a login act.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use sqlx::{PgConnection, Row as _};

use super::Role;
use super::lines::{FUNCTIONS, RELATIONS};
use crate::error::Error;

/// Letters of rights, in the order in which they are shown, and what they are called in SQL.
const VERBS: [(char, &str); 9] = [
    ('r', "SELECT"),
    ('a', "INSERT"),
    ('w', "UPDATE"),
    ('d', "DELETE"),
    ('D', "TRUNCATE"),
    ('x', "REFERENCES"),
    ('t', "TRIGGER"),
    ('U', "USAGE"),
    ('X', "EXECUTE"),
];

/// A right on the whole of something, or on a column of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Right {
    /// The place in [`VERBS`].
    verb: usize,
    column: Option<String>,
}

/// Who has a right, and on what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    login: String,
    object: String,
}

/// What may be done, by name of the relation or function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights(BTreeMap<String, BTreeSet<Right>>);

impl Right {
    fn named(verb: &str, column: Option<&str>) -> Result<Self, Error> {
        let place = VERBS.iter().position(|(_, name)| *name == verb);
        let verb = place.ok_or(Error::Malformed { what: "a right" })?;
        Ok(Self { verb, column: column.map(str::to_owned) })
    }

    /// What gives or takes it.
    pub(super) fn statement(&self, key: &Key, give: bool) -> String {
        let (letter, verb) = VERBS[self.verb];
        let columns = self.column.as_ref().map(|column| format!(" ({column})")).unwrap_or_default();
        let sort = match letter {
            'X' => "FUNCTION ",
            'U' => "SEQUENCE ",
            _ => "",
        };
        let (does, to) = if give { ("GRANT", "TO") } else { ("REVOKE", "FROM") };
        format!("{does} {verb}{columns} ON {sort}{} {to} {}", key.object, key.login)
    }

    fn said(&self) -> String {
        let verb = VERBS[self.verb].1;
        self.column.as_ref().map_or_else(|| verb.to_owned(), |column| format!("{verb} ({column})"))
    }
}

/// Reads `r w(state,state_at)`.
fn parse(cell: &str) -> impl Iterator<Item = Right> {
    let right = |part: &str| {
        let (letter, columns) = part.split_at(1);
        let verb = VERBS.iter().position(|(known, _)| letter.starts_with(*known));
        let verb = verb.expect("a test reads every cell");
        let columns = columns.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
        match columns {
            None => vec![Right { verb, column: None }],
            Some(columns) => columns
                .split(',')
                .map(|column| Right { verb, column: Some(column.to_owned()) })
                .collect::<Vec<_>>(),
        }
    };
    cell.split(' ').filter(|part| !part.is_empty()).flat_map(right).collect::<Vec<_>>().into_iter()
}

/// Writes what [`parse`] reads.
fn shown(rights: &BTreeSet<Right>) -> String {
    let mut parts: Vec<String> = Vec::new();
    for (verb, (letter, _)) in VERBS.iter().enumerate() {
        let of_verb: Vec<&Right> = rights.iter().filter(|right| right.verb == verb).collect();
        let columns: Vec<&str> = of_verb.iter().filter_map(|right| right.column.as_deref()).collect();
        if of_verb.iter().any(|right| right.column.is_none()) {
            parts.push(letter.to_string());
        } else if !columns.is_empty() {
            parts.push(format!("{letter}({})", columns.join(",")));
        }
    }
    parts.join(" ")
}

impl Rights {
    /// What these roles need together.
    pub(super) fn of(roles: &[Role]) -> Self {
        let mut rights = Self::default();
        for (name, cells) in RELATIONS.iter().chain(FUNCTIONS) {
            for (role, cell) in Role::ALL.iter().zip(cells) {
                if roles.contains(role) {
                    rights.0.entry((*name).to_owned()).or_default().extend(parse(cell));
                }
            }
        }
        rights
    }

    /// What this has and `other` has not, in words.
    pub(super) fn beyond(&self, other: &Self) -> Vec<String> {
        let mut beyond = Vec::new();
        for (object, rights) in &self.0 {
            let theirs = other.0.get(object);
            let covers = |right: &Right| {
                let whole = Right { verb: right.verb, column: None };
                theirs.is_some_and(|theirs| theirs.contains(right) || theirs.contains(&whole))
            };
            let more = rights.iter().filter(|right| !covers(right));
            beyond.extend(more.map(|right| format!("{} on {object}", right.said())));
        }
        beyond
    }
}

/// Relations of ours that no line names, and why they need none: partitions are used by way of their table, sequences of
/// identity columns by way of theirs. A copy of everything reads both.
async fn implied(tx: &mut PgConnection) -> Result<Vec<String>, Error> {
    sqlx::query_scalar(
        "/* grants::implied */ SELECT c.oid::regclass::text FROM pg_class AS c
          WHERE relnamespace = 'public'::regnamespace
            AND (relispartition AND relkind IN ('r', 'p') OR relkind = 'S' AND EXISTS (SELECT FROM pg_depend
                     WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype IN ('i', 'a')))",
    )
    .fetch_all(tx)
    .await
    .map_err(Error::database("grants::implied"))
}

/// What the server's own lists should hold.
pub(super) async fn expected(tx: &mut PgConnection) -> Result<BTreeSet<(Key, Right)>, Error> {
    let mut all = BTreeSet::new();
    for role in Role::ALL {
        for (object, rights) in Rights::of(&[role]).0 {
            let key = Key { login: role.login(), object };
            all.extend(rights.into_iter().map(|right| (key.clone(), right)));
        }
    }
    for object in implied(tx).await? {
        let key = Key { login: Role::Operator.login(), object };
        all.insert((key, Right::named("SELECT", None)?));
    }
    Ok(all)
}

/// What the server's own lists hold for our logins.
pub(super) async fn granted(tx: &mut PgConnection) -> Result<BTreeSet<(Key, Right)>, Error> {
    let rows = sqlx::query(
        "/* grants::granted */
         WITH logins AS (SELECT oid, rolname::text AS login FROM pg_roles WHERE rolname = ANY ($1))
         SELECT login, c.oid::regclass::text, privilege_type, NULL::text
           FROM pg_class AS c, aclexplode(relacl) JOIN logins ON logins.oid = grantee
          WHERE relnamespace = 'public'::regnamespace
         UNION ALL
         SELECT login, attrelid::regclass::text, privilege_type, attname::text
           FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid, aclexplode(attacl) JOIN logins ON logins.oid = grantee
          WHERE relnamespace = 'public'::regnamespace
         UNION ALL
         SELECT login, p.oid::regprocedure::text, privilege_type, NULL
           FROM pg_proc AS p, aclexplode(proacl) JOIN logins ON logins.oid = grantee
          WHERE pronamespace = 'public'::regnamespace",
    )
    .bind(Role::ALL.map(Role::login).to_vec())
    .fetch_all(tx)
    .await
    .map_err(Error::database("grants::granted"))?;
    rows.iter()
        .map(|row| {
            let key = Key { login: row.get(0), object: row.get(1) };
            Ok((key, Right::named(row.get(2), row.get(3))?))
        })
        .collect()
}

/// What a login may do with tables, views, sequences and functions of the owner's, by whatever way it came to it: a grant,
/// another role, everybody's rights. What only reads partitions and numbers of identity columns is left out.
pub(super) async fn held(tx: &mut PgConnection, login: &str) -> Result<Rights, Error> {
    let left_out = implied(tx).await?;
    let rows = sqlx::query(
        "/* grants::held */
         SELECT c.oid::regclass::text AS object, verb, NULL::text AS part
           FROM pg_class AS c, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS verb
          WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')
            AND has_table_privilege($1, c.oid, verb)
         UNION ALL
         SELECT attrelid::regclass::text, verb, attname::text
           FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) AS verb
          WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f') AND attnum > 0 AND NOT attisdropped
            AND NOT has_table_privilege($1, c.oid, verb) AND has_column_privilege($1, c.oid, attnum, verb)
         UNION ALL
         SELECT c.oid::regclass::text, verb, NULL
           FROM pg_class AS c, unnest(ARRAY['SELECT', 'UPDATE', 'USAGE']) AS verb
          WHERE relnamespace = 'public'::regnamespace AND relkind = 'S' AND has_sequence_privilege($1, c.oid, verb)
         UNION ALL
         SELECT p.oid::regprocedure::text, 'EXECUTE', NULL FROM pg_proc AS p
          WHERE pronamespace = 'public'::regnamespace AND prosecdef AND has_function_privilege($1, p.oid, 'EXECUTE')
          ORDER BY 1, 2, 3",
    )
    .bind(login)
    .fetch_all(tx)
    .await
    .map_err(Error::database("grants::held"))?;
    let mut held = Rights::default();
    for row in &rows {
        let (object, verb): (String, &str) = (row.get(0), row.get(1));
        if verb != "SELECT" || !left_out.contains(&object) {
            held.0.entry(object).or_default().insert(Right::named(verb, row.get(2))?);
        }
    }
    Ok(held)
}

/// Every table, view, sequence and function of the owner's and what each login may do with it, as a table in Markdown.
pub async fn matrix(tx: &mut PgConnection) -> Result<String, Error> {
    let mut rows: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let left_out = implied(tx).await?;
    let objects: Vec<String> = sqlx::query_scalar(
        "/* grants::matrix */ SELECT oid::regclass::text FROM pg_class
          WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
         UNION ALL
         SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef",
    )
    .fetch_all(&mut *tx)
    .await
    .map_err(Error::database("grants::matrix"))?;
    for object in objects.into_iter().filter(|object| !left_out.contains(object)) {
        rows.insert(object, Vec::new());
    }
    for role in Role::ALL {
        let held = held(tx, &role.login()).await?;
        for (object, cells) in &mut rows {
            cells.push(held.0.get(object).map(shown).unwrap_or_default());
        }
    }
    let heads: Vec<&str> = Role::ALL.iter().map(|role| role.name()).collect();
    let mut text = format!("| | {} |\n|---|{}\n", heads.join(" | "), "---|".repeat(heads.len()));
    for (object, cells) in rows {
        writeln!(text, "| {object} | {} |", cells.join(" | ")).expect("a text takes what is written to it");
    }
    Ok(text)
}

/// The lines as [`matrix`] would show them.
#[cfg(test)]
pub(crate) fn planned() -> Vec<(&'static str, Vec<String>)> {
    let cell = |cell: &&str| shown(&parse(cell).collect());
    RELATIONS.iter().chain(FUNCTIONS).map(|(name, cells)| (*name, cells.iter().map(cell).collect())).collect()
}
