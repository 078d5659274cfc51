//! What was told of deadlines: a row for each time a rung was raised, missed or withdrawn. Append-only.

use std::collections::BTreeMap;

use hotline_core::alarm::Alarm;
use hotline_core::alarm::telling::{LATE_MAX, Telling, Told, Withdrawal};
use hotline_core::fact::EventKey;
use hotline_core::rulebook::{Level, Tier};
use jiff::Timestamp;
use smol_str::SmolStr;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::copy::Rows;
use crate::error::Error;
use crate::sql_types::At;

/// From when on this database tells alarms; what fell due before is noted only. What the rules in force cause is caused
/// by their activation: nobody is told of what would have fallen due long before it.
pub async fn told_from(tx: &mut PgConnection) -> Result<Timestamp, Error> {
    let row = sqlx::query(
        "/* alarms::told_from */ SELECT (SELECT max(alarms_from) FROM installation),
            (SELECT activated_at FROM rulebooks ORDER BY seq DESC LIMIT 1)",
    )
    .fetch_one(tx)
    .await
    .map_err(Error::database("alarms::told_from"))?;
    let [from, activated_at] = [0, 1].map(|column| row.get::<Option<At>, _>(column).map(|at| at.0));
    let activated_at = activated_at.and_then(|at| at.checked_sub(LATE_MAX).ok());
    Ok(from.max(activated_at).unwrap_or(Timestamp::MIN))
}

/// What was told last of each rung of these cases, in the order in which they fell due. It is asked case by case: a plan
/// that was made while the table was small would read all of it, over and over, while it grows.
pub async fn last_told(tx: &mut PgConnection, cases: &[&str]) -> Result<BTreeMap<SmolStr, Vec<Told>>, Error> {
    let rows = sqlx::query(
        "/* alarms::last_told */ SELECT c.case_id, a.* FROM unnest($1::text[]) AS c (case_id),
            LATERAL (SELECT DISTINCT ON (alarm) n, telling, why, round, stage, tier, custody,
                            coalesce(rung_name, rung::text), due_at, fell_due_at, deliver_at, level, department
                       FROM alarms WHERE alarms.case_id = c.case_id ORDER BY alarm, n DESC) AS a",
    )
    .bind(cases)
    .fetch_all(tx)
    .await
    .map_err(Error::database("alarms::last_told"))?;
    let mut told: BTreeMap<SmolStr, Vec<Told>> = BTreeMap::new();
    for row in &rows {
        told.entry(row.get::<&str, _>(0).into()).or_default().push(read(row)?);
    }
    for rungs in told.values_mut() {
        rungs.sort_by_cached_key(|told| (told.alarm.at, told.alarm.id()));
    }
    Ok(told)
}

fn read(row: &PgRow) -> Result<Told, Error> {
    let unknown = |column: &'static str| Error::Malformed { what: column };
    let telling = match row.get::<&str, _>(2) {
        "raised" => Telling::Raised,
        "missed" => Telling::Missed,
        _ => {
            let why = row.get::<Option<&str>, _>(3).unwrap_or_default();
            let why = Withdrawal::ALL.into_iter().find(|known| known.code() == why);
            Telling::Withdrawn(why.ok_or(unknown("an alarm's why"))?)
        }
    };
    let custody: Option<[u8; 16]> = match row.get::<Option<&[u8]>, _>(7) {
        Some(key) => Some(key.try_into().map_err(|_| unknown("an alarm's custody"))?),
        None => None,
    };
    let alarm = Alarm {
        round: u32::try_from(row.get::<i32, _>(4)).map_err(|_| unknown("an alarm's round"))?,
        stage: row.get::<&str, _>(5).into(),
        tier: Tier::parse(row.get(6)).ok_or(unknown("an alarm's tier"))?,
        custody: custody.map(EventKey),
        rung: row.get::<&str, _>(8).into(),
        place: row.get::<&str, _>(8).parse().unwrap_or_default(),
        due_at: row.get::<At, _>(9).0,
        at: row.get::<At, _>(10).0,
        deliver_at: row.get::<At, _>(11).0,
        level: Level::parse(row.get(12)).ok_or(unknown("an alarm's level"))?,
        to: row.get::<Option<&str>, _>(13).map(SmolStr::from),
        is_over: false,
    };
    Ok(Told { alarm, n: u16::try_from(row.get::<i16, _>(1)).map_err(|_| unknown("an alarm's n"))?, telling })
}

/// All that was told of a case by an instant, in order, with the instant of each telling.
pub async fn of_case(
    tx: &mut PgConnection,
    case: &str,
    by: Timestamp,
) -> Result<Vec<(Timestamp, Told)>, Error> {
    let rows = sqlx::query(
        "/* alarms::of_case */ SELECT case_id, n, telling, why, round, stage, tier, custody,
                coalesce(rung_name, rung::text), due_at, fell_due_at, deliver_at, level, department, told_at
           FROM alarms WHERE case_id = $1 AND told_at <= $2 ORDER BY told_at, fell_due_at, alarm, n",
    )
    .bind(case)
    .bind(At(by))
    .fetch_all(tx)
    .await
    .map_err(Error::database("alarms::of_case"))?;
    rows.iter().map(|row| Ok((row.get::<At, _>(14).0, read(row)?))).collect()
}

/// An alarm of an open case that was raised and not withdrawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub case_id: SmolStr,
    pub told_at: Timestamp,
    pub told: Told,
}

/// The alarms that stand on open cases, the newest first; of one department, of one level, or of all.
pub async fn standing(
    tx: &mut PgConnection,
    department: Option<&str>,
    level: Option<&str>,
    limit: i64,
) -> Result<Vec<Standing>, Error> {
    let rows = sqlx::query(
        "/* alarms::standing */ SELECT a.case_id, a.n, a.telling, a.why, a.round, a.stage, a.tier, a.custody, coalesce(a.rung_name, a.rung::text),
                a.due_at, a.fell_due_at, a.deliver_at, a.level, a.department, a.told_at
           FROM alarms AS a JOIN cases USING (case_id)
          WHERE a.telling = 'raised' AND cases.closed_at IS NULL
            AND ($1::text IS NULL OR a.department = $1) AND ($2::text IS NULL OR a.level = $2)
            AND NOT EXISTS (SELECT FROM alarms AS b
                             WHERE b.case_id = a.case_id AND b.alarm = a.alarm AND b.n > a.n)
          ORDER BY a.told_at DESC, a.case_id, a.alarm LIMIT $3",
    )
    .bind(department)
    .bind(level)
    .bind(limit)
    .fetch_all(tx)
    .await
    .map_err(Error::database("alarms::standing"))?;
    rows.iter()
        .map(|row| {
            let case_id = row.get::<&str, _>(0).into();
            Ok(Standing { case_id, told_at: row.get::<At, _>(14).0, told: read(row)? })
        })
        .collect()
}

/// Notes what is told of cases.
pub async fn append(tx: &mut PgConnection, told: &[(SmolStr, Told)], now: Timestamp) -> Result<(), Error> {
    let mut rows = Rows::new(16);
    for (case, Told { alarm, n, telling }) in told {
        let why = match telling {
            Telling::Withdrawn(why) => Some(why.code()),
            Telling::Raised | Telling::Missed => None,
        };
        rows.row()
            .text(case)
            .text(&alarm.id())
            .short(i16::try_from(*n).unwrap_or(i16::MAX))
            .text(telling.name())
            .optional_text(why)
            .at(now)
            .small(i32::try_from(alarm.round).unwrap_or(i32::MAX))
            .text(&alarm.stage)
            .text(alarm.tier.name())
            .optional_bytes(alarm.custody.as_ref().map(|key| key.0.as_slice()))
            .text(&alarm.rung)
            .at(alarm.due_at)
            .at(alarm.at)
            .at(alarm.deliver_at)
            .text(alarm.level.name())
            .optional_text(alarm.to.as_deref());
    }
    let statement =
        "/* alarms::append */ COPY alarms (case_id, alarm, n, telling, why, told_at, round, stage, tier,
        custody, rung_name, due_at, fell_due_at, deliver_at, level, department) FROM STDIN (FORMAT binary)";
    rows.send(tx, "alarms::append", statement).await
}
