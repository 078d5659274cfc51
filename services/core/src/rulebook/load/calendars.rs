//! `calendars/*.toml`: one calendar a file, with those that extend another merged into it.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use toml::de::DeValue;

use super::each_toml;
use super::head::Head;
use crate::calendar::{Calendar, DayKind, Season, Spec};
use crate::fact::Code;
use crate::rulebook::Rulebook;
use crate::rulebook::fault::{Place, Section};
use crate::rulebook::raw::{
    Reading, Table, Wrong, civil_date, civil_time, code, date_text, invalid, text, weekday, word, zone,
};

/// The longest known range of a calendar: counting keeps a sum for each of its days.
const KNOWN_YEARS_MAX: i16 = 200;

/// The calendars of a rulebook, ready for counting.
pub(super) struct Calendars {
    pub(super) built: BTreeMap<Code, Arc<Calendar>>,
    pub(super) overlays: BTreeMap<Code, Vec<(Code, Arc<Calendar>)>>,
    with_hours: BTreeSet<Code>,
    /// Stands in for a calendar that could not be read, so that what refers to it can be judged otherwise.
    blank: OnceCell<Arc<Calendar>>,
}

impl Calendars {
    /// The calendar of this id; what is said of one that does not exist is Err.
    pub(super) fn get(&self, reading: &Reading<'_>, id: &Code) -> Result<Arc<Calendar>, String> {
        match self.built.get(id) {
            Some(calendar) => Ok(Arc::clone(calendar)),
            None if reading.may_exist(Section::Calendar, id) => Ok(self.blank()),
            None => Err(format!("there is no calendar \"{id}\"")),
        }
    }

    pub(super) fn blank(&self) -> Arc<Calendar> {
        Arc::clone(self.blank.get_or_init(|| Arc::new(Calendar::new(blank()))))
    }

    /// The calendar that the rulebook names as its default.
    pub(super) fn default(&self, reading: &Reading<'_>, head: &Head) -> Arc<Calendar> {
        let Some(id) = &head.calendar else {
            return self.blank();
        };
        self.get(reading, id).unwrap_or_else(|message| {
            reading.add(head.place.error("calendar", "dangling_id", message));
            self.blank()
        })
    }

    /// Whether the calendar has office hours, so that there is a close of office. One that could not be read may.
    pub(super) fn has_hours(&self, id: &Code) -> bool {
        self.with_hours.contains(id) || !self.built.contains_key(id)
    }
}

/// A calendar as its file has it, nothing merged in.
struct Sheet {
    id: Code,
    extends: Option<Code>,
    regions: Vec<Code>,
    timezone: Option<TimeZone>,
    rest_days: Option<Vec<Weekday>>,
    office_hours: Option<Vec<(Time, Time)>>,
    seasons: Option<Vec<Season>>,
    known_from: Option<Date>,
    known_until: Option<Date>,
    days: Vec<Day>,
    place: Arc<Place>,
}

struct Day {
    date: Date,
    kind: DayKind,
    name: String,
    place: Arc<Place>,
}

pub(super) fn read(reading: &Reading<'_>) -> Calendars {
    let mut sheets: BTreeMap<Code, Sheet> = BTreeMap::new();
    each_toml(reading, "calendars/", &[Section::Calendar], |root| {
        if let Some(sheet) = reading.kept(Section::Calendar, read_sheet(reading, root)) {
            sheets.entry(sheet.id.clone()).or_insert(sheet);
        }
    });
    let specs = merge_all(reading, &sheets);
    let with_hours = specs.values().filter(|spec| has_windows(spec)).map(|spec| spec.id.clone()).collect();
    let built: BTreeMap<Code, Arc<Calendar>> =
        specs.into_iter().map(|(id, spec)| (id, Arc::new(Calendar::new(spec)))).collect();
    let overlays = overlays(reading, &sheets, &built);
    Calendars { built, overlays, with_hours, blank: OnceCell::new() }
}

/// Whether an office closes at all, be it in one season only.
fn has_windows(spec: &Spec) -> bool {
    !spec.office_hours.is_empty() || spec.seasons.iter().any(|season| !season.windows.is_empty())
}

fn blank() -> Spec {
    Spec {
        id: Code::new_static(""),
        timezone: TimeZone::UTC,
        rest_days: Vec::new(),
        office_hours: Vec::new(),
        seasons: Vec::new(),
        known_from: Date::constant(2000, 1, 1),
        known_until: Date::constant(2000, 1, 1),
        days: Vec::new(),
    }
}

fn read_sheet(reading: &Reading<'_>, mut root: Table<'_>) -> Option<Sheet> {
    let id = root.required("id", code);
    if let Some(id) = &id {
        reading.declare(Section::Calendar, id, "id", root.place());
    }
    let extends = root.optional("extends", code);
    if !root.has("extends") {
        for name in ["timezone", "rest_days", "known_from", "known_until"] {
            root.require(name);
        }
        if root.has("regions") {
            root.error("regions", "not_allowed", "is for a calendar that extends another");
        }
    }
    let seasons = root.tables("hours").into_iter().filter_map(read_season).collect();
    let sheet = Sheet {
        id: id.unwrap_or_default(),
        extends,
        regions: root.list("regions", code),
        timezone: root.optional("timezone", zone),
        rest_days: root.all("rest_days", weekday).filter(|days| some_are_worked(&root, days)),
        // An empty list is written to undo what the parent says, an absent one takes it over.
        office_hours: Some(read_windows(&mut root)).filter(|_| root.has("office_hours")),
        seasons: Some(seasons).filter(|_| root.has("hours")),
        known_from: root.optional("known_from", civil_date),
        known_until: root.optional("known_until", civil_date),
        days: root.entries("day").into_iter().filter_map(read_day).collect(),
        place: Arc::clone(root.place()),
    };
    root.finish();
    check_seasons(&root, sheet.seasons.as_deref().unwrap_or_default());
    check_days(&root, &sheet);
    (!sheet.id.is_empty()).then_some(sheet)
}

/// Without a worked weekday a count of working days might never end.
fn some_are_worked(root: &Table<'_>, rest_days: &[Weekday]) -> bool {
    let worked = Weekday::Monday.cycle_forward().take(7).any(|day| !rest_days.contains(&day));
    if !worked {
        root.error("rest_days", "invalid_value", "at least one day of the week must be worked");
    }
    worked
}

fn read_day(mut entry: Table<'_>) -> Option<Day> {
    let kinds = [("festival", DayKind::Festival), ("rest", DayKind::Rest), ("work", DayKind::Work)];
    let date = entry.required("date", civil_date);
    let kind = entry.required("kind", word(&kinds));
    let name = entry.optional("name", text).unwrap_or_default();
    entry.finish();
    Some(Day { date: date?, kind: kind?, name, place: Arc::clone(entry.place()) })
}

/// Office hours: pairs of times, each window after the one before.
fn read_windows(table: &mut Table<'_>) -> Vec<(Time, Time)> {
    let mut windows: Vec<(Time, Time)> = table.list("office_hours", |value| {
        let pair = value.as_array().filter(|pair| pair.len() == 2);
        let pair = pair.ok_or_else(|| invalid("must be a list of pairs, [[\"08:30\", \"12:00\"]]"))?;
        let (from, until) = (civil_time(pair[0].get_ref())?, civil_time(pair[1].get_ref())?);
        if until <= from {
            return Err(invalid("a window must close after it opens"));
        }
        Ok((from, until))
    });
    windows.sort_unstable();
    if windows.windows(2).any(|pair| pair[1].0 <= pair[0].1) {
        table.error("office_hours", "overlapping_hours", "these windows overlap or touch: join them");
    }
    windows
}

fn read_season(mut entry: Table<'_>) -> Option<Season> {
    let from = entry.required("from", month_day);
    let until = entry.required("until", month_day);
    entry.require("office_hours");
    let windows = read_windows(&mut entry);
    entry.finish();
    Some(Season { from: from?, until: until?, windows })
}

/// A day of any year, `"06-01"`.
fn month_day(value: &DeValue<'_>) -> Result<(i8, i8), Wrong> {
    let text = value.as_str().unwrap_or_default();
    // The leap year admits 29 February.
    date_text(&format!("2000-{text}"))
        .map(|date| (date.month(), date.day()))
        .map_err(|_| invalid("must be a day of the year in quotes, \"06-01\""))
}

/// Two seasons must not hold the same day. A season may wrap over the new year.
fn check_seasons(root: &Table<'_>, seasons: &[Season]) {
    let holds = |season: &Season, day: (i8, i8)| {
        if season.from <= season.until {
            season.from <= day && day <= season.until
        } else {
            season.from <= day || day <= season.until
        }
    };
    for (n, season) in seasons.iter().enumerate() {
        if seasons[..n].iter().any(|earlier| holds(earlier, season.from) || holds(season, earlier.from)) {
            root.error(&format!("hours[{n}]"), "overlapping_hours", "shares days with a season before it");
        }
    }
}

/// A day that is listed twice says either two things or one thing twice.
fn check_days(root: &Table<'_>, sheet: &Sheet) {
    let mut seen: BTreeMap<Date, &Day> = BTreeMap::new();
    for day in &sheet.days {
        let Some(earlier) = seen.insert(day.date, day) else {
            continue;
        };
        let message = format!("{} is listed already, at {}", day.date, earlier.place);
        if earlier.kind == day.kind {
            root.report(day.place.warning("date", "duplicate_day", message));
        } else {
            root.report(day.place.error("date", "duplicate_day", message + ", as another kind of day"));
        }
    }
}

/// Merges each calendar into the one that it extends, parents first.
fn merge_all(reading: &Reading<'_>, sheets: &BTreeMap<Code, Sheet>) -> BTreeMap<Code, Spec> {
    let mut specs: BTreeMap<Code, Spec> = BTreeMap::new();
    let mut waiting: Vec<&Sheet> = sheets.values().collect();
    loop {
        let (ready, rest): (Vec<&Sheet>, Vec<&Sheet>) = waiting
            .iter()
            .partition(|sheet| sheet.extends.as_ref().is_none_or(|parent| specs.contains_key(parent)));
        if ready.is_empty() {
            break;
        }
        let merged: Vec<Spec> = ready
            .into_iter()
            .filter_map(|sheet| {
                let parent = sheet.extends.as_ref().and_then(|parent| specs.get(parent));
                merge(reading, sheet, parent)
            })
            .collect();
        specs.extend(merged.into_iter().map(|spec| (spec.id.clone(), spec)));
        waiting = rest;
    }
    for sheet in waiting {
        let Some(parent) = &sheet.extends else { continue };
        if !reading.may_exist(Section::Calendar, parent) {
            let message = format!("there is no calendar \"{parent}\"");
            reading.add(sheet.place.error("extends", "dangling_id", message));
        } else if in_cycle(sheet, sheets) {
            reading.add(sheet.place.error("extends", "cycle", "extends itself by way of what it extends"));
        }
    }
    specs
}

fn in_cycle(sheet: &Sheet, sheets: &BTreeMap<Code, Sheet>) -> bool {
    let mut at = sheet;
    for _ in 0..sheets.len() {
        match at.extends.as_ref().and_then(|parent| sheets.get(parent)) {
            Some(parent) if parent.id == sheet.id => return true,
            Some(parent) => at = parent,
            None => return false,
        }
    }
    false
}

/// A calendar with what it inherits: its own members override, its days override by date.
fn merge(reading: &Reading<'_>, sheet: &Sheet, parent: Option<&Spec>) -> Option<Spec> {
    let mut days: BTreeMap<Date, (DayKind, String)> = parent
        .map(|parent| parent.days.iter().map(|(date, kind, name)| (*date, (*kind, name.clone()))).collect())
        .unwrap_or_default();
    let spec = Spec {
        id: sheet.id.clone(),
        timezone: own_or(sheet.timezone.as_ref(), parent, |spec| &spec.timezone)?,
        rest_days: own_or(sheet.rest_days.as_ref(), parent, |spec| &spec.rest_days)?,
        office_hours: own_or(sheet.office_hours.as_ref(), parent, |spec| &spec.office_hours)
            .unwrap_or_default(),
        seasons: own_or(sheet.seasons.as_ref(), parent, |spec| &spec.seasons).unwrap_or_default(),
        known_from: own_or(sheet.known_from.as_ref(), parent, |spec| &spec.known_from)?,
        known_until: own_or(sheet.known_until.as_ref(), parent, |spec| &spec.known_until)?,
        days: Vec::new(),
    };
    if spec.known_until < spec.known_from {
        reading.add(sheet.place.error("known_until", "empty_range", "must not be before known_from"));
        return None;
    }
    if spec.known_until.year() - spec.known_from.year() > KNOWN_YEARS_MAX {
        let message = format!("must be at most {KNOWN_YEARS_MAX} years after known_from");
        reading.add(sheet.place.error("known_until", "invalid_value", message));
        return None;
    }
    for day in &sheet.days {
        let worked = !spec.rest_days.contains(&day.date.weekday());
        if day.kind == DayKind::Work && worked && !days.contains_key(&day.date) {
            let message = format!("{} is worked anyway", day.date);
            reading.add(day.place.warning("kind", "without_effect", message));
        }
        if day.date < spec.known_from || spec.known_until < day.date {
            let message = format!("{} is outside {} to {}", day.date, spec.known_from, spec.known_until);
            reading.add(day.place.warning("date", "outside_known", message + " and has no effect"));
        }
    }
    days.extend(sheet.days.iter().map(|day| (day.date, (day.kind, day.name.clone()))));
    let days = days.into_iter().map(|(date, (kind, name))| (date, kind, name)).collect();
    Some(Spec { days, ..spec })
}

fn own_or<T: Clone>(own: Option<&T>, parent: Option<&Spec>, of: impl Fn(&Spec) -> &T) -> Option<T> {
    own.or_else(|| parent.map(of)).cloned()
}

/// The regions where a calendar stands in for those that it extends, directly or by way of others.
fn overlays(
    reading: &Reading<'_>,
    sheets: &BTreeMap<Code, Sheet>,
    built: &BTreeMap<Code, Arc<Calendar>>,
) -> BTreeMap<Code, Vec<(Code, Arc<Calendar>)>> {
    let mut overlays: BTreeMap<Code, Vec<(Code, Arc<Calendar>)>> = BTreeMap::new();
    for sheet in sheets.values() {
        let Some(calendar) = built.get(&sheet.id) else {
            continue;
        };
        let mut at = sheet;
        while let Some(parent) = at.extends.as_ref().and_then(|parent| sheets.get(parent)) {
            let list = overlays.entry(parent.id.clone()).or_default();
            for region in &sheet.regions {
                if let Some((_, other)) = list.iter().find(|(prefix, _)| prefix == region) {
                    let message = format!("\"{}\" extends \"{}\" in {region} too", other.id(), parent.id);
                    reading.add(sheet.place.error("regions", "duplicate_id", message));
                } else {
                    list.push((region.clone(), Arc::clone(calendar)));
                }
            }
            at = parent;
        }
    }
    for list in overlays.values_mut() {
        Rulebook::sort_overlays(list);
    }
    overlays.retain(|_, list| !list.is_empty());
    overlays
}
