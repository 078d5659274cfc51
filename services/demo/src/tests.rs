//! Laws of the year, and what the rules make of it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use hotline_core::anomaly::AnomalyCode;
use hotline_core::case::{Added, CaseFacts};
use hotline_core::fact::Kind;
use hotline_core::fold::{View, settle};
use hotline_core::rate::{Row, Table};
use hotline_core::rulebook::{Rulebook, load};
use hotline_core::score::score;
use hotline_events::{Event, Keep, Tagger, decode};
use jiff::Timestamp;

use crate::report::{self, FIGURES, Side};
use crate::{EXAMPLE, SEED, Year, incident, rulebook_files};

fn rulebook() -> Rulebook {
    let loaded = load(&rulebook_files()).unwrap_or_else(|faults| panic!("{faults:?}"));
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    loaded.rulebook
}

/// After the last event of the year.
fn as_of() -> Timestamp {
    "2024-04-01T00:00:00+08:00".parse().unwrap()
}

/// The year, folded.
struct Folded {
    views: Vec<View>,
    kinds: BTreeMap<Kind, usize>,
    duplicates: usize,
    out_of_order: usize,
    recorded_late: usize,
    rows: Vec<Row>,
}

fn fold(rulebook: &Rulebook, seed: u64) -> Folded {
    let tagger = Tagger::unkeyed();
    let mut cases: HashMap<_, CaseFacts> = HashMap::new();
    let (mut kinds, mut duplicates, mut out_of_order, mut recorded_late) = (BTreeMap::new(), 0, 0, 0);
    let mut newest = Timestamp::MIN;
    for line in Year::new(rulebook, seed) {
        let decoded = match decode(line.as_bytes(), &tagger, Keep::Fact) {
            Ok(Event::Case(decoded)) => decoded.from_file(),
            other => panic!("{line}: {other:?}"),
        };
        let fact = decoded.fact;
        assert!(fact.claimed_at < as_of(), "{line} is later than its source is trusted");
        recorded_late += usize::from(fact.recorded_at.is_some());
        let at = fact.recorded_at.unwrap_or(fact.claimed_at);
        out_of_order += usize::from(at < newest);
        newest = newest.max(at);
        let kind = fact.body.kind();
        match cases.entry(decoded.subject).or_default().add(fact, rulebook) {
            Added::Applied => *kinds.entry(kind).or_default() += 1,
            Added::Duplicate { .. } => duplicates += 1,
            refused => panic!("{line}: {refused:?}"),
        }
    }
    let queries = [false, true].map(|by_case_type| report::query(rulebook, by_case_type).unwrap());
    let mut tables = queries.each_ref().map(|query| Table::new(query, rulebook));
    let mut views = Vec::with_capacity(cases.len());
    for (case, facts) in &mut cases {
        let (view, _) = settle(case, facts, rulebook, as_of());
        let score = score(&view, rulebook);
        for table in &mut tables {
            table.add_score(&score, as_of());
        }
        views.push(view);
    }
    let answers = tables.iter().zip(&queries).map(|(table, query)| table.answer(query, rulebook));
    let rows = answers.flat_map(|answer| answer.rows).collect();
    Folded { views, kinds, duplicates, out_of_order, recorded_late, rows }
}

#[test]
fn the_case_to_look_at_has_something_to_see() {
    let subject = format!("\"subject\":\"{EXAMPLE}\"");
    let told: Vec<String> = Year::new(&rulebook(), SEED).filter(|line| line.contains(&subject)).collect();
    for kind in ["held", "released", "extended", "reopened", "rated"] {
        assert!(
            told.iter().any(|line| line.contains(&format!("hotline.case.{kind}.v1"))),
            "{kind}: {told:?}"
        );
    }
}

#[test]
fn the_same_seed_gives_the_same_lines_and_another_gives_others() {
    let rulebook = rulebook();
    let lines = |seed: u64| Year::new(&rulebook, seed).take(20_000).collect::<Vec<_>>();
    assert_eq!(lines(SEED), lines(SEED));
    assert_ne!(lines(SEED), lines(SEED + 1));
}

#[test]
fn the_rules_make_the_reports_figures_of_the_year() {
    let rulebook = rulebook();
    let folded = fold(&rulebook, SEED);
    for figure in FIGURES {
        let read = figure.read(&folded.rows, &rulebook);
        if figure.side == Side::Place {
            let rank = figure.row(&folded.rows).and_then(|row| row.rank);
            assert_eq!(rank, Some(1), "first in its group, too");
        }
        assert_eq!(read, Some(figure.reported), "{} {:?}", figure.name_en, figure.row(&folded.rows));
    }
    everything_is_in_the_year(&folded);
    only_what_was_meant_is_odd(&folded);
    the_table_dispatches_as_the_routing_does(&folded);
}

/// Each thing that makes a year hard to count happens, and not only once.
fn everything_is_in_the_year(folded: &Folded) {
    let expected = [
        (Kind::Received, 70_000),
        (Kind::Returned, 100),
        (Kind::ReturnRefused, 50),
        (Kind::Extended, 300),
        (Kind::ExtensionRefused, 20),
        (Kind::Held, 200),
        (Kind::CloseRefused, 500),
        (Kind::Reopened, 300),
        (Kind::Corrected, 50),
        (Kind::Ruled, 5),
        (Kind::Urged, 50),
        (Kind::Verified, 5_000),
        (Kind::Refused, 1_000),
    ];
    for (kind, least) in expected {
        let seen = folded.kinds.get(&kind).copied().unwrap_or(0);
        assert!(seen >= least, "{} {} events, at least {least} are expected", seen, kind.name());
    }
    let merged = folded.kinds.get(&Kind::Merged).copied();
    assert_eq!(merged, usize::try_from(incident::CALLERS).ok(), "every caller of the power cut");
    assert!(folded.duplicates > 500, "{} duplicates", folded.duplicates);
    assert!(folded.out_of_order > 500, "{} out of order", folded.out_of_order);
    assert!(folded.recorded_late > 200, "{} recorded late", folded.recorded_late);
    let leads = |view: &View, name: &str| {
        view.rounds.iter().flat_map(|round| &round.custodies).any(|custody| custody.department == name)
    };
    let handed_over = folded.views.iter().filter(|view| leads(view, "YLJ") && leads(view, "CGJ")).count();
    assert!(handed_over > 0, "the merged department left open cases to its successor");
    let held = |view: &&View| {
        let day = "2023-07-28T00:00:00+08:00".parse::<Timestamp>().unwrap();
        view.clocks.iter().any(|clock| clock.holds.iter().any(|hold| hold.from == day))
    };
    assert!(folded.views.iter().filter(held).count() > 100, "the typhoon held many cases");
}

/// Late entries are flagged, and nothing else.
fn only_what_was_meant_is_odd(folded: &Folded) {
    let mut odd: BTreeMap<&str, usize> = BTreeMap::new();
    let mut example = HashMap::new();
    for view in &folded.views {
        for anomaly in &view.anomalies {
            *odd.entry(anomaly.code.code()).or_default() += 1;
            example.insert(anomaly.code.code(), view.case.clone());
        }
    }
    let meant: BTreeSet<&str> = [AnomalyCode::Backdated.code()].into();
    assert_eq!(odd.keys().copied().collect::<BTreeSet<_>>(), meant, "{odd:?} {example:?}");
}

/// Whoever got a case first is whom the rulebook's routing names.
fn the_table_dispatches_as_the_routing_does(folded: &Folded) {
    let mut differ = HashSet::new();
    for view in folded.views.iter().filter(|view| view.hotline != "petition") {
        let Some(round) = view.rounds.first() else { continue };
        let (Some(lead), Some(slot)) = (round.first_lead(), round.slots.first()) else { continue };
        let routed = slot.would_route.as_ref().map(|decision| decision.department.clone());
        if routed.as_ref() != Some(&lead.department) {
            differ.insert((
                view.attributes.category.clone(),
                view.attributes.region.clone(),
                lead.department.clone(),
                routed,
            ));
        }
    }
    assert!(differ.is_empty(), "{differ:#?}");
}
