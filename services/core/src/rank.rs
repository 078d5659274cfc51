//! Who stands where: the rank of a department in a rate, and scores made of several rates (综合得分).
//!
//! Ranks are told within a group of departments (县区, 市直). Equal rates share a rank and the next rank counts
//! them all: 1, 1, 3. Rates are compared as fractions, never as rounded decimals. A department without a group is
//! ranked only in a rulebook where no department has one.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::fact::Code;
use crate::rate::{ALL, Query, Row};
use crate::rulebook::{Best, Composite, Rulebook};
use crate::score::NOBODY;

/// What a score counts of one rate.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    pub rate: Code,
    pub weight: u32,
    /// The department's rate; None without data: then neither it nor its weight counts.
    pub value: Option<f64>,
    /// What counts of it, 0 to 1: nothing below the floor; of a rate whose best is lowest, what is missing to one.
    pub counted: Option<f64>,
}

/// A department's score.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    pub score: Code,
    pub version: u32,
    pub department: Code,
    pub hotline: Option<Code>,
    pub case_type: Option<Code>,
    pub group: Option<Code>,
    /// 0 to 100.
    pub points: f64,
    /// None: some rate has no data or too small a denominator.
    pub rank: Option<u32>,
    pub parts: Vec<Part>,
}

type Others = (Option<Code>, Option<Code>);

fn others(row: &Row) -> Others {
    (row.hotline.clone(), row.case_type.clone())
}

/// Sets the ranks of rows, as far as their rates are ranked.
pub(crate) fn set_ranks(rows: &mut [Row], query: &Query<'_>, rulebook: &Rulebook) {
    for rate in &query.rates {
        let Some(rank_from) = rate.rank_from else { continue };
        let mut ranked: BTreeMap<(Others, Code), Vec<usize>> = BTreeMap::new();
        for (place, row) in rows.iter_mut().enumerate().filter(|(_, row)| row.rate == rate.id) {
            let Some(group) = group_of(rulebook, &row.department) else { continue };
            row.group = Some(group.clone()).filter(|group| !group.is_empty());
            if is_counted(row, rank_from) {
                ranked.entry((others(row), group)).or_default().push(place);
            }
        }
        for mut places in ranked.into_values() {
            let better = |a: &usize, b: &usize| match rate.best {
                Best::Highest => rows[*b].compare(&rows[*a]),
                Best::Lowest => rows[*a].compare(&rows[*b]),
            };
            places.sort_by(better);
            let ranks = shared_ranks(&places, |a, b| better(a, b) == Ordering::Equal);
            for (place, rank) in places.into_iter().zip(ranks) {
                rows[place].rank = Some(rank);
            }
        }
    }
}

/// Of sorted things the rank of each: equal ones share it.
fn shared_ranks<T>(sorted: &[T], equal: impl Fn(&T, &T) -> bool) -> Vec<u32> {
    let mut ranks: Vec<u32> = Vec::with_capacity(sorted.len());
    for (place, one) in sorted.iter().enumerate() {
        let shared = place.checked_sub(1).filter(|before| equal(&sorted[*before], one));
        let own = u32::try_from(place + 1).unwrap_or(u32::MAX);
        ranks.push(shared.map_or(own, |before| ranks[before]));
    }
    ranks
}

fn is_counted(row: &Row, rank_from: u32) -> bool {
    row.denominator > 0 && row.denominator >= i64::from(rank_from).saturating_mul(row.scale)
}

/// The group in which a department is ranked; the empty one where the rulebook knows no groups.
fn group_of(rulebook: &Rulebook, department: &Code) -> Option<Code> {
    if department == ALL || department == NOBODY {
        return None;
    }
    if rulebook.departments.values().any(|known| known.group.is_some()) {
        return rulebook.departments.get(department)?.group.clone();
    }
    Some(Code::default())
}

/// The standings of every department of the score's groups that has data in one of its rates, best first within
/// a group.
pub(crate) fn standings(score: &Composite, rows: &[Row], rulebook: &Rulebook) -> Vec<Standing> {
    let mut cells: BTreeMap<(Others, Code, Code), Vec<&Row>> = BTreeMap::new();
    for row in rows.iter().filter(|row| score.terms.iter().any(|term| term.rate == row.rate)) {
        let Some(group) = group_of(rulebook, &row.department) else { continue };
        if score.groups.is_empty() || score.groups.contains(&group) {
            cells.entry((others(row), group, row.department.clone())).or_default().push(row);
        }
    }
    let mut groups: BTreeMap<(Others, Code), Vec<Standing>> = BTreeMap::new();
    for ((others, group, department), rows) in cells {
        if let Some(standing) = standing(score, &rows, rulebook, &group, department) {
            groups.entry((others, group)).or_default().push(standing);
        }
    }
    groups.into_values().flat_map(ranked).collect()
}

fn standing(
    score: &Composite,
    rows: &[&Row],
    rulebook: &Rulebook,
    group: &Code,
    department: Code,
) -> Option<Standing> {
    let parts: Vec<Part> = score
        .terms
        .iter()
        .map(|term| {
            let row = rows.iter().find(|row| row.rate == term.rate);
            let value = row.and_then(|row| row.value());
            let best = rulebook.rates.get(&term.rate).map(|rate| rate.best).unwrap_or_default();
            let counted = row.zip(value).map(|(row, value)| {
                let (met, value) = match best {
                    Best::Highest => (row.numerator, value),
                    Best::Lowest => (row.denominator - row.numerator, 1.0 - value),
                };
                // In integers: 57 of 100 is not below 57 %.
                let is_below = i128::from(met) * 100 < i128::from(term.floor) * i128::from(row.denominator);
                if is_below { 0.0 } else { value.clamp(0.0, 1.0) }
            });
            Part { rate: term.rate.clone(), weight: term.weight, value, counted }
        })
        .collect();
    let weight: f64 =
        parts.iter().filter(|part| part.counted.is_some()).map(|part| f64::from(part.weight)).sum();
    if weight == 0.0 {
        return None;
    }
    let sum: f64 = parts.iter().filter_map(|part| Some(part.counted? * f64::from(part.weight))).sum();
    let is_ranked = score
        .terms
        .iter()
        .all(|term| rows.iter().any(|row| row.rate == term.rate && is_counted(row, score.rank_from)));
    let (hotline, case_type) = rows.first().map(|row| others(row)).unwrap_or_default();
    Some(Standing {
        score: score.id.clone(),
        version: score.version,
        department,
        hotline,
        case_type,
        group: Some(group.clone()).filter(|group| !group.is_empty()),
        points: sum / weight * 100.0,
        rank: is_ranked.then_some(0),
        parts,
    })
}

/// Points that differ by less than a millionth share a rank: they are sums of rounded quotients.
fn ranked(mut standings: Vec<Standing>) -> Vec<Standing> {
    let micro = |standing: &Standing| (standing.points * 1e6).round();
    standings.sort_by(|a, b| {
        b.rank
            .is_some()
            .cmp(&a.rank.is_some())
            .then(micro(b).total_cmp(&micro(a)))
            .then(a.department.cmp(&b.department))
    });
    let ranks = shared_ranks(&standings, |a, b| micro(a).total_cmp(&micro(b)) == Ordering::Equal);
    for (standing, rank) in standings.iter_mut().zip(ranks) {
        standing.rank = standing.rank.map(|_| rank);
    }
    standings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::samples::{POLICIES, rulebook_with};
    use crate::rate::By;

    fn rulebook() -> Rulebook {
        let departments = "code,name_zh,group\nHL,o,\nD1,a,city\nD2,b,city\nD3,c,city\nD4,d,city\nC1,e,county\nC2,f,county\n";
        let rates = "[[rate]]\nid = \"up\"\nversion = 1\nname = { zh = \"u\", en = \"u\" }\nbasis = \"due\"\nnumerator = [\"each.close.met\"]\ndenominator = [\"each.close.late\"]\nrank_from = 10\n\
              [[rate]]\nid = \"down\"\nversion = 1\nname = { zh = \"d\", en = \"d\" }\nbasis = \"due\"\nnumerator = [\"returned\"]\ndenominator = [\"dispatched\"]\nrank_from = 1\nbest = \"lowest\"\n\
              [[score]]\nid = \"overall\"\nversion = 1\nname = { zh = \"s\", en = \"s\" }\ngroups = [\"city\"]\nterms = [{ rate = \"up\", weight = 3, floor = 50 }, { rate = \"down\", weight = 1 }]\nrank_from = 10\n";
        rulebook_with(POLICIES, &[("departments.csv", departments), ("rates/ranked.toml", rates)])
    }

    fn row(rate: &str, department: &str, numerator: i64, denominator: i64) -> Row {
        Row {
            rate: rate.into(),
            version: 1,
            department: department.into(),
            hotline: None,
            case_type: None,
            numerator,
            denominator,
            scale: 1,
            group: None,
            rank: None,
        }
    }

    fn ranks(rows: &[Row]) -> String {
        let rulebook = rulebook();
        let rates = rulebook.rates.values().collect();
        let day = |text: &str| text.parse().expect("a date");
        let query = Query {
            rates,
            scores: Vec::new(),
            by: By::default(),
            from: day("2026-01-01"),
            to: day("2026-02-01"),
        };
        let mut rows = rows.to_vec();
        set_ranks(&mut rows, &query, &rulebook);
        let shown = rows.iter().map(|row| {
            let rank = row.rank.map_or("-".to_owned(), |rank| rank.to_string());
            format!("{} {rank}", row.department)
        });
        shown.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn ties_share_a_rank_within_a_group_and_small_denominators_have_none() {
        let rows = [
            row("up", "D1", 9, 10),
            row("up", "D2", 90, 100),
            row("up", "D3", 80, 100),
            row("up", "D4", 9, 9),
            row("up", "C1", 1, 20),
            row("up", "HL", 10, 10),
            row("up", "-", 10, 10),
            row("up", "*", 100, 200),
        ];
        assert_eq!(ranks(&rows), "D1 1, D2 1, D3 3, D4 -, C1 1, HL -, - -, * -");
    }

    #[test]
    fn of_a_rate_whose_best_is_lowest_the_lowest_is_first() {
        assert_eq!(ranks(&[row("down", "D1", 1, 10), row("down", "D2", 0, 3)]), "D1 2, D2 1");
    }

    #[test]
    fn fractions_are_compared_exactly() {
        let large = 4_000_000_000_000_000_000;
        let rows = [row("up", "D1", large - 1, large), row("up", "D2", large - 2, large - 1)];
        assert_eq!(ranks(&rows), "D1 1, D2 2");
    }

    #[test]
    fn a_score_weighs_rates_and_counts_nothing_below_the_floor() {
        let rulebook = rulebook();
        let rows = [
            row("up", "D1", 8, 10),
            row("down", "D1", 2, 10),
            row("up", "D2", 49, 100),
            row("down", "D2", 0, 10),
            // No dispatch at all: its weight does not count, and it is not ranked.
            row("up", "D3", 10, 10),
            row("up", "C1", 10, 10),
        ];
        let shown: Vec<String> = standings(&rulebook.scores["overall"], &rows, &rulebook)
            .iter()
            .map(|one| format!("{} {:.2} {:?}", one.department, one.points, one.rank))
            .collect();
        assert_eq!(shown, ["D1 80.00 Some(1)", "D2 25.00 Some(2)", "D3 100.00 None"]);
    }
}
