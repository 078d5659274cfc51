//! Questions and answers as plain values: whoever serves JSON, files or pages asks here and renders what comes back.
//!
//! Every answer is read in one snapshot. A page of a list costs about the same whatever is asked, and a list that is paged
//! while cases are closed shows each case that stays exactly once: it goes by the place of the last row, the newest first, not
//! by counting. Nothing here concerns a person.

mod columns;
mod history;
pub(crate) mod lists;
mod position;
mod question;
mod sample;
pub mod table;

use std::sync::Arc;

use hotline_core::findings::FindingKind;
use hotline_postgres::{PgPool, Rules};

pub use history::History;
pub use lists::{Count, ListPage};
pub use question::Question;
pub use sample::{Sample, Sampling};
use table::Column;

/// Rows of a page of a list at most.
pub const ROWS_MAX: usize = 1_000;

/// A list that auditors ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum List {
    /// Cases whose last round is closed.
    Closures,
    /// Rulings that take something out of what counts.
    Exclusions,
    /// All other rulings.
    Rulings,
    Extensions,
    Holds,
    /// Closings and submissions that were entered later than their source may.
    LateEntries,
    DefaultRatings,
    Corrections,
    /// Rulebooks that were activated, and what each changed.
    RuleChanges,
    /// Settled integers that a later rulebook or program changed, with the bulletins that had published them.
    Restatements,
}

impl List {
    pub const ALL: [List; 10] = [
        List::Closures,
        List::Exclusions,
        List::Rulings,
        List::Extensions,
        List::Holds,
        List::LateEntries,
        List::DefaultRatings,
        List::Corrections,
        List::RuleChanges,
        List::Restatements,
    ];

    /// As addresses name it.
    pub fn name(self) -> &'static str {
        match self {
            List::Closures => "closures",
            List::Exclusions => "exclusions",
            List::Rulings => "rulings",
            List::Extensions => "extensions",
            List::Holds => "holds",
            List::LateEntries => "late_entries",
            List::DefaultRatings => "default_ratings",
            List::Corrections => "corrections",
            List::RuleChanges => "rule_changes",
            List::Restatements => "restatements",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|list| list.name() == name)
    }

    /// Its heading for people, in Chinese and in English.
    pub fn title(self) -> (&'static str, &'static str) {
        match self {
            List::Closures => ("办结工单", "Closed cases"),
            List::Exclusions => ("考核剔除", "Rulings that exclude"),
            List::Rulings => ("其他考核认定", "Other rulings"),
            List::Extensions => ("延期", "Extensions"),
            List::Holds => ("暂停计时", "Holds"),
            List::LateEntries => ("补录办结", "Closings entered late"),
            List::DefaultRatings => ("默认评价", "Default ratings"),
            List::Corrections => ("数据更正", "Corrections"),
            List::RuleChanges => ("规则变更", "Changes of the rules"),
            List::Restatements => ("发布后更正", "Changes after publication"),
        }
    }

    pub fn columns(self) -> &'static [Column] {
        match self {
            List::Closures => columns::CLOSURES,
            List::Exclusions | List::Rulings => columns::RULINGS,
            List::Extensions => columns::EXTENSIONS,
            List::Holds => columns::HOLDS,
            List::LateEntries => columns::LATE_ENTRIES,
            List::DefaultRatings => columns::DEFAULT_RATINGS,
            List::Corrections => columns::CORRECTIONS,
            List::RuleChanges => columns::RULE_CHANGES,
            List::Restatements => columns::RESTATEMENTS,
        }
    }

    /// Of which findings it is; None: it is made otherwise.
    fn findings(self) -> Option<FindingKind> {
        Some(match self {
            List::Exclusions => FindingKind::Excluded,
            List::Rulings => FindingKind::Ruled,
            List::Extensions => FindingKind::Extended,
            List::Holds => FindingKind::Held,
            List::LateEntries => FindingKind::Backdated,
            List::DefaultRatings => FindingKind::RatedByDefault,
            List::Corrections => FindingKind::Corrected,
            List::Closures | List::RuleChanges | List::Restatements => return None,
        })
    }
}

/// Answers questions from a database.
#[derive(Clone, Debug)]
pub struct Queries {
    pool: PgPool,
    rules: Arc<Rules>,
}

impl Queries {
    pub fn new(pool: PgPool, rules: Arc<Rules>) -> Self {
        Self { pool, rules }
    }
}
