//! Numbers as they are printed: rounded once, from integers, half up.

use hotline_core::bulletin::Sums;

/// `units / 10^decimals`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decimal {
    pub units: i64,
    pub decimals: u8,
}

impl Decimal {
    /// `numerator / denominator`, rounded half up; the denominator is greater than 0.
    fn of(numerator: i128, denominator: i128, decimals: u8) -> Self {
        let scaled = numerator * 10_i128.pow(u32::from(decimals));
        let units = (2 * scaled + denominator).div_euclid(2 * denominator);
        Self { units: i64::try_from(units).unwrap_or(i64::MAX), decimals }
    }

    /// A sum in units of 1/`scale`; two decimals at least where these are no whole numbers.
    pub fn count(sum: i64, scale: i64, decimals: u8) -> Self {
        let decimals = if scale == 1 { decimals } else { decimals.max(2) };
        Self::of(sum.into(), scale.into(), decimals)
    }

    /// A rate in percent; 100 only where it is true. None without data.
    pub fn percent(sums: Sums, decimals: u8) -> Option<Self> {
        let value = Self::quotient(Sums { numerator: sums.numerator.checked_mul(100)?, ..sums }, decimals)?;
        let whole = 100 * 10_i64.pow(decimals.into());
        let is_short = sums.numerator < sums.denominator;
        Some(Self { units: if is_short { value.units.min(whole - 1) } else { value.units }, decimals })
    }

    /// A rate as it is. None without data.
    pub fn quotient(sums: Sums, decimals: u8) -> Option<Self> {
        (sums.denominator > 0).then(|| Self::of(sums.numerator.into(), sums.denominator.into(), decimals))
    }

    /// How much more the first rate is than the second, times `factor`. None where either has no data.
    pub fn difference(of: Sums, from: Sums, factor: i64, decimals: u8) -> Option<Self> {
        if of.denominator <= 0 || from.denominator <= 0 {
            return None;
        }
        let cross = |a: i64, b: i64| i128::from(a) * i128::from(b);
        let more = cross(of.numerator, from.denominator) - cross(from.numerator, of.denominator);
        let whole = cross(of.denominator, from.denominator);
        // Half away from zero, so that a gain and the same loss look alike.
        let size = Self::of(more.abs().checked_mul(factor.into())?, whole, decimals);
        Some(Self { units: if more < 0 { -size.units } else { size.units }, decimals })
    }

    #[expect(clippy::cast_possible_truncation, reason = "points and reported sums are far below 2^53")]
    pub fn rounded(value: f64, decimals: u8) -> Self {
        Self { units: (value * 10_f64.powi(decimals.into())).round() as i64, decimals }
    }

    pub fn to_f64(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "what is printed has few digits")]
        let units = self.units as f64;
        units / 10_f64.powi(self.decimals.into())
    }
}

impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.units < 0 { "-" } else { "" };
        let (units, one) = (self.units.unsigned_abs(), 10_u64.pow(self.decimals.into()));
        match self.decimals {
            0 => write!(f, "{sign}{units}"),
            decimals => write!(f, "{sign}{}.{:0width$}", units / one, units % one, width = decimals.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(numerator: i64, denominator: i64) -> Sums {
        Sums { numerator, denominator, scale: 1 }
    }

    #[test]
    fn a_hundred_percent_is_printed_only_where_it_is_true() {
        let shown = |numerator, denominator| {
            Decimal::percent(sums(numerator, denominator), 2).map(|percent| percent.to_string())
        };
        assert_eq!(shown(597, 601).as_deref(), Some("99.33"));
        assert_eq!(shown(99_999, 100_000).as_deref(), Some("99.99"));
        assert_eq!(shown(1, 1).as_deref(), Some("100.00"));
        assert_eq!(shown(3, 2).as_deref(), Some("150.00"));
        assert_eq!(shown(0, 5).as_deref(), Some("0.00"));
        assert_eq!(shown(0, 0), None);
        let whole = Decimal::percent(sums(199, 200), 0).map(|percent| percent.to_string());
        assert_eq!(whole.as_deref(), Some("99"), "99.5 is no 100");
    }

    #[test]
    fn differences_are_of_fractions_and_not_of_what_was_rounded() {
        let shown = |a, b| Decimal::difference(a, b, 100, 2).map(|more| more.to_string());
        assert_eq!(shown(sums(2, 3), sums(1, 3)).as_deref(), Some("33.33"));
        assert_eq!(shown(sums(1, 3), sums(2, 3)).as_deref(), Some("-33.33"));
        assert_eq!(shown(sums(1, 2), sums(2, 4)).as_deref(), Some("0.00"));
        assert_eq!(shown(sums(1, 2), sums(0, 0)), None);
    }

    #[test]
    fn weighted_sums_show_their_halves() {
        assert_eq!(Decimal::count(7, 1, 0).to_string(), "7");
        assert_eq!(Decimal::count(7, 2, 0).to_string(), "3.50");
        assert_eq!(Decimal::count(-7, 2, 0).to_string(), "-3.50");
    }
}
