//! `sources/*.toml`: who sends events, and how far what it says is believed.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use smol_str::SmolStr;

use super::each_toml;
use crate::fact::PIPELINE_SOURCE;
use crate::rulebook::fault::Section;
use crate::rulebook::raw::{Reading, Table, code, exact_span, instant, text, word, zone};
use crate::rulebook::{Dispatch, LateStop, Source, SourceMode};

pub(super) fn read(reading: &Reading<'_>, timezone: &TimeZone) -> BTreeMap<SmolStr, Source> {
    let mut sources = BTreeMap::new();
    each_toml(reading, "sources/", &[Section::Source], |mut root| {
        for entry in root.entries("source") {
            if let Some(source) = reading.kept(Section::Source, read_source(reading, entry, timezone)) {
                sources.entry(source.id.clone()).or_insert(source);
            }
        }
        root.finish();
    });
    sources
}

fn read_source(reading: &Reading<'_>, mut entry: Table<'_>, timezone: &TimeZone) -> Option<Source> {
    let id = entry.required("id", text);
    if let Some(id) = &id {
        reading.declare(Section::Source, id, "id", entry.place());
        if id == PIPELINE_SOURCE {
            entry.error("id", "reserved_id", "is the source of the pipeline's own decisions");
        }
    }
    let hotline = entry.required("hotline", code);
    let name = entry.optional("name", text);
    let mode =
        entry.optional("mode", word(&[("events", SourceMode::Events), ("snapshots", SourceMode::Snapshots)]));
    let dispatch = read_dispatch(&mut entry);
    let adapter = entry.optional("adapter", text);
    let zone = entry.optional("timezone", zone);
    let default_region = entry.table("defaults").and_then(|mut defaults| {
        let region = defaults.optional("region", code);
        defaults.finish();
        region
    });
    let backdate_max = entry.optional("backdate_max", exact_span);
    let late_stop = entry
        .optional("late_stop", word(&[("received", LateStop::Received), ("claimed", LateStop::Claimed)]));
    let trusted_before = entry.optional("trusted_before", instant);
    let order_tolerance = entry.optional("order_tolerance", exact_span);
    entry.finish();
    let id = SmolStr::from(id?);
    Some(Source {
        name: name.unwrap_or_else(|| id.to_string()),
        id,
        hotline: hotline?,
        mode: mode.unwrap_or(SourceMode::Events),
        dispatch: dispatch?,
        adapter,
        timezone: zone.unwrap_or_else(|| timezone.clone()),
        default_region,
        backdate_max: backdate_max.unwrap_or(SignedDuration::from_hours(24)),
        late_stop: late_stop.unwrap_or_default(),
        trusted_before,
        order_tolerance: order_tolerance.unwrap_or(SignedDuration::from_mins(5)),
    })
}

/// There is no default: who dispatches is a choice that somebody must have made.
fn read_dispatch(entry: &mut Table<'_>) -> Option<Dispatch> {
    const CHOICE: &str = "the choice must be made: \"hotline\", \"pipeline\" or { after = \"30 minute\" }";
    let at_once = Dispatch::Pipeline { after: SignedDuration::ZERO };
    match entry.table_or_value("dispatch") {
        None => {
            entry.error("dispatch", "missing_field", CHOICE);
            None
        }
        Some(Ok(mut table)) => {
            let after = table.required("after", exact_span);
            table.finish();
            after.map(|after| Dispatch::Pipeline { after })
        }
        Some(Err(value)) => {
            let read = word(&[("hotline", Dispatch::Hotline), ("pipeline", at_once)])(value);
            entry.element("dispatch", read)
        }
    }
}
