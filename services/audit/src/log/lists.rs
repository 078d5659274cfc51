//! The lists that auditors search, beside the cases: rows are made anew as their keeper makes them, and compared.
//!
//! What it cannot see: facts of a case that were altered together with its rows. What was decided of it stands in its records,
//! which the log seals.

#[cfg(test)]
mod tests;

use hotline_postgres::closures::compare::{Comparison, WAITING_MAX};
use hotline_postgres::{Error as Store, PgConnection, Rules};

use super::checked::{Checked, Lists, Progress, Step};

/// Compares the lists of closed cases, of findings, and their counts by day.
pub(super) async fn check(
    tx: &mut PgConnection,
    rules: &Rules,
    progress: Progress<'_>,
    checked: &mut Checked,
) -> Result<(), Store> {
    let begun = match Comparison::begin(tx, rules).await {
        // Before the first rulebook there is no case either.
        Err(Store::NoRulebook) => return Ok(()),
        begun => begun?,
    };
    let Some(mut comparison) = begun else {
        checked.lists = Some(Lists { cases: 0, waiting: WAITING_MAX as u64 + 1 });
        return Ok(());
    };
    let (mut lists, cases) = (Lists::default(), comparison.cases);
    progress(Step::Folding, 0, cases);
    while let Some(compared) = comparison.step(tx).await? {
        lists.cases += compared.cases;
        lists.waiting += compared.waiting;
        progress(Step::Folding, lists.cases + lists.waiting, cases);
        for difference in compared.differences {
            checked.add(difference.code, difference.what);
        }
    }
    checked.lists = Some(lists);
    Ok(())
}
