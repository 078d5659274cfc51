//! Two rulebooks side by side over the same cases: what would be if a draft were in force.
//!
//! Guarantee: the rows of either side are those of a [`Table`] over the same cases under that rulebook alone. What moved
//! from one side of a rate to the other is listed case by case, up to a limit; it is counted without one.

mod dispatches;

pub use dispatches::{Dispatches, Elsewhere, Returns, Use};

use std::collections::BTreeMap;

use jiff::Timestamp;
use smol_str::SmolStr;

use crate::fact::Code;
use crate::fold::View;
use crate::rate::{Answer, Query, Row, Table};
use crate::rulebook::Rulebook;
use crate::score::score;

/// A question as one of the two rulebooks understands it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub query: &'a Query<'a>,
    pub rulebook: &'a Rulebook,
}

/// What a case adds to a rate of a department under each rulebook; None: nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Moved {
    pub case: SmolStr,
    pub live: Option<Row>,
    pub draft: Option<Row>,
}

/// A row of an answer under each rulebook; None where there is none.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    pub live: Option<Row>,
    pub draft: Option<Row>,
}

impl Pair {
    /// Whether the two say otherwise.
    pub fn is_changed(&self) -> bool {
        match (&self.live, &self.draft) {
            (Some(live), Some(draft)) => !is_same(live, draft),
            (live, draft) => live.is_some() != draft.is_some(),
        }
    }

    /// Whom the row is about; [`crate::rate::ALL`] for the sum.
    pub fn department(&self) -> &str {
        self.live.as_ref().or(self.draft.as_ref()).map_or("", |row| row.department.as_str())
    }
}

type Place = (Code, Code, Option<Code>, Option<Code>);

fn place(row: &Row) -> Place {
    (row.rate.clone(), row.department.clone(), row.hotline.clone(), row.case_type.clone())
}

/// One rulebook's side.
#[derive(Debug)]
struct Side<'a> {
    asked: Asked<'a>,
    all: Table<'a>,
    /// Holds one case at a time.
    one: Table<'a>,
}

impl<'a> Side<'a> {
    fn new(asked: Asked<'a>) -> Self {
        let table = || Table::new(asked.query, asked.rulebook);
        Self { asked, all: table(), one: table() }
    }

    fn add(&mut self, view: &View, as_of: Timestamp) -> BTreeMap<Place, Row> {
        let score = score(view, self.asked.rulebook);
        self.all.add_score(&score, as_of);
        self.one.clear();
        self.one.add_score(&score, as_of);
        self.one.cells().map(|row| (place(&row), row)).collect()
    }
}

/// Cases under a live rulebook and under a draft.
#[derive(Debug)]
pub struct Comparison<'a> {
    live: Side<'a>,
    draft: Side<'a>,
    as_of: Timestamp,
    list_max: usize,
    pub cases: u64,
    /// Cases that add something else to a rate asked for.
    pub changed: u64,
    /// What they add, up to the limit, in the order of the cases.
    pub moved: Vec<Moved>,
    /// … and how many there are.
    pub moved_count: u64,
    pub dispatches: Dispatches,
}

impl<'a> Comparison<'a> {
    /// An empty one as of an instant; lists hold at most `list_max` entries.
    pub fn new(live: Asked<'a>, draft: Asked<'a>, as_of: Timestamp, list_max: usize) -> Self {
        Self {
            live: Side::new(live),
            draft: Side::new(draft),
            as_of,
            list_max,
            cases: 0,
            changed: 0,
            moved: Vec::new(),
            moved_count: 0,
            dispatches: Dispatches::default(),
        }
    }

    /// Adds a case, folded by each.
    pub fn add(&mut self, live: &View, draft: &View) {
        self.cases += 1;
        let mut was = self.live.add(live, self.as_of);
        let mut moved = Vec::new();
        for (place, row) in self.draft.add(draft, self.as_of) {
            let before = was.remove(&place);
            if !before.as_ref().is_some_and(|before| is_same(before, &row)) {
                moved.push((place, before, Some(row)));
            }
        }
        moved.extend(was.into_iter().map(|(place, row)| (place, Some(row), None)));
        moved.sort_by(|a, b| a.0.cmp(&b.0));
        self.changed += u64::from(!moved.is_empty());
        self.moved_count += moved.len() as u64;
        let case = &draft.case;
        for (_, live, draft) in moved {
            if self.moved.len() < self.list_max {
                self.moved.push(Moved { case: case.clone(), live, draft });
            }
        }
        let Asked { query, rulebook } = self.draft.asked;
        self.dispatches.add((live, draft), rulebook, (query.from, query.to), self.list_max);
    }

    /// The answers of both, as of each alone.
    pub fn answers(&self) -> (Answer, Answer) {
        let of = |side: &Side<'_>| side.all.answer(side.asked.query, side.asked.rulebook);
        (of(&self.live), of(&self.draft))
    }

    /// The rows of both answers side by side.
    pub fn pairs(&self) -> Vec<Pair> {
        let (live, draft) = self.answers();
        let mut pairs: BTreeMap<Place, Pair> = BTreeMap::new();
        for row in live.rows {
            pairs.insert(place(&row), Pair { live: Some(row), draft: None });
        }
        for row in draft.rows {
            let pair = pairs.entry(place(&row)).or_insert(Pair { live: None, draft: None });
            pair.draft = Some(row);
        }
        pairs.into_values().collect()
    }
}

/// Whether two rows say the same, in whatever units.
fn is_same(a: &Row, b: &Row) -> bool {
    let in_units_of = |value: i64, scale: i64| i128::from(value) * i128::from(scale);
    in_units_of(a.numerator, b.scale) == in_units_of(b.numerator, a.scale)
        && in_units_of(a.denominator, b.scale) == in_units_of(b.denominator, a.scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::fold;
    use crate::fold::samples::{CASE, POLICIES, at, case, life, rulebook, rulebook_with};
    use crate::rate::By;

    const RATE: &str = "close.due";

    fn query(rulebook: &Rulebook) -> Query<'_> {
        let day = |text: &str| text.parse().expect("a date");
        let rates = vec![rulebook.rates.get(RATE).expect("a sample's rate")];
        Query { rates, scores: Vec::new(), by: By::default(), from: day("2026-01-01"), to: day("2027-12-31") }
    }

    /// Every life under both rulebooks.
    fn with<T>(
        (live, draft): (&Rulebook, &Rulebook),
        lives: &[&str],
        look: impl FnOnce(&Comparison<'_>) -> T,
    ) -> T {
        let (live_query, draft_query) = (query(live), query(draft));
        let asked = |query, rulebook| Asked { query, rulebook };
        let now = at("12-01 00:00");
        let mut comparison = Comparison::new(asked(&live_query, live), asked(&draft_query, draft), now, 100);
        for text in lives {
            let facts = case(life(text), live);
            comparison.add(&fold(CASE, &facts, live), &fold(CASE, &facts, draft));
        }
        look(&comparison)
    }

    fn shown(row: Option<&Row>) -> String {
        row.map_or("-".to_owned(), |row| format!("{} {}/{}", row.department, row.numerator, row.denominator))
    }

    const IN_TIME: &str = "09-21 09:00 received\n09-21 09:30 dispatched D1\n09-23 10:00 closed D1";
    const ON_THE_SIXTH_DAY: &str = "09-21 09:00 received\n09-21 09:30 dispatched D2\n09-30 10:00 closed D2";

    #[test]
    fn a_shorter_limit_moves_the_cases_that_took_longer_and_no_other() {
        let live = rulebook(POLICIES);
        let draft = rulebook(&POLICIES.replacen("limit = 10\n", "limit = 5\n", 1));
        with((&live, &draft), &[IN_TIME, ON_THE_SIXTH_DAY], |compared| {
            assert_eq!((compared.cases, compared.changed, compared.moved_count), (2, 1, 1));
            let moved = &compared.moved[0];
            assert_eq!(
                (shown(moved.live.as_ref()), shown(moved.draft.as_ref())),
                ("D2 1/1".into(), "D2 0/1".into())
            );
            let pairs: Vec<String> = compared
                .pairs()
                .iter()
                .map(|pair| format!("{} -> {}", shown(pair.live.as_ref()), shown(pair.draft.as_ref())))
                .collect();
            assert_eq!(pairs, ["* 2/2 -> * 1/2", "D1 1/1 -> D1 1/1", "D2 1/1 -> D2 0/1"]);
        });
        with((&live, &live), &[IN_TIME, ON_THE_SIXTH_DAY], |compared| {
            assert_eq!((compared.changed, compared.moved.len()), (0, 0), "the same rulebook changes nothing");
        });
    }

    #[test]
    fn either_side_is_what_the_rulebook_gives_alone() {
        let live = rulebook(POLICIES);
        let draft = rulebook(&POLICIES.replacen("limit = 10\n", "limit = 5\n", 1));
        let alone = |rulebook: &Rulebook| {
            let query = query(rulebook);
            let mut table = Table::new(&query, rulebook);
            for text in [IN_TIME, ON_THE_SIXTH_DAY] {
                let view = fold(CASE, &case(life(text), rulebook), rulebook);
                table.add_score(&score(&view, rulebook), at("12-01 00:00"));
            }
            table.answer(&query, rulebook)
        };
        let (of_live, of_draft) = (alone(&live), alone(&draft));
        with((&live, &draft), &[IN_TIME, ON_THE_SIXTH_DAY], |compared| {
            assert_eq!(compared.answers(), (of_live, of_draft));
        });
    }

    #[test]
    fn a_draft_of_routing_is_held_against_what_was_done_and_given_back() {
        let routing = "rule,hotline,case_type,category,region,keywords,department,priority,valid_from,valid_until\n\
                       new,12345,,housing/heating,,,D2,9,,\nheating,12345,,housing/heating,,,D3,0,,\n\
                       fallback,12345,,,,,HL,0,,\n";
        let live = rulebook(POLICIES);
        let draft = rulebook_with(POLICIES, &[("routing/r.csv", routing)]);
        let returned = "09-21 09:00 received\n09-21 09:30 dispatched D3\n09-22 10:00 returned D3\n\
                        09-22 11:00 dispatched D2\n09-23 10:00 closed D2";
        with((&live, &draft), &[returned, IN_TIME], |compared| {
            let dispatches = &compared.dispatches;
            // Three slots: the first two by D3 and D1, one after the return by D2.
            assert_eq!((dispatches.slots, dispatches.by_hotline, dispatches.by_rule), (3, 3, 0));
            // The live rules say D3, D1 (D3 was tried) and D3.
            assert_eq!((dispatches.live_agrees, dispatches.draft_agrees), (1, 1));
            assert_eq!(dispatches.as_done, Returns { dispatches: 1, returned: 0 });
            assert_eq!(dispatches.elsewhere, Returns { dispatches: 2, returned: 1 });
            let first = &dispatches.moved[0];
            assert_eq!(
                (&*first.department, first.returned, &*first.draft, &*first.rule),
                ("D3", true, "D2", "new")
            );
            assert_eq!(dispatches.rules["new"].slots, 3);
            assert_eq!(dispatches.rules["heating"], Use::default(), "a rule that never decides is named");
        });
    }
}
