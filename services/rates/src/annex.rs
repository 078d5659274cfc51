//! Annexes of a bulletin: the cases that were excluded (剔除), extended (延期), corrected (更正) in its period.
//!
//! The ledger says which cases may be concerned, a fold of each says what counts. No row holds anything personal: codes,
//! days and the number of the case.

use hotline_core::case::CaseFacts;
use hotline_core::fact::{Body, Grant, Kind, RulingEffect};
use hotline_core::fold::{Changed, Correction, Round, Step, View, fold};
use hotline_core::rulebook::Rulebook;
use hotline_postgres::cases::{self, Loaded};
use hotline_postgres::{Error, PgConnection, ledger};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use smol_str::SmolStr;

use crate::form::period::Period;
use crate::form::{Annex, Form, Text};

/// How far before its receipt a thing may lie ahead: a source's clock may run a day ahead, and of a day only its end is known.
const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(48);
/// Cases folded at once.
const PAGE: usize = 500;

/// An annex with its rows, each as wide as [`Annex::headings`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annexed {
    pub annex: Annex,
    pub rows: Vec<Vec<String>>,
}

impl Annex {
    pub const ALL: [Annex; 3] = [Annex::Excluded, Annex::Extended, Annex::Corrected];

    pub fn name(self) -> &'static str {
        match self {
            Annex::Excluded => "excluded",
            Annex::Extended => "extended",
            Annex::Corrected => "corrected",
        }
    }

    pub fn title(self) -> Text {
        match self {
            Annex::Excluded => Text::of("附：考核剔除明细", "Annex: rulings that exclude"),
            Annex::Extended => Text::of("附：延期明细", "Annex: extensions granted"),
            Annex::Corrected => Text::of("附：数据更正明细", "Annex: corrections of facts"),
        }
    }

    pub fn headings(self) -> Vec<Text> {
        let (case, on) = (Text::of("工单", "case"), Text::of("日期", "on"));
        let (department, by) = (Text::of("承办单位", "department"), Text::of("认定方", "by"));
        match self {
            Annex::Excluded => vec![
                case,
                on,
                Text::of("指标", "indicator"),
                Text::of("认定", "effect"),
                Text::of("原因", "reason"),
                Text::of("文号", "document"),
                department,
                by,
            ],
            Annex::Extended => vec![
                case,
                on,
                Text::of("环节", "stage"),
                Text::of("延长", "granted"),
                Text::of("轮次", "round"),
                department,
                by,
            ],
            Annex::Corrected => vec![
                case,
                on,
                Text::of("更正对象", "of"),
                Text::of("更正内容", "change"),
                Text::of("原事项日期", "was of"),
                Text::of("来源", "source"),
            ],
        }
    }

    /// The place of the column of departments.
    pub fn department_at(self) -> Option<usize> {
        match self {
            Annex::Excluded => Some(6),
            Annex::Extended => Some(5),
            Annex::Corrected => None,
        }
    }

    fn kind(self) -> Kind {
        match self {
            Annex::Excluded => Kind::Ruled,
            Annex::Extended => Kind::Extended,
            Annex::Corrected => Kind::Corrected,
        }
    }
}

/// The annexes that a form asks for, over the days of a period.
pub(crate) async fn read(
    tx: &mut PgConnection,
    form: &Form,
    rulebook: &Rulebook,
    period: Period,
) -> Result<Vec<Annexed>, Error> {
    let types: Vec<String> = form.annexes.iter().map(|annex| annex.kind().event_type()).collect();
    let snapshots = Kind::Snapshot.event_type();
    let types: Vec<&str> = types.iter().chain([&snapshots]).map(String::as_str).collect();
    let midnight = rulebook.timezone.to_ambiguous_timestamp(period.from.at(0, 0, 0, 0)).compatible();
    let since = midnight.and_then(|midnight| midnight.checked_sub(AHEAD_MAX)).unwrap_or(Timestamp::MIN);
    let concerned =
        if form.annexes.is_empty() { Vec::new() } else { ledger::cases_with(tx, &types, since).await? };
    let mut annexes: Vec<Annexed> =
        form.annexes.iter().map(|annex| Annexed { annex: *annex, rows: Vec::new() }).collect();
    for page in concerned.chunks(PAGE) {
        let ids: Vec<&str> = page.iter().map(SmolStr::as_str).collect();
        for loaded in cases::load(tx, &ids).await? {
            add_case(&mut annexes, &loaded, form, rulebook, period)?;
        }
    }
    for annexed in &mut annexes {
        annexed.rows.sort();
    }
    Ok(annexes)
}

fn add_case(
    annexes: &mut [Annexed],
    loaded: &Loaded,
    form: &Form,
    rulebook: &Rulebook,
    period: Period,
) -> Result<(), Error> {
    let facts = CaseFacts::decode(&loaded.facts)
        .map_err(|source| Error::Facts { case: loaded.case_id.clone(), source })?;
    let view = fold(&loaded.case_id, &facts, rulebook);
    if !is_taken(&view, form) {
        return Ok(());
    }
    let is_within = |at: Timestamp| (period.from..period.to).contains(&rulebook.day(at));
    for annexed in annexes {
        match annexed.annex {
            Annex::Corrected => annexed.rows.extend(corrections(&view, rulebook, &is_within)),
            annex => {
                let steps =
                    view.rounds.iter().flat_map(|round| round.steps.iter().map(move |step| (round, step)));
                let within = steps.filter(|(_, step)| is_within(step.counted_at));
                annexed.rows.extend(within.filter_map(|(round, step)| {
                    row(annex, &view.case, (round, responsible(round, step)), step, rulebook)
                }));
            }
        }
    }
    Ok(())
}

fn is_taken(view: &View, form: &Form) -> bool {
    let any = |list: &[SmolStr], of: &SmolStr| list.is_empty() || list.contains(of);
    view.registered
        && any(&form.only.hotline, &view.hotline)
        && any(&form.only.case_type, &view.attributes.case_type)
}

/// Who led the case at a step, or had closed it by then.
fn responsible<'r>(round: &'r Round, step: &Step) -> &'r str {
    let lead = step.lead.map(|lead| &round.custodies[lead].department);
    let closer = || round.closing.as_ref().and_then(|closing| closing.department.as_ref());
    lead.or_else(closer).map_or("-", SmolStr::as_str)
}

/// The row of a step that belongs into an annex.
fn row(
    annex: Annex,
    case: &str,
    (round, department): (&Round, &str),
    step: &Step,
    rulebook: &Rulebook,
) -> Option<Vec<String>> {
    let on = rulebook.day(step.counted_at).to_string();
    let row = match (annex, &step.body) {
        (Annex::Excluded, Body::Ruled(ruled)) if ruled.effect == RulingEffect::Exclude => {
            let texts = [
                case,
                &on,
                &ruled.indicator,
                ruled.effect.name(),
                &ruled.reason,
                &ruled.document,
                ruled.department.as_deref().unwrap_or(department),
                ruled.by.as_deref().unwrap_or("-"),
            ];
            texts.map(str::to_owned).to_vec()
        }
        (Annex::Extended, Body::Extended { stage, grant, by }) => {
            let granted = match grant {
                Grant::Limit(count, unit) => format!("{count} {}", unit.name()),
                Grant::Until(until) => format!("→ {}", rulebook.day(*until)),
            };
            let (round, by) = (round.number.to_string(), by.as_deref().unwrap_or("-"));
            [case, &on, stage, &granted, &round, department, by].map(str::to_owned).to_vec()
        }
        _ => return None,
    };
    Some(row)
}

/// The corrections that act, in the order in which they count: one that was taken back, or that names nothing, corrected nothing.
fn corrections(view: &View, rulebook: &Rulebook, is_within: &impl Fn(Timestamp) -> bool) -> Vec<Vec<String>> {
    let row = |correction: &Correction| {
        let change = match correction.change {
            Changed::Voided => "void",
            Changed::Moved(_) => "time",
            Changed::Restated => "data",
        };
        let day = |at| rulebook.day(at).to_string();
        let (on, was) = (day(correction.at), day(correction.claimed_at));
        [&view.case, &*on, correction.kind.name(), change, &was, &correction.source]
            .map(str::to_owned)
            .to_vec()
    };
    view.corrections.iter().filter(|correction| is_within(correction.at)).map(row).collect()
}

pub(crate) fn to_json(annexes: &[Annexed]) -> Value {
    annexes.iter().map(|annexed| json!({ "annex": annexed.annex.name(), "rows": annexed.rows })).collect()
}

/// What [`to_json`] wrote; what is none of it is left out.
pub(crate) fn from_json(value: &Value) -> Vec<Annexed> {
    let annexed = |value: &Value| {
        let annex = Annex::ALL.into_iter().find(|annex| value["annex"] == annex.name())?;
        Some(Annexed { annex, rows: serde_json::from_value(value["rows"].clone()).ok()? })
    };
    value.as_array().into_iter().flatten().filter_map(annexed).collect()
}
