//! Its configuration; what it does to a database is tested where the SQL is, in services/postgres.

use super::*;

#[test]
fn the_sample_of_its_configuration_is_its_default() {
    use hotline_runtime::config::Section as _;
    assert!(TimekeeperConfig::default().faults().is_empty());
    let odd = TimekeeperConfig { look_every: Duration::ZERO, cases_max: 0, workers: 0 };
    assert_eq!(odd.faults().len(), 3);
}

#[test]
fn events_go_first_until_somebody_would_be_told_too_late() {
    let step = Duration::from_millis(40);
    let rest = |beside_batches, seconds| rest_after(beside_batches, SignedDuration::from_secs(seconds), step);
    assert_eq!(rest(false, 0), Duration::ZERO, "nobody else is at work");
    assert_eq!(rest(true, 39), step * REST);
    assert_eq!(rest(true, 40), Duration::ZERO);
}
