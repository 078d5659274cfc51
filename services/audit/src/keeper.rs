//! Keeping the rows by which closed cases are found: what casework wrote is folded here and made anew.
//!
//! It goes on beside casework and gives way to it: after a full step it rests several times as long as the step took while
//! batches of events are under way, since nobody waits for a row of a list as a sender waits for its answer.

use std::time::{Duration, Instant};

use hotline_postgres::closures::{self, Kept};
use hotline_postgres::{Error as Store, PgPool, Rules, Sort, positions};
use tokio_util::sync::CancellationToken;

use crate::metrics;

/// Entries that are taken in one transaction: some hundred milliseconds of work.
const STEP: i64 = 2_000;
/// The rest after a full step beside batches, in times of what it took.
const REST: u32 = 16;
const REST_MAX: Duration = Duration::from_secs(20);

pub(crate) async fn run(
    pool: &PgPool,
    rules: &Rules,
    every: Duration,
    stop: &CancellationToken,
) -> Result<(), Store> {
    while !stop.is_cancelled() {
        let began = Instant::now();
        let kept = match closures::keep_step(pool, rules, STEP).await {
            Ok(kept) => kept.unwrap_or_default(),
            // Before the first rulebook there is no case either.
            Err(Store::NoRulebook) => Kept::default(),
            Err(error) if matches!(error.sort(), Sort::Environment | Sort::Race) => {
                tracing::warn!(error.code = error.code(), %error, "lists of closed cases wait for the database");
                Kept::default()
            }
            Err(error) => return Err(error),
        };
        metrics::kept(&kept, began.elapsed());
        let is_full = i64::try_from(kept.taken).is_ok_and(|taken| taken >= STEP);
        let rest = match (is_full, is_full && positions::are_batches_under_way(pool).await) {
            (false, _) => every,
            (true, true) => (began.elapsed() * REST).min(REST_MAX),
            (true, false) => Duration::ZERO,
        };
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            () = stop.cancelled() => {}
        }
    }
    Ok(())
}
