//! When a share of a limit has been counted.

use jiff::Timestamp;

use super::{Amount, Extension, ExtensionFrom, Hold, Limit, Piece, due, explain};
use crate::calendar::{Calendar, DAY, Micros};

/// The instant at which so many percent of what a clock counts, extensions included, have been counted; None for
/// a clock held without an end. What is not counted (rest days, holds) does not bring it nearer. A deadline that
/// came with the case knows only its start and end: there it is a share of the time between.
pub fn share_reached(
    limit: &Limit<'_>,
    start: Timestamp,
    holds: &[Hold],
    extensions: &[Extension],
    percent: u32,
) -> Option<Timestamp> {
    let due_at = due(limit, start, holds, extensions).due_at?;
    let of_counted = match limit {
        Limit::Rule(rule) => counted(&explain(limit, start, holds, extensions), rule.calendar)
            .and_then(|counted| reached_in(&counted, rule.calendar, percent)),
        Limit::DueAt { .. } => None,
    };
    let between = due_at.as_microsecond() - start.as_microsecond();
    let linear = || Timestamp::from_microsecond(start.as_microsecond() + part(between, percent)).ok();
    of_counted.or_else(linear).map(|at| at.clamp(start, due_at.max(start)))
}

/// A stretch that was counted.
#[derive(Clone, Copy, Debug)]
struct Counted {
    from: Timestamp,
    amount: Micros,
    is_days: bool,
}

/// What was counted, in order; None where the pieces do not tell everything. What is granted from the grant or from
/// the start on takes the place of what was counted from there on.
fn counted(pieces: &[Piece], calendar: &Calendar) -> Option<Vec<Counted>> {
    let (mut counted, mut begins_anew) = (Vec::new(), false);
    for piece in pieces {
        if let (true, Piece::Counted { from, .. } | Piece::Skipped { from, .. }) = (begins_anew, piece) {
            counted.retain_mut(|before| ends_by(before, *from, calendar));
        }
        begins_anew = false;
        match piece {
            Piece::Counted { from, amount, .. } => {
                let (amount, is_days) = match amount {
                    Amount::Days(days) => (days * DAY, true),
                    Amount::Micros(micros) => (*micros, false),
                };
                counted.push(Counted { from: *from, amount, is_days });
            }
            Piece::Extended { from, .. } => {
                begins_anew = matches!(from, ExtensionFrom::Grant | ExtensionFrom::Start);
            }
            Piece::Omitted { .. } => return None,
            _ => {}
        }
    }
    Some(counted)
}

/// Cuts off what lies after an instant, of days after its day; whether anything is left.
fn ends_by(counted: &mut Counted, at: Timestamp, calendar: &Calendar) -> bool {
    let left = if counted.is_days {
        (calendar.local(at).0 + 1 - calendar.local(counted.from).0) * DAY
    } else {
        at.as_microsecond() - counted.from.as_microsecond()
    };
    counted.amount = counted.amount.min(left);
    counted.amount > 0
}

fn reached_in(counted: &[Counted], calendar: &Calendar, percent: u32) -> Option<Timestamp> {
    let mut left = part(counted.iter().map(|counted| counted.amount).sum(), percent);
    for Counted { from, amount, is_days } in counted {
        if left > *amount {
            left -= amount;
            continue;
        }
        if *is_days {
            let (first, _) = calendar.local(*from);
            return Some(calendar.instant(first + left / DAY, left % DAY));
        }
        return Timestamp::from_microsecond(from.as_microsecond() + left).ok();
    }
    None
}

fn part(amount: i64, percent: u32) -> i64 {
    i64::try_from(i128::from(amount) * i128::from(percent) / 100).unwrap_or(amount)
}
