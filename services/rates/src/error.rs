//! Why a table of rates cannot be given.

use std::path::PathBuf;

use hotline_core::fold::FOLD_VERSION;
use jiff::civil::Date;
use smol_str::SmolStr;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum Error {
    #[error("the rulebook has no rate \"{id}\"; it has: {known}")]
    UnknownRate { id: String, known: String },
    #[error("no rate was asked for")]
    NoRate,
    #[error("{0}")]
    By(String),
    #[error("a period is FROM..TO, two days as in 2026-09-01..2026-10-01, TO not included")]
    Period,
    #[error(
        "\"{text}\" is no period: it is 2026-09, 2026-W40 or 2026-09-01..2026-10-01, TO not included, or the first two after the name of a period of the rulebook, month-26:2026-09"
    )]
    FormPeriod { text: String },
    #[error("the rulebook has no period \"{name}\"; it has: {known}")]
    UnknownPeriod { name: String, known: String },
    #[error("the form {name} is no form of a bulletin: {faults}")]
    Form { name: String, faults: String },
    #[error("there is no form \"{id}\"; there are: {known}")]
    UnknownForm { id: String, known: String },
    #[error("the form {} cannot be read: {source}", path.display())]
    FormUnreadable { path: PathBuf, source: std::io::Error },
    #[error("the page cannot be written: {0}")]
    Page(#[from] askama::Error),
    #[error("the workbook cannot be written: {0}")]
    Workbook(#[from] rust_xlsxwriter::XlsxError),
    #[error(transparent)]
    Csv(#[from] csv::Error),
    #[error(
        "cases are still being folded by the active rulebook: `hotline rulebook status --wait`, then publish again"
    )]
    RefoldPending,
    #[error("the period ends with {last}, which is not over; publish afterwards, or with --unfinished")]
    PeriodUnfinished { last: Date },
    #[error("nothing counts in this period: there is nothing to publish")]
    NothingToPublish,
    #[error(
        "bulletin {id} says the same form of the same days; a correction is published with --again, and both stay"
    )]
    AlreadyPublished { id: i64 },
    #[error("it was counted by the rulebook {wanted}, and this is {found}")]
    OtherRulebook { wanted: SmolStr, found: SmolStr },
    #[error(
        "it was counted by fold {wanted} of the program, and this is fold {FOLD_VERSION}: take that program"
    )]
    OtherFold { wanted: u32 },
    #[error("the form's text is not the one that was published: its hash is {found}, not {wanted}")]
    OtherForm { wanted: String, found: String },
    #[error(transparent)]
    Store(#[from] hotline_postgres::Error),
}

impl Error {
    /// A stable name, for problems and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownRate { .. } => "unknown_rate",
            Self::NoRate => "no_rate",
            Self::By(_) => "by",
            Self::Period | Self::FormPeriod { .. } => "period",
            Self::UnknownPeriod { .. } => "unknown_period",
            Self::Form { .. } => "form",
            Self::UnknownForm { .. } => "unknown_form",
            Self::FormUnreadable { .. } => "form_unreadable",
            Self::Page(_) | Self::Workbook(_) | Self::Csv(_) => "unwritable",
            Self::RefoldPending => "refold_pending",
            Self::PeriodUnfinished { .. } => "period_unfinished",
            Self::NothingToPublish => "nothing_to_publish",
            Self::AlreadyPublished { .. } => "already_published",
            Self::OtherRulebook { .. } => "other_rulebook",
            Self::OtherFold { .. } => "other_fold",
            Self::OtherForm { .. } => "other_form",
            Self::Store(error) => error.code(),
        }
    }
}
