//! `policies/*.toml`: the stage clocks, their limits and how each is counted.

use super::calendars::Calendars;
use super::{each_toml, matches};
use crate::deadline::{CountFrom, EndsAt, OutsideHours, Roll};
use crate::fact::{Code, Unit};
use crate::rulebook::fault::Section;
use crate::rulebook::measure::PROMISE;
use crate::rulebook::raw::{
    Reading, Table, boolean, civil_date, civil_time, code, integer, invalid, span, text, trigger, word,
};
use crate::rulebook::{
    Charge, CustodyChange, ExtensionFrom, ExtensionRule, FAMILIES, GrantedLate, Level, OnAmend,
    OnCustodyChange, OwnLimitUse, PendingReturn, Policy, ReturnRule, ReviewTime, Rung, RungAt, Scope,
    SelectBy, StopAt, Tier, Trigger,
};

/// The largest limit, in its own unit: some 270 years of days. It keeps a sum with a date in range.
const LIMIT_MAX: u32 = 100_000;

const UNITS: [(&str, Unit); 5] = [
    ("hour", Unit::Hour),
    ("working_hour", Unit::WorkingHour),
    ("round_clock_hour", Unit::RoundClockHour),
    ("calendar_day", Unit::CalendarDay),
    ("working_day", Unit::WorkingDay),
];

pub(super) fn read(reading: &Reading<'_>, calendars: &Calendars) -> Vec<Policy> {
    let mut policies = Vec::new();
    each_toml(reading, "policies/", &[Section::Policy], |mut root| {
        for entry in root.entries("policy") {
            policies.extend(reading.kept(Section::Policy, read_policy(reading, calendars, entry)));
        }
        root.finish();
    });
    policies
}

fn read_policy(reading: &Reading<'_>, calendars: &Calendars, mut entry: Table<'_>) -> Option<Policy> {
    let id = entry.required("id", code);
    if let Some(id) = &id {
        reading.declare(Section::Policy, id, "id", entry.place());
    }
    let calendar = entry.required("calendar", code).map(|id| {
        calendars.get(reading, &id).unwrap_or_else(|message| {
            entry.error("calendar", "dangling_id", message);
            calendars.blank()
        })
    });
    entry.require("match");
    let matches = entry.table("match").map(matches::read);
    let (stage, family) = read_stage(&mut entry);
    let start = entry.required("start", trigger);
    let stop = entry.some("stop", trigger);
    let basis = entry.required("basis", text);
    let counting = read_counting(&mut entry);
    let knobs = read_knobs(&mut entry);
    let policy = Policy {
        effective_from: entry.optional("effective_from", civil_date),
        effective_until: entry.optional("effective_until", civil_date),
        holds: entry.list("holds", code),
        restart: entry.list("restart", trigger),
        extension: entry.table("extension").map(|table| read_extension(table, counting.limit)),
        returns: entry.table("return").map(read_return),
        closure: entry.optional("closure", boolean).unwrap_or_default(),
        alarms: named(entry.tables("alarms").into_iter().filter_map(read_rung).collect()),
        id: id.unwrap_or_default(),
        calendar: calendar.unwrap_or_else(|| calendars.blank()),
        matches: matches.unwrap_or_default(),
        select_by: knobs.select_by,
        stage: stage.unwrap_or_default(),
        family: family.unwrap_or_default(),
        tier: knobs.tier,
        scope: knobs.scope,
        start: start.unwrap_or(NO_TRIGGER),
        stop: stop.unwrap_or_default(),
        stop_at: knobs.stop_at,
        review_time: knobs.review_time,
        limit: counting.limit,
        count_from: counting.count_from,
        outside_hours: counting.outside_hours,
        ends_at: counting.ends_at,
        roll: counting.roll,
        on_custody_change: knobs.on_custody_change,
        on_amend: knobs.on_amend,
        charge: knobs.charge,
        own_limit: counting.own_limit,
        basis: basis.unwrap_or_default(),
    };
    entry.finish();
    refuse(&entry, &policy, calendars);
    // What could not be read was reported; a policy without these names could only mislead the other checks.
    (!policy.id.is_empty() && !policy.stage.is_empty() && entry.has("match")).then_some(policy)
}

/// Stands in for a start that could not be read; the rulebook is refused then.
const NO_TRIGGER: Trigger = Trigger { kind: crate::fact::Kind::Received, code: None };

/// The stage and its family: the stage itself where the rulebook names none.
fn read_stage(entry: &mut Table<'_>) -> (Option<Code>, Option<Code>) {
    let stage = entry.required("stage", |value| {
        let stage = code(value)?;
        if stage.contains('.') || stage.ends_with(PROMISE) {
            return Err(invalid(format!(
                "must hold no dot and not end in {PROMISE}: the names of measures are made of it"
            )));
        }
        Ok(stage)
    });
    let family = entry.optional("family", word(&FAMILIES.map(|family| (family, family)))).map(Code::from);
    if let (Some(stage), Some(family)) = (&stage, &family)
        && FAMILIES.contains(&stage.as_str())
        && stage != family
    {
        entry.error("family", "not_allowed", format!("the stage {stage} is a family of its own"));
    }
    let own = stage.as_ref().filter(|stage| FAMILIES.contains(&stage.as_str()));
    let family = own.cloned().or(family).or_else(|| stage.clone());
    (stage, family)
}

/// How a policy's deadline is counted.
struct Counting {
    limit: Option<(u32, Unit)>,
    own_limit: Option<OwnLimitUse>,
    count_from: CountFrom,
    outside_hours: OutsideHours,
    ends_at: EndsAt,
    roll: Roll,
}

fn read_counting(entry: &mut Table<'_>) -> Counting {
    let uses =
        [("prefer", OwnLimitUse::Prefer), ("ignore", OwnLimitUse::Ignore), ("only", OwnLimitUse::Only)];
    let own_limit = entry.optional("own_limit", word(&uses));
    if own_limit != Some(OwnLimitUse::Only) || entry.has("limit") || entry.has("unit") {
        entry.require("limit");
        entry.require("unit");
    }
    if own_limit == Some(OwnLimitUse::Only) && entry.has("limit") {
        entry.warning("limit", "without_effect", "is not used where own_limit is \"only\"");
    }
    let limit = entry.optional("limit", integer(1, LIMIT_MAX));
    let unit = entry.optional("unit", word(&UNITS));
    let count_from = entry
        .optional("count_from", word(&[("next_day", CountFrom::NextDay), ("instant", CountFrom::Instant)]));
    let outside_hours = entry.optional(
        "outside_hours",
        word(&[("as_is", OutsideHours::AsIs), ("next_opening", OutsideHours::NextOpening)]),
    );
    let ends_at = entry.optional(
        "ends_at",
        word(&[
            ("end_of_day", EndsAt::EndOfDay),
            ("same_time", EndsAt::SameTime),
            ("close_of_office", EndsAt::CloseOfOffice),
        ]),
    );
    let roll = entry.optional(
        "roll",
        word(&[
            ("none", Roll::None),
            ("festival", Roll::Festival),
            ("festival_or_rest", Roll::FestivalOrRest),
            ("non_working", Roll::NonWorking),
        ]),
    );
    // Without a unit (own limits only) the defaults are those of days: an own limit in hours reads neither.
    let days = unit.is_none_or(Unit::is_day);
    let counting = Counting {
        limit: limit.zip(unit),
        own_limit,
        count_from: count_from.unwrap_or(if days { CountFrom::NextDay } else { CountFrom::Instant }),
        outside_hours: outside_hours.unwrap_or_default(),
        ends_at: ends_at.unwrap_or(if days { EndsAt::EndOfDay } else { EndsAt::SameTime }),
        roll: roll.unwrap_or_default(),
    };
    if !days {
        refuse_of_hours(entry, &counting);
    }
    counting
}

/// Hours are counted from an instant to an instant.
fn refuse_of_hours(entry: &Table<'_>, counting: &Counting) {
    let refused = [
        ("count_from", counting.count_from == CountFrom::NextDay, "hours are counted from the instant"),
        ("ends_at", counting.ends_at == EndsAt::EndOfDay, "a limit in hours does not end with a day"),
        ("roll", counting.roll != Roll::None, "a limit in hours has no last day that could roll"),
    ];
    for (name, _, message) in refused.into_iter().filter(|(_, refused, _)| *refused) {
        entry.error(name, "not_allowed", message);
    }
}

/// What is chosen from closed lists and stands on its own.
struct Knobs {
    select_by: SelectBy,
    tier: Tier,
    scope: Scope,
    stop_at: StopAt,
    review_time: ReviewTime,
    on_custody_change: CustodyChange,
    on_amend: OnAmend,
    charge: Charge,
}

fn read_knobs(entry: &mut Table<'_>) -> Knobs {
    Knobs {
        select_by: entry
            .optional("select_by", word(&[("received", SelectBy::Received), ("start", SelectBy::Start)]))
            .unwrap_or_default(),
        tier: entry
            .optional("tier", word(&[("statutory", Tier::Statutory), ("promise", Tier::Promise)]))
            .unwrap_or_default(),
        scope: entry
            .optional("scope", word(&[("case", Scope::Case), ("custody", Scope::Custody)]))
            .unwrap_or_default(),
        stop_at: entry
            .optional("stop_at", word(&[("submission", StopAt::Submission), ("approval", StopAt::Approval)]))
            .unwrap_or_default(),
        review_time: entry
            .optional(
                "review_time",
                word(&[("credited", ReviewTime::Credited), ("counted", ReviewTime::Counted)]),
            )
            .unwrap_or_default(),
        on_custody_change: entry.table("on_custody_change").map(read_custody_change).unwrap_or_default(),
        on_amend: entry
            .optional(
                "on_amend",
                word(&[
                    ("recompute", OnAmend::Recompute),
                    ("keep", OnAmend::Keep),
                    ("restart", OnAmend::Restart),
                ]),
            )
            .unwrap_or_default(),
        charge: entry
            .optional(
                "charge",
                word(&[
                    ("holder_at_due", Charge::HolderAtDue),
                    ("closer", Charge::Closer),
                    ("first", Charge::First),
                    ("office", Charge::Office),
                ]),
            )
            .unwrap_or_default(),
    }
}

fn read_custody_change(mut table: Table<'_>) -> CustodyChange {
    let words = [
        ("restart", OnCustodyChange::Restart),
        ("continue", OnCustodyChange::Continue),
        ("credit", OnCustodyChange::Credit),
    ];
    let usual = CustodyChange::default();
    let change = CustodyChange {
        returned: table.optional("returned", word(&words)).unwrap_or(usual.returned),
        redispatched: table.optional("redispatched", word(&words)).unwrap_or(usual.redispatched),
        reorganisation: table.optional("reorganisation", word(&words)).unwrap_or(usual.reorganisation),
    };
    table.finish();
    change
}

fn read_extension(mut table: Table<'_>, limit: Option<(u32, Unit)>) -> ExtensionRule {
    let unit = table.optional("unit", word(&UNITS)).or(limit.map(|(_, unit)| unit));
    let rule = ExtensionRule {
        times_max: table.optional("times_max", integer(1, LIMIT_MAX)),
        each_max: table.optional("each_max", integer(1, LIMIT_MAX)),
        // A policy of own limits only has no unit that could be taken over.
        unit: unit.unwrap_or(Unit::CalendarDay),
        from: table
            .optional(
                "from",
                word(&[
                    ("old_due", ExtensionFrom::OldDue),
                    ("grant", ExtensionFrom::Grant),
                    ("start", ExtensionFrom::Start),
                ]),
            )
            .unwrap_or_default(),
        ask_before: table.optional("ask_before", span).unwrap_or_default(),
        ask_by: table.optional("ask_by", civil_time),
        granted_late: table
            .optional(
                "granted_late",
                word(&[
                    ("backdated", GrantedLate::Backdated),
                    ("from_grant", GrantedLate::FromGrant),
                    ("void", GrantedLate::Void),
                ]),
            )
            .unwrap_or_default(),
    };
    table.finish();
    rule
}

fn read_return(mut table: Table<'_>) -> ReturnRule {
    let rule = ReturnRule {
        ask_within: table.optional("ask_within", span),
        times_max: table.optional("times_max", integer(0, LIMIT_MAX)),
        pending: table
            .optional("pending", word(&[("runs", PendingReturn::Runs), ("held", PendingReturn::Held)]))
            .unwrap_or_default(),
    };
    table.finish();
    rule
}

fn read_rung(mut table: Table<'_>) -> Option<Rung> {
    let share = table.optional("at", |value| {
        let percent = value.as_str().and_then(|text| text.strip_suffix('%'));
        percent
            .and_then(|digits| digits.parse().ok())
            .filter(|percent| (1..=100).contains(percent))
            .ok_or_else(|| invalid("must be a share of the limit in quotes, \"1%\" to \"100%\""))
    });
    let before = table.optional("before", span);
    let after = table.optional("after", span);
    let written = ["at", "before", "after"].into_iter().filter(|name| table.has(name)).count();
    if written != 1 {
        table.error("", "missing_field", "needs exactly one of at, before and after");
    }
    let level = table.required(
        "level",
        word(&[
            ("notice", Level::Notice),
            ("warning", Level::Warning),
            ("breach", Level::Breach),
            ("escalation", Level::Escalation),
        ]),
    );
    let to = table.optional("to", code);
    let deliver = table.optional("deliver", word(&[("office_hours", ())]));
    table.finish();
    let at = share.map(RungAt::Percent).or(before.map(RungAt::Before)).or(after.map(RungAt::After));
    let (at, level) = (at?, level?);
    Some(Rung { name: Rung::short(level, at), at, level, to, office_hours: deliver.is_some() })
}

/// Rungs of one name, as where two offices are told at once, are told apart by a number.
fn named(mut ladder: Vec<Rung>) -> Vec<Rung> {
    for place in 1..ladder.len() {
        let (before, rest) = ladder.split_at_mut(place);
        let short = Rung::short(rest[0].level, rest[0].at);
        let same = before.iter().filter(|rung| Rung::short(rung.level, rung.at) == short).count();
        if same > 0 {
            rest[0].name = smol_str::format_smolstr!("{short}~{}", same + 1);
        }
    }
    ladder
}

/// Refuses members that do not go together, and warns of those that do nothing.
fn refuse(entry: &Table<'_>, policy: &Policy, calendars: &Calendars) {
    if policy.ends_at == EndsAt::CloseOfOffice && !calendars.has_hours(policy.calendar.id()) {
        let message = format!("the calendar \"{}\" has no office_hours", policy.calendar.id());
        entry.error("ends_at", "not_allowed", message);
    }
    if policy.closure && policy.tier == Tier::Promise {
        entry.error("closure", "not_allowed", "only a statutory clock decides what counts as on time");
    }
    if policy.closure && policy.family != "close" {
        let message = format!("only a policy of the family close closes; this one is of {}", policy.family);
        entry.error("closure", "not_allowed", message);
    }
    if matches!((policy.effective_from, policy.effective_until), (Some(from), Some(until)) if until <= from) {
        entry.error("effective_until", "empty_range", "must be after effective_from: the end is exclusive");
    }
    if policy.scope == Scope::Case && policy.on_custody_change != CustodyChange::default() {
        entry.warning("on_custody_change", "without_effect", "only clocks of scope \"custody\" read it");
    }
    if policy.scope == Scope::Custody && policy.charge != Charge::default() {
        entry.warning("charge", "without_effect", "a clock of scope \"custody\" is charged to its custody");
    }
}
