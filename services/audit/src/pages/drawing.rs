//! The clocks of a round, drawn: who held it, what was counted, what was not, where the deadline lay. What is drawn stands in
//! words beside it.

use hotline_core::deadline::{Piece, Skip};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// In the units of the drawing, which is as wide as the page.
const WIDTH: f64 = 1_000.0;
const LABELS: f64 = 210.0;
const MARGIN: f64 = 30.0;
const LANE: f64 = 34.0;
const HEAD: f64 = 26.0;
/// Cells that fit before a lane.
const LABEL_CELLS: usize = 32;
/// Marks of facts that are nearer than this are one.
const NEAR: f64 = 16.0;
const TICKS_MAX: i64 = 9;

/// A drawing, its places in text so that every browser reads the same number.
#[derive(Debug)]
pub(super) struct Drawing {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) height: String,
    pub(super) foot: String,
    pub(super) ticks: Vec<Tick>,
    pub(super) marks: Vec<Mark>,
    pub(super) lanes: Vec<Lane>,
}

#[derive(Debug)]
pub(super) struct Tick {
    pub(super) x: String,
    pub(super) text: String,
}

/// Facts of about the same time, by their numbers in the table.
#[derive(Debug)]
pub(super) struct Mark {
    pub(super) x: String,
    pub(super) text: String,
}

#[derive(Debug)]
pub(super) struct Lane {
    pub(super) label: String,
    pub(super) label_y: String,
    pub(super) bar_y: String,
    pub(super) bars: Vec<Bar>,
    pub(super) due: Option<Due>,
    pub(super) stop: Option<Stop>,
    pub(super) line_y: String,
}

#[derive(Debug)]
pub(super) struct Bar {
    pub(super) class: &'static str,
    pub(super) x: String,
    pub(super) width: String,
    pub(super) title: String,
}

#[derive(Debug)]
pub(super) struct Due {
    pub(super) x: String,
    pub(super) top: String,
    pub(super) bottom: String,
    pub(super) text: String,
    pub(super) text_x: String,
    pub(super) text_y: String,
    pub(super) anchor: &'static str,
}

#[derive(Debug)]
pub(super) struct Stop {
    pub(super) x: String,
    pub(super) y: String,
    pub(super) title: String,
}

/// What a lane says, in instants.
#[derive(Debug)]
pub(super) struct Span {
    pub(super) label: String,
    /// Class, from, to, in words.
    pub(super) bars: Vec<(&'static str, Timestamp, Timestamp, String)>,
    /// With what is written beside it.
    pub(super) due: Option<(Timestamp, String)>,
    pub(super) stop: Option<(Timestamp, String)>,
}

/// From instants to places.
struct Scale<'z> {
    from: Timestamp,
    to: Timestamp,
    zone: &'z TimeZone,
}

impl Scale<'_> {
    fn x(&self, at: Timestamp) -> f64 {
        let whole = self.to.duration_since(self.from).as_secs_f64().max(1.0);
        let part = at.duration_since(self.from).as_secs_f64();
        LABELS + (part / whole).clamp(0.0, 1.0) * (WIDTH - LABELS - MARGIN)
    }

    /// Midnights, or hours where the time is short.
    fn ticks(&self) -> Vec<Tick> {
        const HOURS: [i64; 13] = [1, 2, 3, 6, 12, 24, 48, 96, 168, 336, 720, 1_440, 2_880];
        let hours = self.to.duration_since(self.from).as_hours().max(1);
        let step = HOURS.into_iter().find(|step| hours / step <= TICKS_MAX).unwrap_or(hours / TICKS_MAX);
        let format = if step < 24 { "%m-%d %H:%M" } else { "%Y-%m-%d" };
        let begin = self.zone.to_datetime(self.from).date().at(0, 0, 0, 0);
        let at = |n: i64| begin.checked_add((n * step).hours()).ok();
        let place = |local: DateTime| self.zone.to_timestamp(local).ok().map(|at| (local, at));
        (0..)
            .map_while(at)
            .filter_map(place)
            .skip_while(|(_, at)| *at < self.from)
            .take_while(|(_, at)| *at <= self.to)
            .map(|(local, at)| Tick { x: text(self.x(at)), text: local.strftime(format).to_string() })
            .collect()
    }
}

fn text(number: f64) -> String {
    format!("{number:.1}")
}

/// Draws lanes over a time; `facts` are the instants of numbered facts, in order.
pub(super) fn draw(
    id: String,
    title: String,
    (from, to): (Timestamp, Timestamp),
    zone: &TimeZone,
    facts: &[Timestamp],
    spans: Vec<Span>,
) -> Drawing {
    // Some room before the first and after the last.
    let room = SignedDuration::from_secs((to.duration_since(from).as_secs() / 40).max(600));
    let scale =
        Scale { from: from.checked_sub(room).unwrap_or(from), to: to.checked_add(room).unwrap_or(to), zone };
    let marks = marks(&scale, facts);
    let lanes: Vec<Lane> = spans.into_iter().enumerate().map(|(nth, span)| lane(&scale, nth, span)).collect();
    #[expect(clippy::cast_precision_loss, reason = "some dozens")]
    let foot = HEAD + lanes.len() as f64 * LANE;
    Drawing {
        id,
        title,
        height: text(foot + 22.0),
        foot: text(foot + 16.0),
        ticks: scale.ticks(),
        marks,
        lanes,
    }
}

/// Numbers of facts above the lanes; those that would stand on each other together.
fn marks(scale: &Scale<'_>, facts: &[Timestamp]) -> Vec<Mark> {
    let mut groups: Vec<(f64, usize, usize)> = Vec::new();
    for (nth, at) in facts.iter().enumerate() {
        let x = scale.x(*at);
        match groups.last_mut() {
            Some((begin, _, last)) if x - *begin < NEAR + 8.0 => *last = nth,
            _ => groups.push((x, nth, nth)),
        }
    }
    let told = |(x, first, last): (f64, usize, usize)| {
        let text =
            if first == last { (first + 1).to_string() } else { format!("{}–{}", first + 1, last + 1) };
        Mark { x: format!("{x:.1}"), text }
    };
    groups.into_iter().map(told).collect()
}

fn lane(scale: &Scale<'_>, nth: usize, span: Span) -> Lane {
    #[expect(clippy::cast_precision_loss, reason = "some dozens")]
    let top = HEAD + nth as f64 * LANE;
    let bar = |(class, from, to, title): (&'static str, Timestamp, Timestamp, String)| {
        let (x, end) = (scale.x(from), scale.x(to));
        Bar { class, x: text(x), width: text((end - x).max(1.0)), title }
    };
    let due = span.due.map(|(at, words)| {
        let x = scale.x(at);
        // Words stand on the side where there is room.
        let is_right = x < WIDTH - MARGIN - 170.0;
        Due {
            x: text(x),
            top: text(top + 5.0),
            bottom: text(top + LANE - 2.0),
            text: words,
            text_x: text(if is_right { x + 4.0 } else { x - 4.0 }),
            text_y: text(top + 11.0),
            anchor: if is_right { "start" } else { "end" },
        }
    });
    let stop = span.stop.map(|(at, title)| Stop { x: text(scale.x(at)), y: text(top + 21.0), title });
    Lane {
        label: shortened(&span.label),
        label_y: text(top + 25.0),
        bar_y: text(top + 15.0),
        bars: span.bars.into_iter().map(bar).collect(),
        due,
        stop,
        line_y: text(top + LANE),
    }
}

/// A label that fits before its lane.
fn shortened(label: &str) -> String {
    if label.width() <= LABEL_CELLS {
        return label.to_owned();
    }
    let mut cells = 0;
    let kept = label.chars().take_while(|c| {
        cells += c.width().unwrap_or(0);
        cells < LABEL_CELLS
    });
    kept.chain(['…']).collect()
}

/// What of a clock was counted until it ended, what was left over, what ran past the deadline. `ended_at` None: it runs
/// until `now`.
pub(super) fn bars(
    pieces: &[Piece],
    (start_at, due_at, ended_at, now): (Timestamp, Option<Timestamp>, Option<Timestamp>, Timestamp),
    told: impl Fn(&Piece) -> String,
    over: &str,
) -> Vec<(&'static str, Timestamp, Timestamp, String)> {
    let end = ended_at.unwrap_or(now);
    let mut bars = Vec::new();
    let mut put = |class, from: Timestamp, to: Timestamp, words: String| {
        if from < to {
            bars.push((class, from, to, words));
        }
    };
    for piece in pieces {
        let (class, from, to) = match piece {
            Piece::Counted { from, to, .. } => ("counted", *from, *to),
            Piece::Skipped { from, to, reason } => {
                let class = if matches!(reason, Skip::Held(_)) { "held" } else { "skipped" };
                (class, *from, to.unwrap_or(end.max(*from)))
            }
            Piece::Omitted { from, to } => ("skipped", *from, *to),
            Piece::AsSent { due_at } => ("counted", start_at, *due_at),
            _ => continue,
        };
        let to = due_at.map_or(to, |due_at| to.min(due_at));
        put(class, from, to.min(end), told(piece));
        // What was not needed is pale, whatever it would have been.
        put("unused", from.max(end), to, told(piece));
    }
    if let Some(due_at) = due_at {
        put("over", due_at.max(start_at), end, over.to_owned());
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn what_ran_past_the_deadline_is_drawn_apart_from_what_was_counted() {
        let pieces = [
            Piece::Skipped {
                from: at("2026-03-02T00:00:00Z"),
                to: Some(at("2026-03-03T00:00:00Z")),
                reason: Skip::StartDay,
            },
            Piece::Counted {
                from: at("2026-03-03T00:00:00Z"),
                to: at("2026-03-05T00:00:00Z"),
                amount: hotline_core::deadline::Amount::Days(2),
                unit: hotline_core::fact::Unit::WorkingDay,
                make_up: None,
            },
        ];
        let drawn = |ended_at| {
            let span = (
                at("2026-03-02T00:00:00Z"),
                Some(at("2026-03-05T00:00:00Z")),
                Some(at(ended_at)),
                at(ended_at),
            );
            let bars = bars(&pieces, span, |_| String::new(), "");
            bars.into_iter()
                .map(|(class, from, to, _)| (class, to.duration_since(from).as_hours()))
                .collect::<Vec<_>>()
        };
        assert_eq!(drawn("2026-03-04T00:00:00Z"), [("skipped", 24), ("counted", 24), ("unused", 24)]);
        assert_eq!(drawn("2026-03-06T00:00:00Z"), [("skipped", 24), ("counted", 48), ("over", 24)]);
    }

    #[test]
    fn a_drawing_has_a_few_ticks_however_long_it_is() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        for (to, most) in
            [("2026-03-02T03:00:00Z", 10), ("2026-03-20T00:00:00Z", 10), ("2028-03-02T00:00:00Z", 12)]
        {
            let span = (at("2026-03-02T00:00:00Z"), at(to));
            let drawing = draw("r".to_owned(), String::new(), span, &zone, &[span.0, span.1], Vec::new());
            assert!((2..=most).contains(&drawing.ticks.len()), "{to}: {:?}", drawing.ticks);
            assert_eq!(drawing.marks.len(), 2);
        }
    }

    #[test]
    fn facts_of_one_time_share_a_mark() {
        let zone = TimeZone::UTC;
        let facts = [at("2026-03-02T00:00:00Z"), at("2026-03-02T00:00:01Z"), at("2026-03-09T00:00:00Z")];
        let drawing = draw("r".to_owned(), String::new(), (facts[0], facts[2]), &zone, &facts, Vec::new());
        let texts: Vec<&str> = drawing.marks.iter().map(|mark| mark.text.as_str()).collect();
        assert_eq!(texts, ["1–2", "3"]);
    }
}
