//! When a share of a limit has been counted.

use jiff::Timestamp;

use super::{Amount, Extension, Hold, Limit, Piece, due, explain};
use crate::calendar::{Calendar, DAY};

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
    let pieces = explain(limit, start, holds, extensions);
    let of_counted = reached_in(&pieces, limit.calendar(), percent);
    let between = due_at.as_microsecond() - start.as_microsecond();
    let linear = || Timestamp::from_microsecond(start.as_microsecond() + part(between, percent)).ok();
    of_counted.or_else(linear).map(|at| at.clamp(start, due_at.max(start)))
}

/// None where the pieces do not tell everything that was counted.
fn reached_in(pieces: &[Piece], calendar: &Calendar, percent: u32) -> Option<Timestamp> {
    if pieces.iter().any(|piece| matches!(piece, Piece::Omitted { .. })) {
        return None;
    }
    let counted = || {
        pieces.iter().filter_map(|piece| match piece {
            Piece::Counted { from, amount: Amount::Days(days), .. } => Some((*from, days * DAY, true)),
            Piece::Counted { from, amount: Amount::Micros(micros), .. } => Some((*from, *micros, false)),
            _ => None,
        })
    };
    let mut left = part(counted().map(|(_, amount, _)| amount).sum(), percent);
    for (from, amount, days) in counted() {
        if left > amount {
            left -= amount;
            continue;
        }
        if days {
            let (first, _) = calendar.local(from);
            return Some(calendar.instant(first + left / DAY, left % DAY));
        }
        return Timestamp::from_microsecond(from.as_microsecond() + left).ok();
    }
    None
}

fn part(amount: i64, percent: u32) -> i64 {
    i64::try_from(i128::from(amount) * i128::from(percent) / 100).unwrap_or(amount)
}
