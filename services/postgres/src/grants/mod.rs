//! A login of the database for each role of the program, with the rights that it needs and no more.
//!
//! `hotline_owner` owns every table and nobody logs in as it; each role has the login `hotline_<role>`, commands have
//! `hotline_operator`. What each may do stands in [`lines`]. [`make`] brings all of it about and is repeated at will; it asks
//! the server afterwards what each login really may do, by whatever way. It deliberately gives a login no right to see what a
//! later migration adds: that takes another line.

mod lines;
mod rights;

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, PgConnection, PgPool, Row as _};

use crate::error::Error;
use crate::pool::run_read_tx;
use crate::readers::{self, Verifier};

pub use rights::matrix;
#[cfg(test)]
pub(crate) use rights::planned;
use rights::{Rights, expected, granted, held};

/// Owns the tables; nobody logs in as it.
pub const OWNER: &str = "hotline_owner";

/// What has a login of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Gateway,
    Casework,
    Timekeeper,
    Relay,
    Rates,
    Audit,
    /// Whoever runs commands.
    Operator,
}

impl Role {
    pub const ALL: [Self; 7] = [
        Self::Gateway,
        Self::Casework,
        Self::Timekeeper,
        Self::Relay,
        Self::Rates,
        Self::Audit,
        Self::Operator,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Casework => "casework",
            Self::Timekeeper => "timekeeper",
            Self::Relay => "relay",
            Self::Rates => "rates",
            Self::Audit => "audit",
            Self::Operator => "operator",
        }
    }

    /// The name of its login.
    pub fn login(self) -> String {
        format!("hotline_{}", self.name())
    }
}

/// Makes owner and logins or mends them, hands what the program made to the owner, and gives each login its rights. A login
/// without a verifier keeps its password; a new one cannot log in with one before it has it.
pub async fn make(tx: &mut PgConnection, verifiers: &BTreeMap<Role, Verifier>) -> Result<(), Error> {
    make_logins(tx, verifiers).await?;
    hand_over(tx).await?;
    mend(tx).await?;
    for role in Role::ALL {
        let differences = differences(tx, &role.login(), &[role]).await?;
        let found = [differences.missing, differences.excess].concat();
        if !found.is_empty() {
            return Err(Error::LoginUnfit { login: role.login(), why: found.join(", ") });
        }
    }
    Ok(())
}

/// Gives the logins their rights where they are there, as after a migration; whether they are.
pub async fn mend_if_made(tx: &mut PgConnection) -> Result<bool, Error> {
    let is_made = exists(tx, OWNER).await? && is_owned(tx).await?;
    if is_made {
        hand_over(tx).await?;
        mend(tx).await?;
    }
    Ok(is_made)
}

/// What an administrator runs where the program may not make roles; the rest is [`make`]'s, by the same user as before.
pub fn statements(user: &str, database: &str) -> String {
    let logins = Role::ALL.map(|role| format!("CREATE ROLE {} LOGIN PASSWORD '…';\n", role.login())).concat();
    format!(
        "CREATE ROLE {OWNER} NOLOGIN;\nGRANT {OWNER} TO \"{user}\";\nGRANT CREATE ON DATABASE \"{database}\" TO {OWNER};\n\
         GRANT CREATE, USAGE ON SCHEMA public TO {OWNER};\n{logins}"
    )
}

/// As whom, and in which database, this connection is.
pub async fn here(tx: &mut PgConnection) -> Result<(String, String), Error> {
    let row = sqlx::query("/* grants::here */ SELECT current_user::text, current_database()::text")
        .fetch_one(tx)
        .await
        .map_err(Error::database("grants::here"))?;
    Ok((row.get(0), row.get(1)))
}

async fn make_logins(tx: &mut PgConnection, verifiers: &BTreeMap<Role, Verifier>) -> Result<(), Error> {
    let (user, database) = here(tx).await?;
    if !exists(tx, OWNER).await? {
        run(tx, format!("CREATE ROLE {OWNER} NOLOGIN")).await?;
    }
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    if !is_member(tx, &user).await? {
        run(tx, format!("GRANT {OWNER} TO {}", quoted(&user))).await?;
    }
    if !owner_may_create(tx).await? {
        run(tx, format!("GRANT CREATE ON DATABASE {} TO {OWNER}", quoted(&database))).await?;
        run(tx, format!("GRANT CREATE, USAGE ON SCHEMA public TO {OWNER}")).await?;
    }
    for role in Role::ALL {
        let login = role.login();
        if let Some(why) = unfit(tx, &login).await? {
            return Err(Error::LoginUnfit { login, why: why.to_owned() });
        }
        if !exists(tx, &login).await? {
            run(tx, format!("CREATE ROLE {login} LOGIN")).await?;
        }
        if let Some(verifier) = verifiers.get(&role) {
            run(tx, format!("ALTER ROLE {login} LOGIN PASSWORD '{}'", verifier.as_str())).await?;
        }
    }
    Ok(())
}

async fn exists(tx: &mut PgConnection, role: &str) -> Result<bool, Error> {
    sqlx::query_scalar("/* grants::exists */ SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
        .bind(role)
        .fetch_one(tx)
        .await
        .map_err(Error::database("grants::exists"))
}

async fn is_member(tx: &mut PgConnection, user: &str) -> Result<bool, Error> {
    sqlx::query_scalar("/* grants::is_member */ SELECT pg_has_role($1, $2, 'USAGE')")
        .bind(user)
        .bind(OWNER)
        .fetch_one(tx)
        .await
        .map_err(Error::database("grants::is_member"))
}

async fn owner_may_create(tx: &mut PgConnection) -> Result<bool, Error> {
    sqlx::query_scalar(
        "/* grants::owner_may_create */ SELECT has_database_privilege($1, current_database(), 'CREATE')
            AND has_schema_privilege($1, 'public', 'CREATE') AND has_schema_privilege($1, 'public', 'USAGE')",
    )
    .bind(OWNER)
    .fetch_one(tx)
    .await
    .map_err(Error::database("grants::owner_may_create"))
}

async fn is_owned(tx: &mut PgConnection) -> Result<bool, Error> {
    sqlx::query_scalar(
        "/* grants::is_owned */ SELECT EXISTS (SELECT FROM pg_class
            WHERE pg_class.oid = 'installation'::regclass AND relowner = $1::regrole)",
    )
    .bind(OWNER)
    .fetch_one(tx)
    .await
    .map_err(Error::database("grants::is_owned"))
}

/// Why a role that is there cannot be a login of ours.
async fn unfit(tx: &mut PgConnection, login: &str) -> Result<Option<&'static str>, Error> {
    let row = sqlx::query(
        "/* grants::unfit */ SELECT rolname = session_user,
                rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication,
                EXISTS (SELECT FROM pg_auth_members WHERE member = pg_roles.oid),
                EXISTS (SELECT FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND refobjid = pg_roles.oid
                           AND deptype = 'o')
           FROM pg_roles WHERE rolname = $1",
    )
    .bind(login)
    .fetch_optional(tx)
    .await
    .map_err(Error::database("grants::unfit"))?;
    let reasons = [
        "it is the user that makes the logins",
        "it may do more than use tables",
        "it is a member of another role",
        "it owns something",
    ];
    Ok(row.and_then(|row| {
        let found = reasons.into_iter().enumerate().find(|(place, _)| row.get::<bool, _>(*place));
        found.map(|(_, why)| why)
    }))
}

/// Whatever the program made belongs to the owner.
async fn hand_over(tx: &mut PgConnection) -> Result<(), Error> {
    let statements: Vec<String> = sqlx::query_scalar(
        "/* grants::hand_over */
         WITH ours AS (SELECT oid, nspname FROM pg_namespace WHERE nspname IN ('public', 'board')),
              extended AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e')
         SELECT 'ALTER SCHEMA board OWNER TO ' || $1 FROM pg_namespace
          WHERE nspname = 'board' AND nspowner <> $1::regrole
         UNION ALL
         SELECT format('ALTER %s %s OWNER TO %s', CASE relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END,
                       c.oid::regclass, $1)
           FROM pg_class AS c JOIN ours ON ours.oid = relnamespace
          WHERE relkind IN ('r', 'p', 'v', 'S') AND relowner <> $1::regrole
            AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype IN ('i', 'a', 'e')
                               AND relkind = 'S')
            AND ('pg_class'::regclass, c.oid) NOT IN (SELECT classid, objid FROM extended)
         UNION ALL
         SELECT format('ALTER FUNCTION %s OWNER TO %s', p.oid::regprocedure, $1)
           FROM pg_proc AS p JOIN ours ON ours.oid = pronamespace
          WHERE proowner <> $1::regrole AND ('pg_proc'::regclass, p.oid) NOT IN (SELECT classid, objid FROM extended)",
    )
    .bind(OWNER)
    .fetch_all(&mut *tx)
    .await
    .map_err(Error::database("grants::hand_over"))?;
    for statement in statements {
        run(tx, statement).await?;
    }
    Ok(())
}

/// Gives and takes until each login has what its line says; what is right already is not touched.
async fn mend(tx: &mut PgConnection) -> Result<(), Error> {
    for role in Role::ALL.into_iter().map(Role::login) {
        let may_look: bool =
            sqlx::query_scalar("/* grants::mend */ SELECT has_schema_privilege($1, 'public', 'USAGE')")
                .bind(&role)
                .fetch_one(&mut *tx)
                .await
                .map_err(Error::database("grants::mend"))?;
        if !may_look {
            run(tx, format!("GRANT USAGE ON SCHEMA public TO {role}")).await?;
        }
    }
    let closed: Vec<String> = sqlx::query_scalar(
        "/* grants::mend */ SELECT format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', p.oid::regprocedure) FROM pg_proc AS p
          WHERE pronamespace = 'public'::regnamespace AND prosecdef AND proowner = $1::regrole
            AND (proacl IS NULL OR EXISTS (SELECT FROM aclexplode(proacl) WHERE grantee = 0))",
    )
    .bind(OWNER)
    .fetch_all(&mut *tx)
    .await
    .map_err(Error::database("grants::mend"))?;
    for statement in closed {
        run(tx, statement).await?;
    }
    let wanted = expected(tx).await?;
    let found = granted(tx).await?;
    for (key, right) in found.difference(&wanted) {
        run(tx, right.statement(key, false)).await?;
    }
    for (key, right) in wanted.difference(&found) {
        run(tx, right.statement(key, true)).await?;
    }
    Ok(())
}

/// Where a login's rights are not those of its roles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// In words, as `INSERT on ledger`.
    pub missing: Vec<String>,
    pub excess: Vec<String>,
}

/// What a login may do, by whatever way, beside what these roles need.
pub async fn differences(tx: &mut PgConnection, login: &str, roles: &[Role]) -> Result<Differences, Error> {
    let held = held(tx, login).await?;
    let needed = Rights::of(roles);
    Ok(Differences { missing: needed.beyond(&held), excess: held.beyond(&needed) })
}

/// Refuses a login that may not do what these roles must.
pub async fn check(pool: &PgPool, roles: &[Role]) -> Result<(), Error> {
    let mut roles = roles.to_vec();
    run_read_tx(pool, "grants::check", &mut roles, |tx, roles| {
        Box::pin(async move {
            let (login, _) = here(tx).await?;
            let missing = differences(tx, &login, roles).await?.missing;
            if missing.is_empty() { Ok(()) } else { Err(Error::RightsMissing { login, missing }) }
        })
    })
    .await
}

/// The logins that are there, each with where its rights differ from its role's.
pub async fn survey(tx: &mut PgConnection) -> Result<Vec<(Role, Differences)>, Error> {
    let mut found = Vec::new();
    for role in Role::ALL {
        if exists(tx, &role.login()).await? {
            found.push((role, differences(tx, &role.login(), &[role]).await?));
        }
    }
    Ok(found)
}

/// Runs a statement made of constants, of names that the server gave and of a verifier.
async fn run(tx: &mut PgConnection, statement: String) -> Result<(), Error> {
    let done = sqlx::query(AssertSqlSafe(format!("/* grants::run */ {statement}"))).execute(&mut *tx).await;
    match done {
        Ok(_) => Ok(()),
        Err(error) if readers::is_denied(&error) => Err(Error::RolesDenied),
        Err(error) => Err(Error::database("grants::run")(error)),
    }
}
