//! Its configuration; what it does to a database is tested where the SQL is, in services/postgres.

use super::*;

#[test]
fn the_sample_of_its_configuration_is_its_default() {
    use hotline_runtime::config::Section as _;
    assert!(TimekeeperConfig::default().faults().is_empty());
    let odd = TimekeeperConfig { look_every: Duration::ZERO, cases_max: 0, workers: 0 };
    assert_eq!(odd.faults().len(), 3);
}
