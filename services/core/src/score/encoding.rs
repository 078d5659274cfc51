//! The bytes in which a score is stored with its case: versioned like the facts.

use jiff::civil::Date;

use super::{Contribution, Days, OpenClock, OpenClocks, Score};
use crate::calendar::Day;
use crate::encoding::EncodingError;
use crate::encoding::io::{Reader, Writer};
use crate::fact::{Code, Role};
use crate::measure::{Part, parse_tally_name, tally_name};
use crate::rulebook::Basis;

/// The version that is written.
const VERSION: u8 = 2;

/// Why stored bytes are not a score.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ScoreError {
    #[error("a score of a newer program: version {found}, this one reads up to {VERSION}")]
    Newer { found: u8 },
    #[error("a stored score cannot be read: {0}")]
    Malformed(#[from] EncodingError),
}

impl ScoreError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Newer { .. } => "score_newer",
            Self::Malformed(_) => "score_malformed",
        }
    }
}

const ROLES: [Role; 3] = [Role::Lead, Role::Co, Role::Sub];

pub(super) fn encode(score: &Score) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.string(&score.hotline);
    writer.number(score.contributions.len() as u64);
    for (contribution, value) in &score.contributions {
        write(&mut writer, contribution);
        writer.signed(*value);
    }
    writer.number(score.open_clocks.len() as u64);
    for clock in &score.open_clocks {
        write(&mut writer, &clock.contribution);
        writer.optional(clock.due_at, Writer::instant);
        writer.flag(clock.end_of_day);
        writer.flag(clock.in_review);
        writer.number(clock.holds.len() as u64);
        for (from, until) in &clock.holds {
            writer.instant(*from);
            writer.optional(*until, Writer::instant);
        }
    }
    writer.finish(VERSION)
}

pub(super) fn decode(bytes: &[u8]) -> Result<Score, ScoreError> {
    let Some(of_version_1) = version(bytes)? else { return Ok(Score::default()) };
    let mut reader = Reader::new(bytes)?;
    let hotline = reader.string()?;
    let contributions = reader.list(|reader| Ok((read(reader, of_version_1)?, reader.signed()?)))?;
    let open_clocks = reader.list(|reader| read_open(reader, of_version_1))?;
    reader.end()?;
    Ok(Score { hotline, contributions, open_clocks })
}

pub(super) fn decode_open(bytes: &[u8]) -> Result<OpenClocks, ScoreError> {
    let Some(of_version_1) = version(bytes)? else { return Ok(OpenClocks::default()) };
    let mut reader = Reader::new(bytes)?;
    let hotline = reader.string()?;
    reader.list(|reader| {
        // As `read` reads them: five places and flags, six days, the value.
        for _ in 0..=(5 + Basis::ALL.len()) {
            reader.number()?;
        }
        Ok(())
    })?;
    let clocks = reader.list(|reader| read_open(reader, of_version_1))?;
    reader.end()?;
    Ok(OpenClocks { hotline, clocks })
}

/// Whether it is version 1; None: there is no score.
fn version(bytes: &[u8]) -> Result<Option<bool>, ScoreError> {
    match bytes.first() {
        None => Ok(None),
        Some(&found @ (1 | VERSION)) => Ok(Some(found == 1)),
        Some(&found) if found > VERSION => Err(ScoreError::Newer { found }),
        Some(_) => Err(EncodingError::Malformed { what: "version 0", at: 0 }.into()),
    }
}

fn read_open(reader: &mut Reader<'_>, of_version_1: bool) -> Result<OpenClock, EncodingError> {
    Ok(OpenClock {
        contribution: read(reader, of_version_1)?,
        due_at: reader.optional(Reader::instant)?,
        end_of_day: reader.flag()?,
        in_review: reader.flag()?,
        holds: reader.list(|reader| Ok((reader.instant()?, reader.optional(Reader::instant)?)))?,
    })
}

fn write(writer: &mut Writer, contribution: &Contribution) {
    writer.string(&contribution.case_type);
    writer.string(&contribution.class);
    writer.string(&contribution.department);
    let flags = [contribution.later, contribution.earlier, contribution.excluded];
    let flags = flags.iter().enumerate().map(|(place, flag)| u64::from(*flag) << place).sum::<u64>();
    let role = ROLES.iter().position(|role| *role == contribution.role).unwrap_or(0) as u64;
    writer.number(flags | role << 3 | u64::from(contribution.settled) << 5);
    writer.string(&tally_name(&contribution.measure, Part::Each, false));
    let mut last = 0;
    for day in &contribution.days {
        match day {
            // 0 is no day: a difference is written one further from 0 than it is.
            None => writer.signed(0),
            Some(day) => {
                let day = i64::from(Day::of(*day).0);
                let difference = day - last;
                writer.signed(if difference >= 0 { difference + 1 } else { difference });
                last = day;
            }
        }
    }
}

/// Version 1 did not say whether the round was closed, and held every day that shows it.
fn read(reader: &mut Reader<'_>, of_version_1: bool) -> Result<Contribution, EncodingError> {
    let case_type: Code = reader.string()?;
    let class: Code = reader.string()?;
    let department: Code = reader.string()?;
    let flags = reader.number()?;
    let role = ROLES.get(usize::try_from(flags >> 3 & 3).unwrap_or(usize::MAX)).copied();
    let role = role.filter(|_| flags < 64);
    let role = role.ok_or_else(|| reader.malformed("an unknown role"))?;
    let (measure, _, _) = parse_tally_name(&reader.string()?);
    let mut days: Days = [None; 6];
    let mut last = 0_i64;
    for day in &mut days {
        let written = reader.signed()?;
        if written != 0 {
            let difference = if written > 0 { written - 1 } else { written };
            last = last.checked_add(difference).ok_or_else(|| reader.malformed("a day out of range"))?;
            *day = Some(read_day(reader, last)?);
        }
    }
    Ok(Contribution {
        case_type,
        class,
        department,
        role,
        measure,
        later: flags & 1 != 0,
        earlier: flags & 2 != 0,
        excluded: flags & 4 != 0,
        settled: flags & 32 != 0 || (of_version_1 && days[Basis::Closed as usize].is_some()),
        days,
    })
}

fn read_day(reader: &Reader<'_>, day: i64) -> Result<Date, EncodingError> {
    let day = i32::try_from(day).ok().filter(|day| (-700_000..=2_900_000).contains(day));
    day.map(|day| Day(day).date()).ok_or_else(|| reader.malformed("a day out of range"))
}
