//! `holds.toml`: holds of all cases that match.

use crate::fact::Code;
use crate::rulebook::GeneralHold;
use crate::rulebook::fault::Section;
use crate::rulebook::raw::{Reading, Table, code, instant, text};

use super::matches;

pub(super) fn read(reading: &Reading<'_>) -> Vec<GeneralHold> {
    let mut holds = Vec::new();
    if reading.files.contains_key("holds.toml") {
        reading.toml("holds.toml", &[Section::GeneralHold], |mut root| {
            for entry in root.entries("general_hold") {
                // Holds have no id: they are found again by their place in the list.
                reading.declare(Section::GeneralHold, &holds.len().to_string(), "", entry.place());
                holds.extend(reading.kept(Section::GeneralHold, read_hold(entry)));
            }
            root.finish();
        });
    }
    holds
}

fn read_hold(mut entry: Table<'_>) -> Option<GeneralHold> {
    let reason = entry.optional("reason", code);
    let from = entry.required("from", instant);
    let until = entry.required("until", instant);
    let matches = entry.table("match").map(matches::read).unwrap_or_default();
    let stages = entry.list("stages", code);
    let basis = entry.required("basis", text);
    if matches!((from, until), (Some(from), Some(until)) if until <= from) {
        entry.error("until", "empty_range", "must be after from");
    }
    entry.finish();
    Some(GeneralHold {
        reason: reason.unwrap_or(Code::new_static("force_majeure")),
        from: from?,
        until: until?,
        matches,
        stages,
        basis: basis?,
    })
}
