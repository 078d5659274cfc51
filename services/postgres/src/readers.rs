//! The role that boards read with: it sees the views of the schema `board`, and can read nothing else.
//!
//! Guarantee: [`make`] ends well only if no relation outside that schema can be read by the role. It is repeated at will.
//! The password goes to the server as a SCRAM verifier, so that no log of statements holds it.

use std::fmt;
use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sqlx::{AssertSqlSafe, PgConnection, Row as _};

use crate::error::Error;
use crate::seal::random;

/// What PostgreSQL itself takes.
const SCRAM_ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).expect("it is not 0");
/// Names are cut by the server after so many bytes.
const NAME_BYTES_MAX: usize = 63;
/// Connections of all boards together: a board that is left open must not take those of the roles.
const CONNECTIONS_MAX: u32 = 20;
/// What a session of the role begins with. A view of a board answers within a second.
const SESSION: [(&str, &str); 7] = [
    ("default_transaction_read_only", "on"),
    ("statement_timeout", "5s"),
    ("lock_timeout", "2s"),
    ("idle_in_transaction_session_timeout", "10s"),
    ("work_mem", "16MB"),
    // Compiling a query takes longer than it saves.
    ("jit", "off"),
    ("search_path", "board"),
];

/// The name of a role, as it stands in SQL without quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

/// A password as the server keeps it.
#[derive(Clone)]
pub struct Verifier(String);

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(***)")
    }
}

impl Name {
    /// Small letters, digits and underscores; not one of the server's own.
    pub fn parse(name: &str) -> Result<Self, Error> {
        let begins = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
        let sound = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        let own = name.starts_with("pg_") || ["public", "none", "user", "current_user"].contains(&name);
        if begins && sound && !own && name.len() <= NAME_BYTES_MAX {
            Ok(Self(name.to_owned()))
        } else {
            Err(Error::ReaderName { name: name.to_owned() })
        }
    }
}

impl Verifier {
    /// Of printable ASCII, which needs no preparation (RFC 5802, RFC 7677).
    pub fn of(password: &str) -> Result<Self, Error> {
        if password.is_empty() || !password.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(Error::ReaderPassword);
        }
        Ok(Self::with_salt(password, &random::<16>()?))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    fn with_salt(password: &str, salt: &[u8]) -> Self {
        let mut salted = [0; digest::SHA256_OUTPUT_LEN];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, SCRAM_ITERATIONS, salt, password.as_bytes(), &mut salted);
        let key = hmac::Key::new(hmac::HMAC_SHA256, &salted);
        let stored = digest::digest(&digest::SHA256, hmac::sign(&key, b"Client Key").as_ref());
        let server = hmac::sign(&key, b"Server Key");
        Self(format!(
            "SCRAM-SHA-256${SCRAM_ITERATIONS}:{}${}:{}",
            STANDARD.encode(salt),
            STANDARD.encode(stored),
            STANDARD.encode(server)
        ))
    }
}

/// What an administrator runs where the program may not make roles; the rest is [`make`]'s.
pub fn statements(name: &Name) -> String {
    let Name(name) = name;
    let session =
        SESSION.map(|(setting, value)| format!("ALTER ROLE {name} SET {setting} = '{value}';\n")).concat();
    format!("CREATE ROLE {name} LOGIN CONNECTION LIMIT {CONNECTIONS_MAX} PASSWORD '…';\n{session}")
}

/// Makes the role or brings it up to date, and gives it the views. Without a verifier its password stays as it is.
pub async fn make(tx: &mut PgConnection, name: &Name, verifier: Option<&Verifier>) -> Result<(), Error> {
    let known = look(tx, name).await?;
    if let Some(why) = known.as_ref().and_then(|known| known.unfit) {
        return Err(Error::ReaderUnfit { name: name.0.clone(), why });
    }
    let Name(role) = name;
    if known.is_none() {
        run(tx, name, format!("CREATE ROLE {role} LOGIN CONNECTION LIMIT {CONNECTIONS_MAX}")).await?;
    }
    if let Some(Verifier(verifier)) = verifier {
        run(tx, name, format!("ALTER ROLE {role} PASSWORD '{verifier}'")).await?;
    }
    if !known.is_some_and(|known| known.is_set) {
        run(tx, name, format!("ALTER ROLE {role} LOGIN CONNECTION LIMIT {CONNECTIONS_MAX}")).await?;
        for (setting, value) in SESSION {
            run(tx, name, format!("ALTER ROLE {role} SET {setting} = '{value}'")).await?;
        }
    }
    for statement in [
        format!("GRANT USAGE ON SCHEMA board TO {role}"),
        format!("GRANT SELECT ON ALL TABLES IN SCHEMA board TO {role}"),
        format!("ALTER DEFAULT PRIVILEGES IN SCHEMA board GRANT SELECT ON TABLES TO {role}"),
    ] {
        run(tx, name, statement).await?;
    }
    confine(tx, name).await?;
    let readable = readable(tx, name).await?;
    if readable.is_empty() { Ok(()) } else { Err(Error::ReaderReads { name: role.clone(), readable }) }
}

/// How much a session may put into files while it sorts.
const TEMP_FILES_MAX: &str = "1GB";
/// What makes large objects, which anybody may call unless it is said otherwise.
const LARGE_OBJECTS: [&str; 4] =
    ["lo_creat(integer)", "lo_create(oid)", "lo_from_bytea(oid, bytea)", "lo_put(oid, bigint, bytea)"];

/// Takes away what everybody may do and nobody here needs: temporary tables where the database is ours, large objects and
/// unlimited files where we may say so.
async fn confine(tx: &mut PgConnection, name: &Name) -> Result<(), Error> {
    let row = sqlx::query(
        "/* readers::confine */ SELECT quote_ident(datname), pg_has_role(datdba, 'USAGE'), current_setting('is_superuser')::boolean
           FROM pg_database WHERE datname = current_database()",
    )
    .fetch_one(&mut *tx)
    .await
    .map_err(Error::database("readers::confine"))?;
    let (database, owns, rules): (String, bool, bool) = (row.get(0), row.get(1), row.get(2));
    if owns {
        run(tx, name, format!("REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC")).await?;
    }
    if rules {
        run(tx, name, format!("REVOKE EXECUTE ON FUNCTION {} FROM PUBLIC", LARGE_OBJECTS.join(", "))).await?;
        run(tx, name, format!("ALTER ROLE {} SET temp_file_limit = '{TEMP_FILES_MAX}'", name.0)).await?;
    }
    Ok(())
}

/// A role that is there.
struct Known {
    /// Why no board may have it.
    unfit: Option<&'static str>,
    /// Its sessions begin as they should.
    is_set: bool,
}

async fn look(tx: &mut PgConnection, name: &Name) -> Result<Option<Known>, Error> {
    let row = sqlx::query(
        "/* readers::look */ SELECT rolname = session_user OR rolname = current_user,
                rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication,
                EXISTS (SELECT FROM pg_auth_members WHERE member = pg_roles.oid),
                EXISTS (SELECT FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND refobjid = pg_roles.oid
                           AND deptype = 'o'),
                rolcanlogin AND rolconnlimit = $3 AND coalesce(rolconfig, '{}') @> $2
           FROM pg_roles WHERE rolname = $1",
    )
    .bind(&name.0)
    .bind(SESSION.map(|(setting, value)| format!("{setting}={value}")).to_vec())
    .bind(i32::try_from(CONNECTIONS_MAX).expect("it is small"))
    .fetch_optional(tx)
    .await
    .map_err(Error::database("readers::look"))?;
    Ok(row.map(|row| {
        let reasons = [
            "it is the role that the program itself works with",
            "it may do more than read",
            "it is a member of another role",
            "it owns something",
        ];
        let unfit = reasons.into_iter().enumerate().find(|(place, _)| row.get::<bool, _>(*place));
        Known { unfit: unfit.map(|(_, why)| why), is_set: row.get(4) }
    }))
}

/// Runs a statement made of constants, of a parsed name and of a verifier.
async fn run(tx: &mut PgConnection, name: &Name, statement: String) -> Result<(), Error> {
    let done = sqlx::query(AssertSqlSafe(format!("/* readers::run */ {statement}"))).execute(tx).await;
    match done {
        Ok(_) => Ok(()),
        Err(error) if is_denied(&error) => Err(Error::ReaderDenied { statements: statements(name) }),
        Err(error) => Err(Error::database("readers::run")(error)),
    }
}

pub(crate) fn is_denied(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.as_deref() == Some("42501")
}

/// Relations outside of `board` that the role can read or change, whatever gave it the right.
async fn readable(tx: &mut PgConnection, name: &Name) -> Result<Vec<String>, Error> {
    sqlx::query_scalar(
        "/* readers::readable */ SELECT pg_class.oid::regclass::text FROM pg_class
           JOIN pg_namespace ON pg_namespace.oid = relnamespace
          WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
            AND nspname NOT IN ('board', 'pg_catalog', 'information_schema', 'pg_toast') AND nspname NOT LIKE 'pg\\_temp%'
            AND CASE relkind WHEN 'S' THEN has_sequence_privilege($1, pg_class.oid, 'SELECT, USAGE, UPDATE')
                     ELSE has_table_privilege($1, pg_class.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
                          OR has_any_column_privilege($1, pg_class.oid, 'SELECT, INSERT, UPDATE, REFERENCES') END
          ORDER BY 1",
    )
    .bind(&name.0)
    .fetch_all(tx)
    .await
    .map_err(Error::database("readers::readable"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_is_what_the_server_would_keep() {
        // The password, salt and iterations of RFC 7677, section 3.
        let Verifier(found) =
            Verifier::with_salt("pencil", &STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap());
        let keys =
            "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
        assert_eq!(found, format!("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==${keys}"));
    }

    #[test]
    fn a_name_needs_no_quotes() {
        for name in ["", "Grafana", "a b", "a-b", "a'b", "1a", "pg_reader", "public", "é"] {
            assert_eq!(Name::parse(name).map_err(|error| error.code()), Err("reader_name"), "{name}");
        }
        assert!(Name::parse("grafana_ro").is_ok());
    }

    #[test]
    fn a_password_is_printable() {
        for password in ["", "naïve", "a\n"] {
            assert!(Verifier::of(password).is_err(), "{password:?}");
        }
    }
}
