//! What a rule applies to: the `match` of policies and general holds.

use crate::rulebook::Match;
use crate::rulebook::raw::{Table, code, integer};

/// The longest category that an event may carry.
const CATEGORY_LEVELS_MAX: usize = 4;
/// More rounds than a case can have: it holds at most 1,100 facts.
const ROUND_MAX: u32 = 1_100;

pub(super) fn read(mut table: Table<'_>) -> Match {
    let matches = Match {
        hotline: table.list("hotline", code),
        case_type: table.list("case_type", code),
        category: table.list("category", code),
        region: table.optional("region", code),
        urgency: table.list("urgency", code),
        channel: table.list("channel", code),
        origin: table.list("origin", code),
        tags: table.list("tags", code),
        class: table.list("class", code),
        round: table.list("round", integer(1, ROUND_MAX)),
    };
    if matches.category.len() > CATEGORY_LEVELS_MAX {
        let message =
            format!("is one path from broad to narrow and has at most {CATEGORY_LEVELS_MAX} levels");
        table.error("category", "invalid_value", message);
    }
    table.finish();
    matches
}
