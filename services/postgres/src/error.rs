//! What can go wrong between a role and its database, and what to do about it.

use hotline_core::encoding::EncodingError;
use smol_str::SmolStr;
use sqlx::migrate::MigrateError;
use thiserror::Error;

/// Why a call to the database failed.
#[derive(Debug, Error)]
pub enum Error {
    #[error("{name}: {source}")]
    Database {
        /// The transaction or statement.
        name: &'static str,
        source: sqlx::Error,
    },
    /// The connection was lost while committing: the transaction may have happened, or not.
    #[error("{name}: the outcome of the commit is unknown")]
    CommitUnknown { name: &'static str, source: sqlx::Error },
    /// Another writer was quicker; the transaction was rolled back and may run again.
    #[error("{name}: {found} rows where {expected} were expected: another writer was quicker")]
    Raced { name: &'static str, expected: u64, found: u64 },
    /// A keyed update did not find its row.
    #[error("{name}: {found} rows where {expected} were expected")]
    RowCount { name: &'static str, expected: u64, found: u64 },
    /// Somebody else has taken this origin over.
    #[error("{origin} belongs to another owner since epoch {epoch}")]
    Fenced { origin: String, epoch: i64 },
    /// The position is ours and yet not where we left it.
    #[error("{origin} stands at {found}, not at {expected}")]
    PositionMoved { origin: String, expected: i64, found: i64 },
    #[error("a batch of {origin} begins at {found}, before the position {expected}")]
    OffsetGoesBack { origin: String, expected: i64, found: i64 },
    /// The offsets of this database were read from another cluster.
    #[error("{origin} was read from the cluster {known}, not from {found}")]
    OtherCluster { origin: String, known: String, found: String },
    #[error("there is no open dead letter {id}")]
    LetterNotOpen { id: i64 },
    #[error("dead letter {id} is of another case or source than this event: are the files mixed up?")]
    LetterOfAnother { id: i64 },
    #[error("there is no position of {origin}")]
    NoPosition { origin: String },
    #[error("the schema lacks migrations {missing:?}: run `hotline migrate`")]
    MigrationsPending { missing: Vec<i64> },
    #[error("the schema has migrations {unknown:?} that this program does not know: run a newer program")]
    MigrationsUnknown { unknown: Vec<i64> },
    #[error("the database holds tables of another program: name one of hotline's own in [postgres]")]
    OfOthers,
    #[error("a restore of this database was not finished: run the same `hotline restore` again")]
    RestoreUnfinished,
    #[error("migrations {changed:?} were applied with another content")]
    MigrationsChanged { changed: Vec<i64> },
    #[error("migration failed: {0}")]
    Migration(#[from] MigrateError),
    #[error(
        "\"{name}\" is no name for a reader: small letters, digits and underscores, not beginning with pg_"
    )]
    ReaderName { name: String },
    #[error("the password of a reader is printable ASCII and not empty")]
    ReaderPassword,
    #[error("the role {name} cannot be a reader: {why}")]
    ReaderUnfit { name: String, why: &'static str },
    #[error("the reader {name} could read {}: revoke that first", readable.join(", "))]
    ReaderReads { name: String, readable: Vec<String> },
    /// What an administrator is to run instead.
    #[error(
        "this user of the database may not make or change roles; let an administrator run, then try again:\n{statements}"
    )]
    ReaderDenied { statements: String },
    #[error("the login {login} cannot be one of the program's: {why}")]
    LoginUnfit { login: String, why: String },
    #[error("this user of the database may not make or change roles")]
    RolesDenied,
    /// A role of the program under a login that may not do what it must.
    #[error(
        "the login {login} may not do what it must: {} is missing; let the owner of the tables run `hotline migrate --roles`, \
         and name the login of this role in [postgres] user",
        missing.join(", ")
    )]
    RightsMissing { login: String, missing: Vec<String> },
    #[error("no rulebook is active: run `hotline rulebook activate`")]
    NoRulebook,
    #[error("the stored rulebook {seq} cannot be read: {faults} faults")]
    RulebookUnreadable { seq: i64, faults: usize },
    #[error("{settled} settled results of {cases} cases would change: say --restate")]
    WouldRestate { cases: u64, settled: u64 },
    #[error(
        "the draft does not list sources that have sent events: {sources}; their cases could not be counted again"
    )]
    SourcesDropped { sources: String },
    #[error(
        "the draft says something else of {rates} under the same version: raise `version`, so that figures can be told apart"
    )]
    RatesRedefined { rates: String },
    #[error("the master key is not the one of this database: [data] master_key_file says which file is read")]
    WrongMasterKey,
    /// Bytes that do not open: another key, or altered.
    #[error("sealed bytes of {what} do not open")]
    Unsealable { what: &'static str },
    #[error("case {case} has no key: its personal data were erased")]
    Erased { case: SmolStr },
    #[error("the facts of case {case} cannot be read: {source}")]
    Facts { case: SmolStr, source: EncodingError },
    #[error("the score of case {case} cannot be read")]
    Score { case: SmolStr },
    #[error("folding case {case} panicked")]
    Panicked { case: SmolStr },
    #[error("{what} in the database is not what this program writes")]
    Malformed { what: &'static str },
    #[error("the system gave no random bytes")]
    NoRandomness,
}

/// What an error asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Two writers met. Run again at once.
    Race,
    /// The database or the way to it is sick. Back off, retry; never a dead letter.
    Environment,
    /// A record holds what the database refuses. Find it; the others go on.
    Data,
    /// Ours to mend.
    Bug,
}

impl Error {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Database { .. } => "database",
            Self::CommitUnknown { .. } => "commit_unknown",
            Self::Raced { .. } => "raced",
            Self::RowCount { .. } => "row_count",
            Self::Fenced { .. } => "fenced",
            Self::PositionMoved { .. } => "position_moved",
            Self::OffsetGoesBack { .. } => "offset_goes_back",
            Self::OtherCluster { .. } => "other_cluster",
            Self::LetterNotOpen { .. } => "letter_not_open",
            Self::LetterOfAnother { .. } => "letter_of_another",
            Self::NoPosition { .. } => "no_position",
            Self::MigrationsPending { .. } => "migrations_pending",
            Self::MigrationsUnknown { .. } => "migrations_unknown",
            Self::MigrationsChanged { .. } => "migrations_changed",
            Self::OfOthers => "of_others",
            Self::RestoreUnfinished => "restore_unfinished",
            Self::Migration(_) => "migration",
            Self::ReaderName { .. } => "reader_name",
            Self::ReaderPassword => "reader_password",
            Self::ReaderUnfit { .. } => "reader_unfit",
            Self::ReaderReads { .. } => "reader_reads",
            Self::ReaderDenied { .. } => "reader_denied",
            Self::LoginUnfit { .. } => "login_unfit",
            Self::RolesDenied => "roles_denied",
            Self::RightsMissing { .. } => "rights_missing",
            Self::NoRulebook => "no_rulebook",
            Self::RulebookUnreadable { .. } => "rulebook_unreadable",
            Self::WouldRestate { .. } => "would_restate",
            Self::SourcesDropped { .. } => "sources_dropped",
            Self::RatesRedefined { .. } => "rates_redefined",
            Self::WrongMasterKey => "wrong_master_key",
            Self::Unsealable { .. } => "unsealable",
            Self::Erased { .. } => "erased",
            Self::Facts { .. } => "facts",
            Self::Score { .. } => "score",
            Self::Panicked { .. } => "panicked",
            Self::Malformed { .. } => "malformed",
            Self::NoRandomness => "no_randomness",
        }
    }

    /// What to do about it: the one place that decides.
    pub fn sort(&self) -> Sort {
        match self {
            Self::Database { source, .. } => sort_of(source),
            Self::Migration(MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _)) => {
                sort_of(source)
            }
            Self::Raced { .. } => Sort::Race,
            Self::CommitUnknown { .. } | Self::NoRulebook | Self::NoRandomness => Sort::Environment,
            _ => Sort::Bug,
        }
    }

    /// Whether the server does not let this user in: waiting does not help.
    pub fn is_refused_login(&self) -> bool {
        let Self::Database { source, .. } = self else { return false };
        let code = source.as_database_error().and_then(sqlx::error::DatabaseError::code);
        code.is_some_and(|code| code.starts_with("28"))
    }

    /// Whether the login of this process may not do what it asked for.
    pub fn is_denied(&self) -> bool {
        match self {
            Self::Database { source, .. } | Self::Migration(MigrateError::Execute(source)) => {
                crate::readers::is_denied(source)
            }
            _ => false,
        }
    }

    /// Whether the schema was changed under a statement that the session had prepared: another session has no such.
    pub(crate) fn is_stale_plan(&self) -> bool {
        let Self::Database { source, .. } = self else { return false };
        source.as_database_error().is_some_and(is_stale_plan)
    }

    pub(crate) fn database(name: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { name, source }
    }
}

fn sort_of(error: &sqlx::Error) -> Sort {
    use sqlx::Error as E;
    match error {
        E::Database(error) if is_stale_plan(&**error) => Sort::Race,
        E::Database(error) => error.code().map_or(Sort::Bug, |code| sort_of_sqlstate(&code)),
        E::Io(_) | E::Tls(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed | E::BeginFailed => {
            Sort::Environment
        }
        // What sqlx says when the server goes away in the middle of an answer.
        E::Protocol(_) => Sort::Environment,
        _ => Sort::Bug,
    }
}

/// As a migration makes of statements that older processes have prepared.
fn is_stale_plan(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().as_deref() == Some("0A000") && error.message().contains("cached plan")
}

/// Classes of PostgreSQL's appendix A.
pub(crate) fn sort_of_sqlstate(code: &str) -> Sort {
    match code {
        "40001" | "40P01" => return Sort::Race,
        // A server that restarted into read-only, and time-outs of a session or transaction left idle; a right that was
        // taken away, which an administrator gives again: no record is to blame.
        "25006" | "25P03" | "25P04" | "42501" => return Sort::Environment,
        _ => {}
    }
    match code.get(..2) {
        Some("08" | "28" | "3D" | "40" | "53" | "55" | "57" | "58") => Sort::Environment,
        Some("22" | "23" | "54") => Sort::Data,
        _ => Sort::Bug,
    }
}

/// Keyed writes must touch just the rows they name.
pub(crate) fn expect_rows(name: &'static str, expected: usize, found: u64) -> Result<(), Error> {
    let expected = expected as u64;
    if found == expected { Ok(()) } else { Err(Error::RowCount { name, expected, found }) }
}
