//! Shares as people read them, from integers.

use hotline_events::Lang;

/// `99.33 %`, rounded half up; without a denominator a dash.
pub(super) fn percent(numerator: i64, denominator: i64) -> String {
    if denominator <= 0 {
        return "–".to_owned();
    }
    let (numerator, denominator) = (i128::from(numerator), i128::from(denominator));
    let hundredths = (numerator * 20_000 + denominator).div_euclid(2 * denominator);
    let sign = if hundredths < 0 { "−" } else { "" };
    let hundredths = hundredths.abs();
    format!("{sign}{}.{:02} %", hundredths / 100, hundredths % 100)
}

/// `99.33 %（597/601）`; without a denominator a dash.
pub(super) fn of((numerator, denominator, scale): (i64, i64, i64), lang: Lang) -> String {
    let (value, integers) =
        (percent(numerator, denominator), [numerator, denominator].map(|it| units(it, scale)));
    lang.of(format!("{value}（{}）", integers.join("/")), format!("{value} ({})", integers.join("/")))
}

/// A number in units of 1/scale, with no more digits than it needs.
pub(super) fn units(number: i64, scale: i64) -> String {
    if scale <= 1 {
        return number.to_string();
    }
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let text = format!("{:.3}", number as f64 / scale as f64);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_rounded_half_up_from_integers() {
        assert_eq!(percent(597, 601), "99.33 %");
        assert_eq!(percent(1, 3), "33.33 %");
        assert_eq!(percent(2, 3), "66.67 %");
        assert_eq!(percent(1, 8), "12.50 %");
        assert_eq!(percent(1, 16), "6.25 %");
        assert_eq!(percent(1, 20_000), "0.01 %");
        assert_eq!(percent(0, 5), "0.00 %");
        assert_eq!(percent(3, 0), "–");
    }

    #[test]
    fn parts_of_a_unit_are_told_as_parts() {
        assert_eq!([units(7, 1), units(7, 2), units(8, 4)], ["7", "3.5", "2"]);
    }
}
