//! `rulebook.toml`: the name, the zone of tally days, the default calendar, classes, periods and quiet hours.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::fact::Code;
use crate::rulebook::fault::{Place, Section};
use crate::rulebook::raw::{
    Reading, Table, boolean, civil_time, code, code_text, integer, text, weekday, zone,
};
use crate::rulebook::{Class, ORDINARY, Period, QuietHours};

pub(super) struct Head {
    pub(super) name: String,
    pub(super) timezone: TimeZone,
    /// The default calendar; None if it could not be read.
    pub(super) calendar: Option<Code>,
    pub(super) classes: Vec<Class>,
    pub(super) periods: BTreeMap<Code, Period>,
    pub(super) quiet_hours: Option<QuietHours>,
    pub(super) place: Arc<Place>,
}

pub(super) fn read(reading: &Reading<'_>) -> Head {
    let mut head = Head {
        name: String::new(),
        timezone: TimeZone::UTC,
        calendar: None,
        classes: Vec::new(),
        periods: BTreeMap::new(),
        quiet_hours: None,
        place: Arc::default(),
    };
    reading.toml("rulebook.toml", &[Section::Rulebook, Section::Class, Section::Period], |mut root| {
        head.place = Arc::clone(root.place());
        reading.declare(Section::Rulebook, "", "", root.place());
        head.name = root.required("name", text).unwrap_or_default();
        head.timezone = root.required("timezone", zone).unwrap_or(TimeZone::UTC);
        head.calendar = root.required("calendar", code);
        let classes = root.entries("class");
        head.classes = classes
            .into_iter()
            .filter_map(|class| reading.kept(Section::Class, read_class(reading, class)))
            .collect();
        if let Some(periods) = root.table("periods") {
            head.periods = read_periods(reading, &periods);
        }
        head.quiet_hours = root.table("quiet_hours").and_then(read_quiet_hours);
        root.finish();
    });
    head
}

fn read_quiet_hours(mut quiet: Table<'_>) -> Option<QuietHours> {
    let (from, until) = (quiet.required("from", civil_time), quiet.required("until", civil_time));
    quiet.finish();
    let hours = QuietHours { from: from?, until: until? };
    if hours.from == hours.until {
        quiet.error("until", "invalid_value", "must differ from `from`, else the whole day is quiet");
        return None;
    }
    Some(hours)
}

fn read_class(reading: &Reading<'_>, mut class: Table<'_>) -> Option<Class> {
    let id = class.required("id", code);
    if let Some(id) = &id {
        reading.declare(Section::Class, id, "id", class.place());
        if id == ORDINARY {
            class.error("id", "reserved_id", "is the class of the cases that no class matches");
        }
    }
    class.require("when");
    let when = class.table("when");
    class.finish();
    let mut when = when?;
    let class = Class {
        id: id?,
        case_type: when.list("case_type", code),
        origin: when.list("origin", code),
        channel: when.list("channel", code),
        tags: when.list("tags", code),
        outcome: when.list("outcome", code),
        dispatched: when.optional("dispatched", boolean),
    };
    when.finish();
    if when.names().is_empty() {
        when.error("", "invalid_value", "must name at least one condition, else every case is of this class");
    }
    Some(class)
}

fn read_periods(reading: &Reading<'_>, periods: &Table<'_>) -> BTreeMap<Code, Period> {
    let mut read = BTreeMap::new();
    for name in periods.names() {
        let period = periods.named_table(name).and_then(|period| read_period(period, &periods.path_of(name)));
        let id = code_text(name);
        if let Err(wrong) = &id {
            periods.error(name, wrong.code, wrong.message.clone());
        }
        if let (Ok(id), Some(period)) = (id, reading.kept(Section::Period, period)) {
            read.insert(id, period);
        }
    }
    read
}

fn read_period(mut period: Table<'_>, path: &str) -> Option<Period> {
    // Months end with their 28th day at the earliest: a later start would not exist in every month.
    let month = period.optional("month_from", integer(1, 28));
    let week = period.optional("week_from", weekday);
    period.finish();
    if period.has("month_from") == period.has("week_from") {
        let message = format!("{path} needs either month_from = 1 to 28 or week_from = \"monday\"");
        period.error("", "missing_field", message);
        return None;
    }
    match (month.and_then(|day| i8::try_from(day).ok()), week) {
        (Some(day), _) => Some(Period::MonthFrom(day)),
        (None, Some(day)) => Some(Period::WeekFrom(day.to_monday_one_offset())),
        (None, None) => None,
    }
}
