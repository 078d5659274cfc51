//! Parts of a case told on their own: pages set them beside tables and drawings.

use hotline_core::calendar::Calendar;
use hotline_core::deadline::Piece;
use hotline_core::fact::{Kind, RulingEffect};
use hotline_core::fold::{Clock, Step, View};
use hotline_core::rulebook::Rulebook;
use jiff::Timestamp;

use super::{Telling, told};
use crate::details;
use crate::words::{self, Lang};

/// A clock with its arithmetic: each line with how deep it stands, the first at 0.
pub fn clock(
    view: &View,
    rulebook: &Rulebook,
    clock: &Clock,
    as_of: Timestamp,
    lang: Lang,
) -> Vec<(usize, String)> {
    let mut telling = Telling { view, rulebook, as_of, lang, text: String::new() };
    // Writing to a string cannot fail.
    let _ = telling.clock(clock);
    let depth = |line: &str| (line.len() - line.trim_start().len()) / 2;
    telling.text.lines().map(|line| (depth(line).saturating_sub(1), line.trim_start().to_owned())).collect()
}

/// One step of the arithmetic of a clock.
pub fn piece(piece: &Piece, calendar: &Calendar, lang: Lang) -> String {
    told(piece, calendar, lang)
}

/// A type of event in the words of the case's hotline.
pub fn kind(view: &View, rulebook: &Rulebook, kind: Kind, lang: Lang) -> String {
    Telling { view, rulebook, as_of: Timestamp::UNIX_EPOCH, lang, text: String::new() }.kind(kind)
}

/// What a fact says beyond its type and department.
pub fn details(step: &Step, rulebook: &Rulebook, lang: Lang) -> String {
    let effect = match step.body.kind() {
        Kind::Ruled => step.body.code().and_then(RulingEffect::parse),
        _ => None,
    };
    let code = match effect {
        Some(effect) => Some(words::effect(effect, lang).to_owned()),
        None => step.body.code().map(|code| words::code(code, lang).to_owned()),
    };
    let local = |at| super::local(at, &rulebook.timezone);
    let details = details::of(&step.body);
    let told = details.iter().map(|detail| detail.told(rulebook, lang, local));
    let told: Vec<String> = code.into_iter().chain(told).collect();
    told.join(lang.of("，", ", "))
}
