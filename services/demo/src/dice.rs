//! Chance from a seed, the same on every machine.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore as _, SeedableRng as _};

#[derive(Debug)]
pub(crate) struct Dice(Xoshiro256PlusPlus);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// A number below `end`; 0 for an end of 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        // The high half of the product: the bias is far below what a year of cases shows.
        u64::try_from((u128::from(self.0.next_u64()) * u128::from(end)) >> 64).unwrap_or(0)
    }

    /// A number from `first` to `last`, both included.
    pub(crate) fn between(&mut self, first: i64, last: i64) -> i64 {
        let span = u64::try_from(last - first + 1).unwrap_or(1);
        first + i64::try_from(self.below(span)).unwrap_or(0)
    }

    /// True in so many cases of a thousand.
    pub(crate) fn in_thousand(&mut self, cases: u64) -> bool {
        self.below(1000) < cases
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let place = usize::try_from(self.below(from.len() as u64)).unwrap_or(0);
        &from[place]
    }

    /// One of the values, each as often as its weight says.
    pub(crate) fn weighted<T: Copy>(&mut self, from: &[(T, u64)]) -> T {
        let mut left = self.below(from.iter().map(|(_, weight)| weight).sum());
        for (value, weight) in from {
            if left < *weight {
                return *value;
            }
            left -= weight;
        }
        from[0].0
    }
}

/// Cards of which so many of so many say yes, shuffled anew each time they are used up: a share that holds not
/// on average but for every run of cards, within one pack.
#[derive(Debug)]
pub(crate) struct Deck {
    yes: u64,
    of: u64,
    yes_left: u64,
    left: u64,
}

impl Deck {
    pub(crate) fn new((yes, of): (u64, u64)) -> Self {
        Self { yes, of, yes_left: yes, left: of }
    }

    pub(crate) fn draw(&mut self, dice: &mut Dice) -> bool {
        if self.left == 0 {
            (self.yes_left, self.left) = (self.yes, self.of);
        }
        let yes = dice.below(self.left) < self.yes_left;
        self.left -= 1;
        self.yes_left -= u64::from(yes);
        yes
    }
}
