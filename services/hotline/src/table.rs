//! Tables for people: columns as wide as their widest cell, numbers to the right.

use std::io::{self, Write as _};

use unicode_width::UnicodeWidthStr as _;

/// Prints rows under a heading.
pub fn print<const N: usize>(
    heading: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in lines(heading, rows) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// The same as CSV, for programs.
pub fn print_csv<const N: usize>(
    heading: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> anyhow::Result<()> {
    let mut out = csv::Writer::from_writer(io::stdout().lock());
    out.write_record(heading)?;
    for row in rows {
        out.write_record(row)?;
    }
    Ok(out.flush()?)
}

fn lines<const N: usize>(heading: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> Vec<String> {
    let rows: Vec<[String; N]> = rows.into_iter().collect();
    let is_number = |cell: &String| cell.is_empty() || cell.parse::<f64>().is_ok();
    let numbers: Vec<bool> = (0..N).map(|column| rows.iter().all(|row| is_number(&row[column]))).collect();
    let all: Vec<[String; N]> = [heading.map(str::to_owned)].into_iter().chain(rows).collect();
    let widths: Vec<usize> =
        (0..N).map(|column| all.iter().map(|row| row[column].width()).max().unwrap_or(0)).collect();
    let padded = |row: &[String; N]| {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let space = " ".repeat(widths[column] - cell.width());
            if numbers[column] { format!("{space}{cell}") } else { format!("{cell}{space}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    all.iter().map(padded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_sign_takes_two_columns_and_numbers_stand_to_the_right() {
        let row = |name: &str, count: &str| [name.to_owned(), count.to_owned()];
        let lines = lines(["name", "count"], [row("住建局", "7"), row("a", "1200")]);
        assert_eq!(lines, ["name    count", "住建局      7", "a        1200"]);
    }
}
