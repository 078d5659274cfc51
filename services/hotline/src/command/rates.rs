//! What `replay` and `bulletin` share: the question, and how rows are printed.

use std::io::Write;

use anyhow::Context;
use hotline_core::rate::{Query, Row};
use hotline_core::rulebook::Rulebook;
use hotline_rates::row::{self, number};
use serde_json::Value;

/// Which rates, of whom, for which days.
#[derive(Clone, Debug, clap::Args)]
pub struct Ask {
    /// Ids of rates, separated by commas.
    #[arg(long, value_name = "ID[,ID]", value_delimiter = ',', required = true)]
    pub rate: Vec<String>,
    /// department[,hotline][,case_type]
    #[arg(long, default_value = "department")]
    pub by: String,
    /// Days FROM..TO, TO not included.
    #[arg(long, value_name = "FROM..TO")]
    pub period: String,
    #[arg(long, value_enum, default_value_t = Format::Json)]
    pub format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Json,
    Table,
    Csv,
}

impl Ask {
    /// The question, before a rulebook is asked.
    pub fn question(&self) -> anyhow::Result<hotline_rates::Ask> {
        Ok(hotline_rates::Ask::parse(&self.rate.join(","), &self.by, &self.period)?)
    }

    pub fn query<'a>(&self, rulebook: &'a Rulebook) -> anyhow::Result<Query<'a>> {
        Ok(self.question()?.query(rulebook)?)
    }
}

/// Prints rows to standard output.
pub fn print_rows(rows: &[Row], query: &Query<'_>, format: Format) -> anyhow::Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    match format {
        Format::Json => {
            let rows: Vec<Value> = rows.iter().map(|row| row::json(row, query.from, query.to)).collect();
            let rows = serde_json::to_string_pretty(&rows).context("the rows cannot be written")?;
            writeln!(out, "{rows}")?;
        }
        Format::Csv => {
            writeln!(out, "rate,from,to,department,hotline,case_type,numerator,denominator,value")?;
            for row in rows {
                let mut cells = cells(row, query);
                // A spreadsheet wants a number, and an empty cell where there is none.
                cells[8] = row.value().map(|value| value.to_string()).unwrap_or_default();
                writeln!(out, "{}", cells.map(|cell| quoted(&cell)).join(","))?;
            }
        }
        Format::Table => table(rows, query, &mut out)?,
    }
    Ok(out.flush()?)
}

fn cells(row: &Row, query: &Query<'_>) -> [String; 9] {
    [
        row.rate.to_string(),
        query.from.to_string(),
        query.to.to_string(),
        row.department.to_string(),
        row.hotline.as_deref().unwrap_or_default().to_owned(),
        row.case_type.as_deref().unwrap_or_default().to_owned(),
        number(row.numerator, row.scale).to_string(),
        number(row.denominator, row.scale).to_string(),
        percent(row),
    ]
}

/// A spreadsheet must not take a code for a formula.
fn quoted(cell: &str) -> String {
    let risky = cell.starts_with(['=', '+', '@', '\t']) || (cell.starts_with('-') && cell.len() > 1);
    let cell = if risky { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains([',', '"', '\n']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

/// Two decimals, rounded half up; but 100 % is printed only where it is true.
pub fn percent(row: &Row) -> String {
    if row.denominator == 0 {
        return "no data".to_owned();
    }
    let (numerator, denominator) = (i128::from(row.numerator), i128::from(row.denominator));
    let rounded = (numerator * 20_000 + denominator).div_euclid(2 * denominator);
    let hundredths = if numerator < denominator { rounded.min(9_999) } else { rounded };
    format!("{}.{:02} %", hundredths / 100, (hundredths % 100).abs())
}

fn table(rows: &[Row], query: &Query<'_>, out: &mut impl Write) -> std::io::Result<()> {
    let heading =
        ["rate", "from", "to", "department", "hotline", "case_type", "numerator", "denominator", "value"];
    let lines: Vec<[String; 9]> =
        [heading.map(str::to_owned)].into_iter().chain(rows.iter().map(|row| cells(row, query))).collect();
    let shown: Vec<usize> = (0..9)
        .filter(|column| match column {
            4 => query.by.hotline,
            5 => query.by.case_type,
            _ => true,
        })
        .collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    for line in &lines {
        let cells = shown.iter().map(|column| {
            let (cell, width) = (&line[*column], width(*column));
            if *column >= 6 { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_percent_is_printed_only_where_it_is_true() {
        let shown = |numerator, denominator| {
            percent(&Row {
                rate: "r".into(),
                version: 1,
                department: "D".into(),
                hotline: None,
                case_type: None,
                numerator,
                denominator,
                scale: 1,
            })
        };
        assert_eq!(shown(2, 3), "66.67 %");
        assert_eq!(shown(597, 601), "99.33 %");
        assert_eq!(shown(99_999, 100_000), "99.99 %");
        assert_eq!(shown(1, 1), "100.00 %");
        assert_eq!(shown(0, 5), "0.00 %");
        assert_eq!(shown(0, 0), "no data");
    }
}
