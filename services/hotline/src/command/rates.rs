//! What `replay` and `bulletin` share: the question, and how rows are printed.

use std::io::Write;

use anyhow::Context;
use hotline_core::fact::Code;
use hotline_core::rank::Standing;
use hotline_core::rate::{ALL, Answer, Query, Row};
use hotline_core::rulebook::Rulebook;
use hotline_core::score::NOBODY;
use hotline_rates::row::{self, number};

use unicode_width::UnicodeWidthStr as _;

use crate::global::Lang;

/// Which rates, of whom, for which days.
#[derive(Clone, Debug, clap::Args)]
pub struct Ask {
    /// Ids of rates and scores, separated by commas.
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

/// Prints an answer to standard output.
pub fn print_answer(
    answer: &Answer,
    query: &Query<'_>,
    rulebook: &Rulebook,
    (format, lang): (Format, Lang),
) -> anyhow::Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if format == Format::Json {
        let rows = row::answer(answer, query.from, query.to);
        let rows = serde_json::to_string_pretty(&rows).context("the rows cannot be written")?;
        writeln!(out, "{rows}")?;
        return Ok(out.flush()?);
    }
    let words = Words { rulebook, lang };
    let for_people = format == Format::Table;
    let mut lines = Vec::new();
    lines.extend(answer.rows.iter().map(|row| words.row(row, query, for_people)));
    lines.extend(answer.standings.iter().map(|standing| words.standing(standing, query, for_people)));
    if for_people {
        table(&lines, query, &words, &mut out)?;
    } else {
        writeln!(out, "{}", HEADING.join(","))?;
        for line in &lines {
            writeln!(out, "{}", line.each_ref().map(|cell| quoted(cell)).join(","))?;
        }
    }
    Ok(out.flush()?)
}

const HEADING: [&str; 12] = [
    "rate",
    "from",
    "to",
    "department",
    "hotline",
    "case_type",
    "numerator",
    "denominator",
    "value",
    "group",
    "rank",
    "name",
];

/// The same in Chinese, for people only: programs read the words above.
const HEADING_ZH: [&str; 12] = [
    "指标",
    "起",
    "止（不含）",
    "承办单位",
    "热线",
    "诉求类型",
    "分子",
    "分母",
    "比率",
    "分组",
    "排名",
    "名称",
];

type Line = [String; HEADING.len()];

struct Words<'a> {
    rulebook: &'a Rulebook,
    lang: Lang,
}

impl Words<'_> {
    fn row(&self, row: &Row, query: &Query<'_>, for_people: bool) -> Line {
        // A spreadsheet wants a number, and an empty cell where there is none.
        let value = row.value().map(|value| value.to_string()).unwrap_or_default();
        [
            row.rate.to_string(),
            query.from.to_string(),
            query.to.to_string(),
            row.department.to_string(),
            row.hotline.as_deref().unwrap_or_default().to_owned(),
            row.case_type.as_deref().unwrap_or_default().to_owned(),
            number(row.numerator, row.scale).to_string(),
            number(row.denominator, row.scale).to_string(),
            if for_people { self.percent(row) } else { value },
            row.group.as_deref().unwrap_or_default().to_owned(),
            row.rank.map(|rank| rank.to_string()).unwrap_or_default(),
            self.name(&row.department),
        ]
    }

    fn standing(&self, standing: &Standing, query: &Query<'_>, for_people: bool) -> Line {
        let points = standing.points;
        [
            standing.score.to_string(),
            query.from.to_string(),
            query.to.to_string(),
            standing.department.to_string(),
            standing.hotline.as_deref().unwrap_or_default().to_owned(),
            standing.case_type.as_deref().unwrap_or_default().to_owned(),
            String::new(),
            String::new(),
            if for_people { format!("{points:.2}") } else { points.to_string() },
            standing.group.as_deref().unwrap_or_default().to_owned(),
            standing.rank.map(|rank| rank.to_string()).unwrap_or_default(),
            self.name(&standing.department),
        ]
    }

    /// What people call a department; nothing where the rulebook does not know it.
    fn name(&self, department: &Code) -> String {
        let known = self.rulebook.departments.get(department);
        match (department.as_str(), self.lang) {
            (ALL, Lang::Zh) => "合计".to_owned(),
            (ALL, Lang::En) => "all".to_owned(),
            (NOBODY, Lang::Zh) => "未派单".to_owned(),
            (NOBODY, Lang::En) => "nobody".to_owned(),
            (_, Lang::Zh) => known.map(|known| known.name_zh.clone()).unwrap_or_default(),
            (_, Lang::En) => known.map(|known| known.name_en.clone()).unwrap_or_default(),
        }
    }

    fn percent(&self, row: &Row) -> String {
        match (percent(row), self.lang) {
            (Some(percent), _) => percent,
            (None, Lang::Zh) => "无数据".to_owned(),
            (None, Lang::En) => "no data".to_owned(),
        }
    }
}

/// A spreadsheet must not take a code for a formula.
fn quoted(cell: &str) -> String {
    let risky = cell.starts_with(['=', '+', '@', '\t']) || (cell.starts_with('-') && cell.len() > 1);
    let cell = if risky { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains([',', '"', '\n']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

/// Two decimals, rounded half up; but 100 % is printed only where it is true. None without data.
pub fn percent(row: &Row) -> Option<String> {
    if row.denominator == 0 {
        return None;
    }
    let (numerator, denominator) = (i128::from(row.numerator), i128::from(row.denominator));
    let rounded = (numerator * 20_000 + denominator).div_euclid(2 * denominator);
    let hundredths = if numerator < denominator { rounded.min(9_999) } else { rounded };
    Some(format!("{}.{:02} %", hundredths / 100, (hundredths % 100).abs()))
}

fn table(lines: &[Line], query: &Query<'_>, words: &Words<'_>, out: &mut impl Write) -> std::io::Result<()> {
    let heading = if words.lang == Lang::Zh { HEADING_ZH } else { HEADING };
    let lines: Vec<&Line> = lines.iter().collect();
    let heading = heading.map(str::to_owned);
    let lines = [&heading].into_iter().chain(lines).collect::<Vec<_>>();
    let is_ranked = lines.iter().skip(1).any(|line| !line[10].is_empty());
    let shown: Vec<usize> = (0..HEADING.len())
        .filter(|column| match column {
            4 => query.by.hotline,
            5 => query.by.case_type,
            9 | 10 => is_ranked,
            _ => true,
        })
        .collect();
    let width = |column: usize| lines.iter().map(|line| line[column].width()).max().unwrap_or(0);
    for line in &lines {
        let cells = shown.iter().map(|column| {
            let cell = &line[*column];
            let blank = " ".repeat(width(*column) - cell.width());
            if (6..9).contains(column) || *column == 10 {
                format!("{blank}{cell}")
            } else {
                format!("{cell}{blank}")
            }
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
                group: None,
                rank: None,
            })
        };
        assert_eq!(shown(2, 3).as_deref(), Some("66.67 %"));
        assert_eq!(shown(597, 601).as_deref(), Some("99.33 %"));
        assert_eq!(shown(99_999, 100_000).as_deref(), Some("99.99 %"));
        assert_eq!(shown(1, 1).as_deref(), Some("100.00 %"));
        assert_eq!(shown(0, 5).as_deref(), Some("0.00 %"));
        assert_eq!(shown(0, 0), None);
    }
}
