//! Random samples of closed cases: the same seed over the same cases gives the same sample, and anybody may draw it again.
//!
//! The method is weighted sampling without replacement after Efraimidis and Spirakis (Information Processing Letters 97,
//! 2006). A case's number u is the first 53 bits of SHA-256(seed, 0, case) as a fraction, its key ln(u) / w for the weight w;
//! the cases with the greatest keys are the sample. A closing within four hours of its deadline, before or after it, weighs
//! 8, within a day 4, within three days 2, all others 1: that is where an hour decides.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use hotline_postgres::closures::{self, Closed, Count};
use hotline_postgres::{Error as Store, InForce, PgConnection, run_read_tx};
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::lists::closed;
use super::table::{Cell, Column, object};
use super::{Queries, Question, columns};
use crate::error::{Error, Fault};

/// Closed cases that a sample is drawn from at most.
const DRAWN_MAX: i64 = 1_000_000;
/// Rows read at once.
const PAGE: usize = 5_000;
/// Cases of a sample at most.
pub const SIZE_MAX: usize = 1_000;

/// What is to be drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sampling {
    pub seed: String,
    pub size: usize,
    /// Each case weighs the same.
    pub plain: bool,
}

/// What was drawn.
#[derive(Clone, Debug)]
pub struct Sample {
    /// In the order of their keys: the first n are the sample of size n.
    pub cases: Vec<Drawn>,
    /// From how many.
    pub of: i64,
    pub in_force: Arc<InForce>,
}

/// A case of a sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    pub closed: Closed,
    pub weight: u32,
}

impl Drawn {
    fn cells(&self) -> Vec<Cell> {
        let mut cells = closed(&self.closed);
        cells.push(Cell::Number(self.weight.into()));
        cells
    }
}

impl Sample {
    /// As addresses and records name it, beside the names of lists.
    pub const NAME: &str = "sample";

    /// Those of closed cases, and the weight.
    pub fn columns() -> &'static [Column] {
        columns::SAMPLE
    }

    pub(crate) fn zone(&self) -> &TimeZone {
        &self.in_force.rulebook.timezone
    }

    /// The cases, each as wide as the columns.
    pub(crate) fn rows(&self) -> Vec<Vec<Cell>> {
        self.cases.iter().map(Drawn::cells).collect()
    }

    pub fn to_json(&self, sampling: &Sampling) -> Value {
        let case = |drawn: &Drawn| object(Self::columns(), &drawn.cells(), self.zone());
        json!({
            "seed": sampling.seed,
            "size": sampling.size,
            "weighted": !sampling.plain,
            "method": "Efraimidis-Spirakis; u = first 53 bits of SHA-256(seed, 0, case) / 2^53; key = ln(u) / weight; \
                       weight 8 within 4 h of the deadline, 4 within 24 h, 2 within 72 h, else 1",
            "of": self.of,
            "rows": self.cases.iter().map(case).collect::<Vec<_>>(),
            "rulebook": self.in_force.rulebook.hash.as_str(),
        })
    }
}

impl Queries {
    /// Draws a sample of the closed cases that a question finds.
    pub async fn sample(&self, question: &Question, sampling: &Sampling) -> Result<Sample, Error> {
        if !(1..=SIZE_MAX).contains(&sampling.size) {
            return Err(Fault::Limit { most: SIZE_MAX }.into());
        }
        let mut asked = (self, question, sampling);
        let read =
            run_read_tx(&self.pool, "audit::sample", &mut asked, |tx, (queries, question, sampling)| {
                Box::pin(draw(tx, queries, question, sampling))
            });
        match read.await? {
            Some(sample) => Ok(sample),
            None => Err(Fault::TooMany { most: DRAWN_MAX }.into()),
        }
    }
}

/// None: there are too many to draw from.
async fn draw(
    tx: &mut PgConnection,
    queries: &Queries,
    question: &Question,
    sampling: &Sampling,
) -> Result<Option<Sample>, Store> {
    let filter = question.closures();
    if let Count::Exactly(cases) = closures::count(tx, &filter).await?
        && cases > DRAWN_MAX
    {
        return Ok(None);
    }
    let in_force = queries.rules.within(tx).await?;
    let mut urn = Urn::new(sampling);
    let (mut after, mut of) = (None, 0);
    loop {
        let page = closures::page(tx, &filter, after.as_ref(), PAGE).await?;
        for closed in page.rows {
            of += 1;
            urn.take(closed);
        }
        if of > DRAWN_MAX {
            return Ok(None);
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(Some(Sample { cases: urn.drawn(), of, in_force })),
        }
    }
}

/// The cases with the greatest keys so far.
struct Urn<'s> {
    sampling: &'s Sampling,
    /// The least of them on top.
    best: BinaryHeap<Reverse<Keyed>>,
}

struct Keyed {
    key: f64,
    drawn: Drawn,
}

impl Keyed {
    fn rank(&self) -> (f64, &str) {
        (self.key, &self.drawn.closed.case_id)
    }
}

impl PartialEq for Keyed {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Keyed {}

impl PartialOrd for Keyed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Keyed {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let ((a, a_case), (b, b_case)) = (self.rank(), other.rank());
        a.total_cmp(&b).then_with(|| a_case.cmp(b_case))
    }
}

impl<'s> Urn<'s> {
    fn new(sampling: &'s Sampling) -> Self {
        Self { sampling, best: BinaryHeap::with_capacity(sampling.size + 1) }
    }

    fn take(&mut self, closed: Closed) {
        let weight = if self.sampling.plain { 1 } else { weight(&closed) };
        let key = fraction(&self.sampling.seed, &closed.case_id).ln() / f64::from(weight);
        self.best.push(Reverse(Keyed { key, drawn: Drawn { closed, weight } }));
        if self.best.len() > self.sampling.size {
            self.best.pop();
        }
    }

    /// The greatest key first.
    fn drawn(self) -> Vec<Drawn> {
        self.best.into_sorted_vec().into_iter().map(|Reverse(keyed)| keyed.drawn).collect()
    }
}

/// How much a closing weighs.
fn weight(closed: &Closed) -> u32 {
    let Some(due_at) = closed.due_at else { return 1 };
    let hours = |hours| SignedDuration::from_hours(hours);
    let gap = closed.closed_at.duration_since(due_at).abs();
    match () {
        () if gap <= hours(4) => 8,
        () if gap <= hours(24) => 4,
        () if gap <= hours(72) => 2,
        () => 1,
    }
}

/// Above 0 and below 1.
fn fraction(seed: &str, case: &str) -> f64 {
    let hash = digest(&SHA256, &[seed.as_bytes(), &[0], case.as_bytes()].concat());
    let first = hash.as_ref().first_chunk().expect("SHA-256 has 32 bytes");
    let bits = u64::from_be_bytes(*first) >> 11;
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact, and half a unit more keeps it from 0")]
    let fraction = (bits as f64 + 0.5) / (1_u64 << 53) as f64;
    fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(n: i64, hours_late: i64) -> Closed {
        let due_at: jiff::Timestamp = "2026-10-01T00:00:00Z".parse().unwrap();
        let closed_at = due_at + SignedDuration::from_hours(hours_late);
        Closed {
            case_id: smol_str::format_smolstr!("12345:{n}"),
            day: jiff::civil::date(2026, 10, 1),
            closed_at,
            received_at: None,
            department: "D1".into(),
            hotline: "12345".into(),
            case_type: "help".into(),
            category: "unclassified".into(),
            region: "".into(),
            class: "ordinary".into(),
            kind: "closed".into(),
            outcome: None,
            verdict: None,
            due_at: Some(due_at),
            excluded: false,
            rounds: 1,
            rating: None,
            policies: Vec::new(),
            anomalies: Vec::new(),
        }
    }

    fn drawn(seed: &str, size: usize, plain: bool, cases: impl Iterator<Item = Closed>) -> Vec<String> {
        let sampling = Sampling { seed: seed.to_owned(), size, plain };
        let mut urn = Urn::new(&sampling);
        cases.for_each(|closed| urn.take(closed));
        urn.drawn().iter().map(|drawn| drawn.closed.case_id.to_string()).collect()
    }

    #[test]
    fn the_same_seed_draws_the_same_cases_in_whatever_order_they_are_read() {
        let cases = || (0..500).map(|n| case(n, n % 200 - 100));
        let sample = drawn("2026-10", 20, false, cases());
        assert_eq!(sample.len(), 20);
        assert_eq!(sample, drawn("2026-10", 20, false, cases().rev()));
        assert_eq!(sample[..5], drawn("2026-10", 5, false, cases()), "a smaller sample is its beginning");
        assert_ne!(sample, drawn("2026-11", 20, false, cases()));
        assert_eq!(drawn("x", 20, false, cases().take(3)).len(), 3);
    }

    #[test]
    fn closings_near_their_deadline_are_drawn_as_much_more_often_as_they_weigh() {
        // One in nine is near: with weight 8 they are half of what is drawn first.
        let cases = || (0..900).map(|n| case(n, if n % 9 == 0 { 1 } else { 400 }));
        let near = |plain| {
            let first = (0..300).map(|seed| drawn(&seed.to_string(), 1, plain, cases()).remove(0));
            first.filter(|case| case[6..].parse::<i64>().unwrap() % 9 == 0).count()
        };
        assert!((120..180).contains(&near(false)), "{}", near(false));
        assert!((17..55).contains(&near(true)), "{}", near(true));
    }
}
