//! What a good rulebook is read as: defaults, overlays, weights, the hash.

use std::sync::Arc;

use jiff::SignedDuration;

use super::super::measure;
use super::super::{
    Category, Code, CustodyChange, Dispatch, Files, LateStop, Match, OwnLimitUse, Period, Policy, Rulebook,
    RungAt, SourceMode, Span,
};
use super::{broken, good, loaded};
use crate::deadline::{CountFrom, EndsAt, OutsideHours, Roll};
use crate::fact::{Kind, Unit};

fn policy<'a>(rulebook: &'a Rulebook, id: &str) -> &'a Policy {
    rulebook.policies.iter().find(|policy| policy.id == id).unwrap()
}

#[test]
fn the_good_rulebook_has_no_fault_and_no_warning() {
    let loaded = loaded(&good());
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
}

#[test]
fn a_policy_has_the_defaults_of_its_unit() {
    let book = loaded(&good()).rulebook;
    let close = policy(&book, "close");
    assert_eq!(close.count_from, CountFrom::NextDay);
    assert_eq!(close.ends_at, EndsAt::EndOfDay);
    assert_eq!((close.outside_hours, close.roll), (OutsideHours::AsIs, Roll::None));
    assert_eq!((close.family.as_str(), close.limit), ("close", Some((10, Unit::WorkingDay))));
    assert_eq!(close.on_custody_change, CustodyChange::default());
    assert_eq!(close.extension.as_ref().unwrap().ask_before, Span::Exact(SignedDuration::ZERO));
    assert_eq!(close.returns.as_ref().unwrap().times_max, Some(2));
    assert_eq!(close.alarms[0].at, RungAt::Percent(50));
    assert_eq!(close.alarms[1].at, RungAt::Before(Span::Counted(1, Unit::WorkingDay)));
    assert!(close.alarms[2].office_hours && !close.alarms[1].office_hours);
    assert_eq!(close.start.kind, Kind::Dispatched);
    let sign = policy(&book, "sign");
    assert_eq!((sign.count_from, sign.ends_at), (CountFrom::Instant, EndsAt::SameTime));
    let own = policy(&book, "own");
    assert_eq!((own.own_limit, own.limit), (Some(OwnLimitUse::Only), None));
    assert_eq!(own.matches.keys(), 3);
    assert_eq!(book.general_holds[0].reason, "force_majeure");
    assert_eq!(book.periods["bulletin_month"], Period::MonthFrom(26));
    assert_eq!(book.periods["week"], Period::WeekFrom(5));
    assert_eq!(book.routes[1].keywords, ["heat", "water"]);
    assert_eq!(book.routes[0].category, ["housing", "heating"]);
    assert_eq!(book.departments["D2"].name_en, "城管局");
    assert!(book.knows("case_type", "noise") && book.knows("case_type", "help"));
    assert!(!book.knows("case_type", "nose") && book.knows("channel", "anything"));
}

#[test]
fn a_code_has_the_names_that_its_list_says() {
    let list =
        "code,name_zh,name_en,note\nhousing,住房建设,housing,x\nheating,供热,,\nwater,,water,\ngas,,,\n";
    let mut files = good();
    files.insert("codes/category.csv".into(), list.into());
    let book = loaded(&files).rulebook;
    assert_eq!(book.code_name("category", "housing"), Some(("住房建设", "housing")));
    assert_eq!(book.code_name("category", "heating"), Some(("供热", "供热")));
    assert_eq!(book.code_name("category", "water"), Some(("water", "water")));
    assert_eq!(book.code_name("case_type", "noise"), Some(("噪音", "噪音")));
    for (list, code) in [("category", "gas"), ("category", "noise"), ("channel", "noise")] {
        assert_eq!(book.code_name(list, code), None, "{list} {code}");
    }
}

#[test]
fn a_source_has_its_defaults() {
    let book = loaded(&good()).rulebook;
    let city = &book.sources["/hotline/12345"];
    assert_eq!(
        (city.mode, city.dispatch, city.late_stop),
        (SourceMode::Events, Dispatch::Hotline, LateStop::Received)
    );
    assert_eq!(city.backdate_max, SignedDuration::from_hours(24));
    assert_eq!(city.order_tolerance, SignedDuration::from_mins(5));
    assert_eq!(city.timezone.iana_name(), Some("Asia/Shanghai"));
    let plain = &book.sources["/hotline/12345/plain"];
    assert_eq!(plain.dispatch, Dispatch::Pipeline { after: SignedDuration::from_mins(30) });
    assert_eq!(plain.trusted_before, city.trusted_before);
    assert_eq!(plain.default_region.as_deref(), Some("411200"));
}

#[test]
fn a_region_gets_the_calendar_of_its_longest_prefix() {
    let mut files = good();
    let town = "id = \"town\"\nextends = \"lakeside\"\nregions = [\"411202\"]\n";
    files.insert("calendars/town.toml".into(), town.into());
    let book = loaded(&files).rulebook;
    let close = policy(&book, "close");
    let of = |region| book.calendar_for(close, region).id().as_str();
    assert_eq!([of(""), of("4113"), of("411201"), of("411202001")], ["cn", "cn", "lakeside", "town"]);
    let book = loaded(&broken("calendars/lakeside.toml", "regions = [\"4112\"]\n", "")).rulebook;
    assert!(Arc::ptr_eq(book.calendar_for(policy(&book, "close"), "411201"), &book.calendars["cn"]));
}

#[test]
fn weights_are_exact_fractions_in_lowest_terms() {
    for (text, weight) in
        [("\"1/2\"", (1, 2)), ("\"50/100\"", (1, 2)), ("2", (2, 1)), ("\"0.25\"", (1, 4)), ("1.50", (3, 2))]
    {
        let book = loaded(&broken("rates/rates.toml", "\"1/2\"", text)).rulebook;
        assert_eq!(book.rates["on_time.due"].denominator[2].weight, weight, "{text}");
    }
}

#[test]
fn measures_are_written_in_full() {
    let book = loaded(&good()).rulebook;
    assert_eq!(book.rates["on_time.due"].denominator[1].measure, "each.close.late");
    let full = |text: &str| measure::parse(text).map(|measure| measure.name.to_string());
    for name in [
        "each.close.met",
        "final.close_promise.open_in_review",
        "excluded.each.close.late",
        "first.rated_5",
        "each.solved_partly",
        "returned",
        "linked.urge",
        "close_refused",
        "outcome.mediated",
        "verified.filed",
        "sum.persons",
        "sum.amount_recovered",
        "excluded.returned",
        "milestone.on_site",
        "each.sign.met_automatic",
        "excluded.reopened_within_24h",
        "ruled_by",
        "ruled_by.exclude",
    ] {
        assert_eq!(full(name).as_deref(), Ok(name));
    }
    assert_eq!(full("excluded.close.met").as_deref(), Ok("excluded.each.close.met"));
    assert_eq!(full("rated_unanswered").as_deref(), Ok("each.rated_unanswered"));
    for name in [
        "",
        "each.",
        "close",
        "close.",
        "each.close.won",
        ".met",
        "each..met",
        "rated_6",
        "each.returned",
        "sum.cases",
        "sum.amount_",
        "outcome.",
        "all.close.met",
        "each.each.close.met",
        "met_last_hour",
        "troubled",
        "each.reopened_within_24h",
        "reopened_within_24h.review",
        "ruled_by.",
        "ruled_by.mistake",
    ] {
        assert!(full(name).is_err(), "{name}");
    }
}

#[test]
fn every_measure_of_rounds_that_a_score_can_hold_can_be_asked_for() {
    use crate::measure::{Measure, Population, RatingMeasure, State, parse_term};
    let states = State::ALL.iter().map(|state| Measure::Clock { stage: "close".into(), state: *state });
    for of_rounds in states.chain(RatingMeasure::ALL.iter().copied().map(Measure::Rating)) {
        let name = format!("each.{}", of_rounds.stem());
        assert_eq!(measure::parse(&name).map(|measure| measure.name.to_string()).as_ref(), Ok(&name));
        assert_eq!(parse_term(&name), (of_rounds, Population::Each, false));
    }
}

#[test]
fn the_hash_is_that_of_sha256sum() {
    // printf 'a' | sha256sum and so on; then sha256sum of the two lines.
    let files: Files = [("b", "b"), ("a", "a")].map(|(path, text)| (path.into(), text.into())).into();
    assert_eq!(super::super::load::hash(&files), HASH_OF_A_AND_B);
}

#[test]
fn the_hash_covers_every_file_and_its_name() {
    let hash = |files: &Files| loaded(files).rulebook.hash;
    let good_hash = hash(&good());
    assert_eq!(good_hash, hash(&good().into_iter().rev().collect()));
    assert_ne!(good_hash, hash(&broken("adapters/city.jq", ".", ". ")));
    let mut renamed = good();
    let program = renamed.remove("adapters/city.jq").unwrap();
    renamed.insert("adapters/town.jq".into(), program);
    assert_ne!(good_hash, hash(&renamed));
}

const HASH_OF_A_AND_B: &str = "cb13f400dcb618e400d0f7d54f7cdb330d37a07272cb99a1016cda5830a10556";

fn matches(make: impl FnOnce(&mut Match)) -> Match {
    let mut matches = Match::default();
    make(&mut matches);
    matches
}

fn path(text: &str) -> Category {
    text.split('/').map(Code::from).collect()
}

#[test]
fn two_matches_overlap_if_a_case_can_have_both() {
    let any = Match::default();
    let complaint = matches(|m| m.case_type = vec!["complaint".into()]);
    let both = matches(|m| m.case_type = vec!["help".into(), "complaint".into()]);
    let help = matches(|m| m.case_type = vec!["help".into()]);
    let housing = matches(|m| m.category = path("housing"));
    let heating = matches(|m| m.category = path("housing/heating"));
    let water = matches(|m| m.category = path("housing/water"));
    let lakeside = matches(|m| m.region = Some("4112".into()));
    let town = matches(|m| m.region = Some("411202".into()));
    let county = matches(|m| m.region = Some("4113".into()));
    let rain = matches(|m| m.tags = vec!["rain".into()]);
    let snow = matches(|m| m.tags = vec!["snow".into()]);
    for (a, b, expect) in [
        (&any, &complaint, true),
        (&complaint, &both, true),
        (&complaint, &help, false),
        (&housing, &heating, true),
        (&heating, &water, false),
        (&lakeside, &town, true),
        (&lakeside, &county, false),
        (&lakeside, &heating, true),
        (&rain, &snow, true),
    ] {
        assert_eq!((a.overlaps(b), b.overlaps(a)), (expect, expect), "{a:?} {b:?}");
    }
}

#[test]
fn the_shapes_of_the_acceptance_rulebooks_load() {
    // Whole-day offices, a calendar in UTC, categories with blanks, clocks without a limit.
    let files: Files = [
        ("rulebook.toml", "name = \"Boston 311\"\ntimezone = \"UTC\"\ncalendar = \"utc\"\n"),
        (
            "calendars/utc.toml",
            "# a comment\nid = \"utc\"\ntimezone = \"UTC\"\nrest_days = [\"saturday\", \"sunday\"]\n\
             known_from = 2000-01-01\nknown_until = 2030-12-31\n",
        ),
        (
            "policies/boston.toml",
            "[[policy]]\nid = \"one-working-day\"\ncalendar = \"utc\"\n\
             match = { hotline = \"boston311\", category = [\"Pick up Dead Animal\"] }\nstage = \"contact\"\n\
             start = \"received\"\nstop = [\"closed\"]\nlimit = 1\nunit = \"working_day\"\n\
             count_from = \"instant\"\noutside_hours = \"next_opening\"\nends_at = \"same_time\"\nbasis = \"x\"\n\
             \n[[policy]]\nid = \"city-target\"\ncalendar = \"utc\"\nmatch = { hotline = \"boston311\" }\n\
             stage = \"close\"\nstart = \"received\"\nstop = [\"closed\"]\nown_limit = \"only\"\n\
             charge = \"closer\"\nclosure = true\nbasis = \"x\"\n\
             \n[[policy]]\nid = \"3-working-day-none\"\ncalendar = \"utc\"\n\
             match = { hotline = \"boston311\", category = [\"3\"] }\nstage = \"close\"\nstart = \"received\"\n\
             stop = [\"closed\"]\nlimit = 3\nunit = \"working_day\"\ncount_from = \"next_day\"\n\
             ends_at = \"end_of_day\"\nroll = \"none\"\nbasis = \"x\"\n",
        ),
        (
            "routing/boston.csv",
            "rule,hotline,case_type,category,region,keywords,department,priority,valid_from,valid_until\n\
             fallback,boston311,,,,,INFO,0,,\n",
        ),
        (
            "rates/boston.toml",
            "[[rate]]\nid = \"agency\"\nversion = 1\nname = { zh = \"机构口径\", en = \"the agency's\" }\n\
             basis = \"received\"\nnumerator = [\"each.close.met\", \"each.close.none_stopped\"]\n\
             denominator = [\"each.close.met\", \"each.close.none_open\", \"each.close.open\"]\n",
        ),
        (
            "sources/boston.toml",
            "[[source]]\nid = \"/hotline/boston311\"\nhotline = \"boston311\"\nname = \"Boston 311\"\n\
             mode = \"events\"\ndispatch = \"hotline\"\ntimezone = \"UTC\"\ntrusted_before = 2025-01-01T00:00:00Z\n",
        ),
        (
            "hotlines.toml",
            "[[hotline]]\ncode = \"boston311\"\nname_zh = \"波士顿311\"\nname_en = \"Boston 311\"\noffice = \"INFO\"\n",
        ),
        (
            "departments.csv",
            "code,name_zh,name_en,parent,group,valid_from,valid_until,successor\nINFO,INFO,INFO,,,,,\n",
        ),
    ]
    .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))
    .into();
    let loaded = loaded(&files);
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert_eq!(policy(&loaded.rulebook, "one-working-day").count_from, CountFrom::Instant);
}

#[test]
fn every_rule_of_the_shipped_rulebook_is_wired() {
    let loaded = crate::fold::samples::shipped();
    assert_eq!(loaded.warnings, []);
    let unwired: Vec<String> =
        crate::rulebook::wired(&loaded.rulebook).iter().map(ToString::to_string).collect();
    assert_eq!(unwired, [] as [String; 0]);
}

#[test]
fn a_policy_that_nothing_starts_or_stops_is_not_wired() {
    let policies = crate::fold::samples::POLICIES;
    let codes = |policies: &str| {
        let rulebook = crate::fold::samples::rulebook(policies);
        crate::rulebook::wired(&rulebook)
            .iter()
            .map(|fault| (fault.field.clone(), fault.code))
            .collect::<Vec<_>>()
    };
    assert_eq!(codes(policies), []);
    let never_stops = policies.replace("stop = [\"signed\"]", "stop = [\"received\"]");
    assert_eq!(codes(&never_stops), [("stop".to_owned(), "not_wired")]);
    let specific = policies.to_owned()
        + "[[policy]]\nid = \"complaint-sign\"\ncalendar = \"cn\"\nmatch = { hotline = \"12345\", case_type = \"complaint\" }\n\
           stage = \"sign\"\nscope = \"custody\"\nstart = \"dispatched\"\nstop = [\"signed\"]\nlimit = 1\nunit = \"hour\"\nbasis = \"b\"\n";
    assert_eq!(codes(&specific), [], "the general policy keeps the other types");
    let all_types = specific.replace(
        "case_type = \"complaint\"",
        "case_type = [\"complaint\", \"report\", \"help\", \"consult\", \"suggestion\", \"petition\", \"praise\", \"other\"]",
    );
    assert_eq!(codes(&all_types), [("start".to_owned(), "not_wired")]);
}
