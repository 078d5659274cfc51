//! Random sequences of what may happen to casework, each from a number, on a real database: events that are sent,
//! doubled, spoilt and shuffled, owners that die before and after a commit, answers that are lost, dead letters that go
//! back, rulebooks that change in the middle. After each sequence nothing is lost and nothing counted twice.
//!
//! `HOTLINE_SIMULATIONS` says how many; a failure prints the number of its sequence, and `HOTLINE_SIMULATION` runs
//! that one alone. Sequences that once found a fault are run always.

mod check;
mod events;
mod world;

use std::sync::Arc;

use hotline_core::rulebook::{Files, Rulebook, load};
use tokio::task::JoinSet;
use world::World;

/// Sequences where nothing else is said.
const SEQUENCES: u64 = 300;
/// Databases that are simulated on at once.
const WORLDS: u64 = 2;
/// Sequences that found a fault, and what it was.
const FOUND: &[u64] = &[];

/// A random number and the next; the same everywhere.
#[derive(Clone, Debug)]
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1_e995_1234_5678)
    }

    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.roll() % count as u64).expect("it is below a usize")
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn pick<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[self.below(all.len())]
    }

    fn shuffle<T>(&mut self, all: &mut [T]) {
        for at in (1..all.len()).rev() {
            all.swap(at, self.below(at + 1));
        }
    }
}

/// A rulebook with this limit for closing.
fn rulebook(limit: u32) -> (Files, Arc<Rulebook>) {
    let mut files = crate::tests::files();
    let text = |path: &str, text: String| (path.to_owned(), text.into_bytes());
    let policy = |stage: &str, start: &str, stop: &str, more: &str| {
        format!(
            "[[policy]]\nid = \"{stage}\"\ncalendar = \"cn\"\nmatch = {{ hotline = \"12345\" }}\nstage = \"{stage}\"\n\
             scope = \"custody\"\nstart = \"{start}\"\nstop = [\"{stop}\"]\nlimit = {limit}\nunit = \"working_day\"\n\
             alarms = [{{ at = \"2%\", level = \"notice\" }}, {{ at = \"50%\", level = \"warning\" }}, {{ after = \"0 hour\", level = \"breach\" }}]\n\
             basis = \"article 1\"\n{more}\n"
        )
    };
    let source = |id: &str, dispatch: &str, mode: &str| {
        format!(
            "[[source]]\nid = \"{id}\"\nhotline = \"12345\"\nname = \"source\"\nmode = \"{mode}\"\ndispatch = {dispatch}\n"
        )
    };
    let rate = |basis: &str| {
        format!(
            "[[rate]]\nid = \"{basis}\"\nversion = 1\nname = {{ zh = \"率\", en = \"rate\" }}\nbasis = \"{basis}\"\n\
             numerator = [\"each.close.met\", \"each.sign.met\", \"each.rated_5\", \"returned\", \"reopened\"]\n\
             denominator = [\"each.close.late\", \"each.close.left_late\", \"each.close.void\", \"each.close.open\", \"each.sign.late\", \
             \"received\", \"dispatched\", \"each.rated_not_asked\", \"excluded.each.close.late\"]\n\n"
        )
    };
    let close = policy(
        "close",
        "dispatched",
        "closed",
        "closure = true\nholds = [\"parked\"]\nextension = { times_max = 1 }\nreturn = { times_max = 2 }",
    );
    let sources = [
        source(events::HOTLINE, "\"hotline\"", "events"),
        source(events::PIPELINE, "\"pipeline\"", "events"),
        source(events::LATER, "{ after = \"30 minute\" }", "events"),
        // What it says of days ago counts: alarms of those days are missed.
        source(events::SHEETS, "\"hotline\"\nbackdate_max = \"100 hour\"", "snapshots"),
    ];
    files.extend([
        text("policies/close.toml", close + &policy("sign", "dispatched", "signed", "")),
        text("sources/city.toml", sources.concat()),
        text("rates/all.toml", ["received", "dispatched", "closed", "due", "rated", "event"].map(rate).concat()),
        text(
            "departments.csv",
            "code,name_zh,name_en,parent,group,valid_from,valid_until,successor\nHL,热线办,Office,,,,,\nD1,甲,A,,,,,\nD2,乙,B,,,,,\n".to_owned(),
        ),
    ]);
    let loaded = load(&files).unwrap_or_else(|faults| panic!("{faults:?}"));
    (files, Arc::new(loaded.rulebook))
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var_os(name)?.into_string().unwrap_or_default();
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_nothing_is_lost_and_nothing_counted_twice() {
    let numbers: Vec<u64> = if let Some(one) = number("HOTLINE_SIMULATION") {
        vec![one]
    } else {
        let first = number("HOTLINE_SIMULATIONS_FROM").unwrap_or(0);
        let count = number("HOTLINE_SIMULATIONS").unwrap_or(SEQUENCES);
        FOUND.iter().copied().chain(first..first + count).collect()
    };
    let numbers = Arc::new(numbers);
    let mut worlds = JoinSet::new();
    for nth in 0..WORLDS {
        let numbers = Arc::clone(&numbers);
        worlds.spawn(async move {
            let mut world = World::new().await;
            let mine = numbers.iter().enumerate().filter(|(at, _)| *at as u64 % WORLDS == nth);
            for (_, number) in mine {
                world.begin(*number).await;
                let told = world.live().await;
                if let Err(fault) = check::check(&mut world).await {
                    panic!("sequence {number}: {fault}\nHOTLINE_SIMULATION={number}\n{}", told.join("\n"));
                }
            }
            world.tally
        });
    }
    let mut tally = world::Tally::default();
    while let Some(done) = worlds.join_next().await {
        tally.add(&done.expect("a world does not panic otherwise than by a fault"));
    }
    println!("{} sequences: {tally:?}", numbers.len());
    if numbers.len() >= 100 {
        tally.assert_that_all_happened();
    }
}
