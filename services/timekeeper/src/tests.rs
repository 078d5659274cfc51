//! The role on a real database: what a worker that stops leaves, what two workers share.

use super::*;

#[test]
fn the_sample_of_its_configuration_is_its_default() {
    use hotline_runtime::config::Section as _;
    assert!(TimekeeperConfig::default().faults().is_empty());
    let odd = TimekeeperConfig { look_every: Duration::ZERO, cases_max: 0, workers: 0 };
    assert_eq!(odd.faults().len(), 3);
}
