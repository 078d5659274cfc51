//! What an event says, member by member.

use jiff::Timestamp;
use smol_str::SmolStr;

use super::EncodingError;
use super::io::{Reader, Writer};
use crate::fact::{
    Amended, Amounts, Body, Change, Code, Corrected, Dispatched, Grant, Kind, OwnLimit, Pin, Rated, Received,
    Role, Ruled, RulingEffect, Solved, Unit,
};

const UNITS: [Unit; 5] =
    [Unit::Hour, Unit::WorkingHour, Unit::RoundClockHour, Unit::CalendarDay, Unit::WorkingDay];
const ROLES: [Role; 3] = [Role::Lead, Role::Co, Role::Sub];
const SOLVED: [Solved; 3] = [Solved::Yes, Solved::Partly, Solved::No];
const EFFECTS: [RulingEffect; 4] =
    [RulingEffect::Exclude, RulingEffect::Met, RulingEffect::Failed, RulingEffect::Restore];

/// Writes the place of `value` in a list that only ever grows at its end.
fn place<T: PartialEq>(writer: &mut Writer, list: &[T], value: &T) {
    let place = list.iter().position(|known| known == value).expect("the lists hold every variant");
    writer.number(place as u64);
}

fn pick<T: Copy>(reader: &mut Reader<'_>, list: &[T]) -> Result<T, EncodingError> {
    let place = usize::try_from(reader.number()?).unwrap_or(usize::MAX);
    list.get(place).copied().ok_or_else(|| reader.malformed("an unknown variant"))
}

fn write_code(writer: &mut Writer, code: Option<&Code>) {
    writer.optional(code, Writer::string);
}

fn read_code(reader: &mut Reader<'_>) -> Result<Option<SmolStr>, EncodingError> {
    reader.optional(Reader::string)
}

fn write_amounts(writer: &mut Writer, amounts: &Amounts) {
    writer.number(amounts.len() as u64);
    for (name, fen) in amounts {
        writer.string(name);
        writer.signed(*fen);
    }
}

fn read_amounts(reader: &mut Reader<'_>) -> Result<Amounts, EncodingError> {
    reader.list(|reader| Ok((reader.string()?, reader.signed()?)))
}

fn write_limit(writer: &mut Writer, limit: u32, unit: Unit) {
    writer.number(u64::from(limit));
    place(writer, &UNITS, &unit);
}

fn read_limit(reader: &mut Reader<'_>) -> Result<(u32, Unit), EncodingError> {
    Ok((reader.small()?, pick(reader, &UNITS)?))
}

/// A limit, or an instant: own limits and grants alike.
fn write_term(writer: &mut Writer, term: Result<(u32, Unit), Timestamp>) {
    writer.flag(term.is_ok());
    match term {
        Ok((limit, unit)) => write_limit(writer, limit, unit),
        Err(at) => writer.instant(at),
    }
}

fn read_term(reader: &mut Reader<'_>) -> Result<Result<(u32, Unit), Timestamp>, EncodingError> {
    if reader.flag()? { Ok(Ok(read_limit(reader)?)) } else { Ok(Err(reader.instant()?)) }
}

fn write_own(writer: &mut Writer, own: Option<OwnLimit>) {
    writer.optional(own, |writer, own| match own {
        OwnLimit::Limit(limit, unit) => write_term(writer, Ok((limit, unit))),
        OwnLimit::DueAt(at) => write_term(writer, Err(at)),
    });
}

fn read_own(reader: &mut Reader<'_>) -> Result<Option<OwnLimit>, EncodingError> {
    reader.optional(|reader| {
        Ok(match read_term(reader)? {
            Ok((limit, unit)) => OwnLimit::Limit(limit, unit),
            Err(at) => OwnLimit::DueAt(at),
        })
    })
}

fn write_grant(writer: &mut Writer, grant: Grant) {
    match grant {
        Grant::Limit(limit, unit) => write_term(writer, Ok((limit, unit))),
        Grant::Until(at) => write_term(writer, Err(at)),
    }
}

fn read_grant(reader: &mut Reader<'_>) -> Result<Grant, EncodingError> {
    Ok(match read_term(reader)? {
        Ok((limit, unit)) => Grant::Limit(limit, unit),
        Err(at) => Grant::Until(at),
    })
}

fn write_received(writer: &mut Writer, received: &Received) {
    writer.string(&received.case_type);
    writer.strings(&received.category);
    for code in [
        &received.region,
        &received.number,
        &received.channel,
        &received.origin_hotline,
        &received.origin_number,
        &received.contact,
    ] {
        write_code(writer, code.as_ref());
    }
    let reporter_tag = received.reporter_tag.as_ref().filter(|_| !writer.nameless);
    write_code(writer, reporter_tag);
    writer.number(u64::from(received.persons));
    writer.string(&received.urgency);
    writer.flag(received.anonymous);
    writer.flag(received.confidential);
    writer.flag(received.reply_wanted);
    writer.strings(&received.tags);
    write_amounts(writer, &received.amounts);
    write_own(writer, received.own_limit);
}

fn read_received(reader: &mut Reader<'_>) -> Result<Received, EncodingError> {
    Ok(Received {
        case_type: reader.string()?,
        category: reader.strings()?,
        region: read_code(reader)?,
        number: read_code(reader)?,
        channel: read_code(reader)?,
        origin_hotline: read_code(reader)?,
        origin_number: read_code(reader)?,
        contact: read_code(reader)?,
        reporter_tag: read_code(reader)?,
        persons: reader.small()?,
        urgency: reader.string()?,
        anonymous: reader.flag()?,
        confidential: reader.flag()?,
        reply_wanted: reader.flag()?,
        tags: reader.strings()?,
        amounts: read_amounts(reader)?,
        own_limit: read_own(reader)?,
    })
}

fn write_amended(writer: &mut Writer, amended: &Amended) {
    write_code(writer, amended.case_type.as_ref());
    writer.optional(amended.category.as_ref(), |writer, category| writer.strings(category));
    write_code(writer, amended.region.as_ref());
    write_code(writer, amended.urgency.as_ref());
    writer.optional(amended.tags.as_ref(), |writer, tags| writer.strings(tags));
    writer.optional(amended.confidential, Writer::flag);
}

fn read_amended(reader: &mut Reader<'_>) -> Result<Amended, EncodingError> {
    Ok(Amended {
        case_type: read_code(reader)?,
        category: reader.optional(Reader::strings)?,
        region: read_code(reader)?,
        urgency: read_code(reader)?,
        tags: reader.optional(Reader::strings)?,
        confidential: reader.optional(Reader::flag)?,
    })
}

fn write_dispatched(writer: &mut Writer, dispatched: &Dispatched) {
    writer.string(&dispatched.department);
    write_code(writer, dispatched.from.as_ref());
    place(writer, &ROLES, &dispatched.role);
    write_code(writer, dispatched.reason.as_ref());
    write_code(writer, dispatched.basis.as_ref());
    write_own(writer, dispatched.own_limit);
    writer.optional(dispatched.pin.as_ref(), |writer, pin| {
        writer.key(pin.slot);
        writer.string(&pin.rule);
        writer.string(&pin.rulebook);
    });
}

fn read_dispatched(reader: &mut Reader<'_>) -> Result<Dispatched, EncodingError> {
    Ok(Dispatched {
        department: reader.string()?,
        from: read_code(reader)?,
        role: pick(reader, &ROLES)?,
        reason: read_code(reader)?,
        basis: read_code(reader)?,
        own_limit: read_own(reader)?,
        pin: reader.optional(|reader| {
            Ok(Pin { slot: reader.key()?, rule: reader.string()?, rulebook: reader.string()? })
        })?,
    })
}

fn write_rated(writer: &mut Writer, rated: &Rated) {
    writer.flag(rated.reached);
    write_code(writer, rated.method.as_ref());
    writer.number(rated.satisfaction.map_or(0, u64::from));
    writer.number(rated.aspects.len() as u64);
    for (name, grade) in &rated.aspects {
        writer.string(name);
        writer.number(u64::from(*grade));
    }
    writer.optional(rated.solved, |writer, solved| place(writer, &SOLVED, &solved));
    writer.number(u64::from(rated.attempt));
}

fn read_rated(reader: &mut Reader<'_>) -> Result<Rated, EncodingError> {
    let reached = reader.flag()?;
    let method = read_code(reader)?;
    let satisfaction = Some(reader.grade()?).filter(|grade| *grade > 0);
    let aspects = reader.list(|reader| Ok((reader.string()?, reader.grade()?)))?;
    let solved = reader.optional(|reader| pick(reader, &SOLVED))?;
    Ok(Rated { reached, method, satisfaction, aspects, solved, attempt: reader.small()? })
}

fn write_ruled(writer: &mut Writer, ruled: &Ruled) {
    writer.string(&ruled.indicator);
    place(writer, &EFFECTS, &ruled.effect);
    writer.string(&ruled.reason);
    writer.string(&ruled.document);
    write_code(writer, ruled.by.as_ref());
    writer.optional(ruled.round, |writer, round| writer.number(u64::from(round)));
    write_code(writer, ruled.department.as_ref());
}

fn read_ruled(reader: &mut Reader<'_>) -> Result<Ruled, EncodingError> {
    Ok(Ruled {
        indicator: reader.string()?,
        effect: pick(reader, &EFFECTS)?,
        reason: reader.string()?,
        document: reader.string()?,
        by: read_code(reader)?,
        round: reader.optional(Reader::small)?,
        department: read_code(reader)?,
    })
}

fn write_corrected(writer: &mut Writer, corrected: &Corrected) {
    writer.key(corrected.target);
    place(writer, Kind::ALL, &corrected.target_kind);
    match &corrected.change {
        Change::Void => writer.flag(true),
        Change::Replace { body, time } => {
            writer.flag(false);
            writer.optional(body.as_deref(), write);
            writer.optional(*time, Writer::instant);
        }
    }
}

fn read_corrected(reader: &mut Reader<'_>, depth: u8) -> Result<Corrected, EncodingError> {
    Ok(Corrected {
        target: reader.key()?,
        target_kind: pick(reader, Kind::ALL)?,
        change: if reader.flag()? {
            Change::Void
        } else {
            Change::Replace {
                body: reader.optional(|reader| read_at(reader, depth + 1).map(Box::new))?,
                time: reader.optional(Reader::instant)?,
            }
        },
    })
}

/// Writes the place of the kind among all kinds, then its members in the order of their declaration.
pub(super) fn write(writer: &mut Writer, body: &Body) {
    place(writer, Kind::ALL, &body.kind());
    match body {
        Body::Received(received) => write_received(writer, received),
        Body::Amended(amended) => write_amended(writer, amended),
        Body::Supplemented { new_facts } => writer.flag(*new_facts),
        Body::Linked { kind, case } => {
            writer.string(kind);
            writer.string(case);
        }
        Body::Dispatched(dispatched) => write_dispatched(writer, dispatched),
        Body::Signed { department, automatic: flag } | Body::Replied { department, preliminary: flag } => {
            writer.string(department);
            writer.flag(*flag);
        }
        Body::Contacted { department, reached } => {
            writer.string(department);
            writer.optional(*reached, Writer::flag);
        }
        Body::Accepted { department } => write_code(writer, department.as_ref()),
        Body::Refused { department, ground } => {
            write_code(writer, department.as_ref());
            writer.string(ground);
        }
        Body::ReturnRequested { department, reason } | Body::Returned { department, reason } => {
            writer.string(department);
            write_code(writer, reason.as_ref());
        }
        Body::ReturnRefused { department, reason, is_final } => {
            writer.string(department);
            write_code(writer, reason.as_ref());
            writer.flag(*is_final);
        }
        Body::ExtensionRequested { stage, grant, by } | Body::Extended { stage, grant, by } => {
            writer.string(stage);
            write_grant(writer, *grant);
            write_code(writer, by.as_ref());
        }
        Body::ExtensionRefused { stage, by } => {
            writer.string(stage);
            write_code(writer, by.as_ref());
        }
        Body::Held { reason, stages, until } => {
            writer.string(reason);
            writer.strings(stages);
            writer.optional(*until, Writer::instant);
        }
        Body::Verified { result, amounts } => {
            writer.string(result);
            write_amounts(writer, amounts);
        }
        Body::Submitted { department, outcome, amounts } => {
            writer.string(department);
            write_code(writer, outcome.as_ref());
            write_amounts(writer, amounts);
        }
        Body::Closed { department, by, outcome, amounts } => {
            writer.string(department);
            write_code(writer, by.as_ref());
            write_code(writer, outcome.as_ref());
            write_amounts(writer, amounts);
        }
        Body::Merged { into, reason } => {
            writer.string(into);
            write_code(writer, reason.as_ref());
        }
        Body::Split { into } => writer.strings(into),
        Body::Released { reason: code }
        | Body::Notified { of: code }
        | Body::CloseRefused { department: code }
        | Body::Reopened { reason: code }
        | Body::Acknowledged { alarm: code }
        | Body::Appealed { indicator: code } => writer.string(code),
        Body::Withdrawn { by } | Body::Urged { by } => write_code(writer, by.as_ref()),
        Body::Rated(rated) => write_rated(writer, rated),
        Body::Supervised { kind, by, own_limit } => {
            write_code(writer, kind.as_ref());
            write_code(writer, by.as_ref());
            write_own(writer, *own_limit);
        }
        Body::SupervisionAnswered { kind, by } => {
            write_code(writer, kind.as_ref());
            write_code(writer, by.as_ref());
        }
        Body::Ruled(ruled) => write_ruled(writer, ruled),
        Body::Milestone { name, result } => {
            writer.string(name);
            write_code(writer, result.as_ref());
        }
        Body::Snapshot(_) => unreachable!("a snapshot is kept as its source's newest, never as a fact"),
        Body::Corrected(corrected) => write_corrected(writer, corrected),
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Body, EncodingError> {
    read_at(reader, 0)
}

/// A correction of a correction of … is cut off before it could exhaust the stack.
fn read_at(reader: &mut Reader<'_>, depth: u8) -> Result<Body, EncodingError> {
    if depth > 8 {
        return Err(reader.malformed("corrections nested too deeply"));
    }
    let kind = pick(reader, Kind::ALL)?;
    Ok(match kind {
        Kind::Received => Body::Received(Box::new(read_received(reader)?)),
        Kind::Amended => Body::Amended(Box::new(read_amended(reader)?)),
        Kind::Supplemented => Body::Supplemented { new_facts: reader.flag()? },
        Kind::Linked => Body::Linked { kind: reader.string()?, case: reader.string()? },
        Kind::Dispatched => Body::Dispatched(Box::new(read_dispatched(reader)?)),
        Kind::Signed => Body::Signed { department: reader.string()?, automatic: reader.flag()? },
        Kind::Contacted => {
            Body::Contacted { department: reader.string()?, reached: reader.optional(Reader::flag)? }
        }
        Kind::Replied => Body::Replied { department: reader.string()?, preliminary: reader.flag()? },
        Kind::Accepted => Body::Accepted { department: read_code(reader)? },
        Kind::Refused => Body::Refused { department: read_code(reader)?, ground: reader.string()? },
        Kind::ReturnRequested => {
            Body::ReturnRequested { department: reader.string()?, reason: read_code(reader)? }
        }
        Kind::ReturnRefused => Body::ReturnRefused {
            department: reader.string()?,
            reason: read_code(reader)?,
            is_final: reader.flag()?,
        },
        Kind::Returned => Body::Returned { department: reader.string()?, reason: read_code(reader)? },
        Kind::ExtensionRequested => Body::ExtensionRequested {
            stage: reader.string()?,
            grant: read_grant(reader)?,
            by: read_code(reader)?,
        },
        Kind::ExtensionRefused => Body::ExtensionRefused { stage: reader.string()?, by: read_code(reader)? },
        Kind::Extended => {
            Body::Extended { stage: reader.string()?, grant: read_grant(reader)?, by: read_code(reader)? }
        }
        Kind::Held => Body::Held {
            reason: reader.string()?,
            stages: reader.strings()?,
            until: reader.optional(Reader::instant)?,
        },
        Kind::Verified => Body::Verified { result: reader.string()?, amounts: read_amounts(reader)? },
        Kind::Submitted => Body::Submitted {
            department: reader.string()?,
            outcome: read_code(reader)?,
            amounts: read_amounts(reader)?,
        },
        Kind::Closed => Body::Closed {
            department: reader.string()?,
            by: read_code(reader)?,
            outcome: read_code(reader)?,
            amounts: read_amounts(reader)?,
        },
        Kind::Merged => Body::Merged { into: reader.string()?, reason: read_code(reader)? },
        Kind::Split => Body::Split { into: reader.strings()? },
        Kind::Rated => Body::Rated(Box::new(read_rated(reader)?)),
        Kind::Supervised => Body::Supervised {
            kind: read_code(reader)?,
            by: read_code(reader)?,
            own_limit: read_own(reader)?,
        },
        Kind::SupervisionAnswered => {
            Body::SupervisionAnswered { kind: read_code(reader)?, by: read_code(reader)? }
        }
        Kind::Ruled => Body::Ruled(Box::new(read_ruled(reader)?)),
        Kind::Milestone => Body::Milestone { name: reader.string()?, result: read_code(reader)? },
        Kind::Corrected => Body::Corrected(Box::new(read_corrected(reader, depth)?)),
        Kind::Snapshot => return Err(reader.malformed("a snapshot among the facts")),
        Kind::Released
        | Kind::Notified
        | Kind::CloseRefused
        | Kind::Withdrawn
        | Kind::Reopened
        | Kind::Urged
        | Kind::Acknowledged
        | Kind::Appealed => read_one_code(reader, kind)?,
    })
}

fn read_one_code(reader: &mut Reader<'_>, kind: Kind) -> Result<Body, EncodingError> {
    Ok(match kind {
        Kind::Withdrawn => Body::Withdrawn { by: read_code(reader)? },
        Kind::Urged => Body::Urged { by: read_code(reader)? },
        Kind::Released => Body::Released { reason: reader.string()? },
        Kind::Notified => Body::Notified { of: reader.string()? },
        Kind::CloseRefused => Body::CloseRefused { department: reader.string()? },
        Kind::Reopened => Body::Reopened { reason: reader.string()? },
        Kind::Acknowledged => Body::Acknowledged { alarm: reader.string()? },
        _ => Body::Appealed { indicator: reader.string()? },
    })
}
