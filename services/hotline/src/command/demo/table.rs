//! What the demonstration prints: the figures, a ranking, and where to look next.

use std::io::Write as _;
use std::path::Path;

use hotline_core::rate::Row;
use hotline_core::rulebook::Rulebook;
use hotline_demo::report::{DEPARTMENT, FIGURES, Figure, Side};
use unicode_width::UnicodeWidthStr as _;

use super::said;
use crate::command::rates::percent;
use crate::command::send::Counts;
use crate::global::Lang;
use crate::roles::Addresses;

/// Departments of the ranking.
const RANKED: usize = 10;

/// Prints the figures and a ranking; true if every figure is that of the report.
pub fn print(rows: &[Row], rulebook: &Rulebook, counts: Counts, lang: Lang) -> anyhow::Result<bool> {
    let mut out = std::io::stdout().lock();
    let Counts { applied, duplicate, .. } = counts;
    match lang {
        Lang::Zh => writeln!(
            out,
            "2023年：{} 个事件，其中重复 {}\n",
            thousands(applied + duplicate),
            thousands(duplicate)
        )?,
        Lang::En => writeln!(
            out,
            "2023: {} events, {} of them duplicates\n",
            thousands(applied + duplicate),
            thousands(duplicate)
        )?,
    }
    let mut lines = vec![["figure", "report", "pipeline", "", "definition"].map(str::to_owned).to_vec()];
    if lang == Lang::Zh {
        lines[0] = ["指标", "报道", "系统", "", "口径"].map(str::to_owned).to_vec();
    }
    let mut all_hold = true;
    for figure in FIGURES {
        let read = figure.read(rows, rulebook);
        let holds = read == Some(figure.reported);
        all_hold &= holds;
        let differs = if holds { "" } else { said(lang, "  ← 不一致", "  <- differs") };
        lines.push(vec![
            said(lang, figure.name_zh, figure.name_en).to_owned(),
            shown(figure, Some(figure.reported), lang),
            shown(figure, read, lang),
            figure.row(rows).filter(|_| figure.side == Side::Percent).map_or_else(String::new, quotient),
            format!("{}{differs}", definition(figure, lang)),
        ]);
    }
    write_aligned(&mut out, &lines, &[1, 2])?;
    writeln!(
        out,
        "\n{}\n",
        said(
            lang,
            "12345 满意率全市前十（投诉，不分组）与按时办结率（全部诉求）",
            "12345: the ten of all departments with the most satisfied callers (complaints), and closed on time (all cases)"
        )
    )?;
    write_aligned(&mut out, &ranking(rows, rulebook, lang), &[0, 2, 3, 4, 5])?;
    writeln!(out)?;
    out.flush()?;
    Ok(all_hold)
}

fn shown(figure: &Figure, value: Option<i64>, lang: Lang) -> String {
    let Some(value) = value else { return said(lang, "无数据", "no data").to_owned() };
    match (figure.side, lang) {
        (Side::Percent, _) => format!("{value} %"),
        (Side::Place, Lang::Zh) => format!("第 {value}"),
        (Side::Place, Lang::En) => format!("no. {value}"),
        _ => thousands(u64::try_from(value).unwrap_or(0)),
    }
}

fn quotient(row: &Row) -> String {
    let side = |value: i64| thousands(u64::try_from(value / row.scale).unwrap_or(0));
    format!("{} / {} = {}", side(row.numerator), side(row.denominator), percent(row).unwrap_or_default())
}

/// Which row of a bulletin it is.
fn definition(figure: &Figure, lang: Lang) -> String {
    let side = match figure.side {
        Side::Numerator => said(lang, "分子", "numerator"),
        Side::Denominator => said(lang, "分母", "denominator"),
        Side::Percent => said(lang, "比值", "share"),
        Side::Place => said(lang, "全市排名（不分组）", "rank among all departments"),
    };
    let case_type = figure.case_type.map_or_else(String::new, |case_type| format!(" {case_type}"));
    format!("{} {side}: {DEPARTMENT} {}{case_type}", figure.rate, figure.hotline)
}

/// The departments with the highest satisfaction, with their on-time closure beside it.
fn ranking(rows: &[Row], rulebook: &Rulebook, lang: Lang) -> Vec<Vec<String>> {
    let place = FIGURES.iter().find(|figure| figure.side == Side::Place).expect("the report has a place");
    let mut ranked: Vec<&Row> = place.ranked(rows, rulebook).collect();
    ranked.sort_by(|a, b| b.compare(a).then_with(|| a.department.cmp(&b.department)));
    let heading = match lang {
        Lang::Zh => ["名次", "单位", "满意 / 评价", "满意率", "按时 / 应办结", "按时办结率"],
        Lang::En => ["rank", "department", "satisfied", "share", "closed on time", "share"],
    };
    let mut lines = vec![heading.map(str::to_owned).to_vec()];
    for row in ranked.iter().take(RANKED) {
        let higher = ranked.iter().filter(|other| other.compare(row).is_gt()).count();
        let name = rulebook.departments.get(&row.department).map(|department| match lang {
            Lang::Zh => department.name_zh.as_str(),
            Lang::En => department.name_en.as_str(),
        });
        let on_time = rows.iter().find(|other| {
            other.rate == "on_time_closure.due"
                && other.department == row.department
                && other.hotline == row.hotline
                && other.case_type.is_none()
        });
        let sides = |row: &Row| format!("{} / {}", row.numerator, row.denominator);
        lines.push(vec![
            (higher + 1).to_string(),
            name.unwrap_or(&row.department).to_owned(),
            sides(row),
            percent(row).unwrap_or_default(),
            on_time.map_or_else(String::new, sides),
            on_time.and_then(percent).unwrap_or_default(),
        ]);
    }
    lines
}

/// Columns as wide as their widest cell on a terminal, where Chinese characters take two places.
fn write_aligned(
    out: &mut impl std::io::Write,
    lines: &[Vec<String>],
    right: &[usize],
) -> std::io::Result<()> {
    for line in lines {
        let mut text = String::new();
        for (column, cell) in line.iter().enumerate() {
            let widest = lines.iter().map(|line| line[column].width()).max().unwrap_or(0);
            let fill = " ".repeat(widest - cell.width());
            let (before, after) =
                if right.contains(&column) { (fill.as_str(), "") } else { ("", fill.as_str()) };
            if widest > 0 {
                text.extend([before, cell, after, "  "]);
            }
        }
        writeln!(out, "{}", text.trim_end())?;
    }
    Ok(())
}

/// Digits in groups of three.
fn thousands(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Where to look while it stays up.
pub fn print_addresses(addresses: Addresses, dir: &Path, lang: Lang) -> anyhow::Result<()> {
    let Addresses { gateway, audit, ops } = addresses;
    let audit = audit.map(|audit| audit.to_string()).unwrap_or_default();
    let gateway = gateway.map(|gateway| gateway.to_string()).unwrap_or_default();
    let dir = dir.display();
    let lines = [
        (
            said(lang, "一件工单及其全部时限计算", "a case with the arithmetic of its clocks"),
            format!("HOTLINE__DATA__DIR={dir} hotline explain {}", hotline_demo::EXAMPLE),
        ),
        (
            said(lang, "同上，JSON", "the same as JSON"),
            format!("curl http://{gateway}/v1/cases/{}", hotline_demo::EXAMPLE),
        ),
        (
            said(lang, "停电：300个来电并入的一件", "the power cut, into which 300 calls were merged"),
            format!("curl http://{gateway}/v1/cases/{}", hotline_demo::OUTAGE),
        ),
        (
            said(lang, "指标", "rates"),
            format!("curl 'http://{gateway}/v1/rates?rate=signing&period=2023-01-01..2024-01-01'"),
        ),
        (
            said(lang, "办结工单（供审计查询）", "closed cases, as auditors look for them"),
            format!("curl 'http://{audit}/v1/closures?verdict=late&limit=5'"),
        ),
        (
            said(lang, "审计页面（浏览器打开）", "pages for auditors, in a browser"),
            format!("http://{audit}/audit"),
        ),
        (
            said(lang, "健康与度量", "health, metrics"),
            format!("curl http://{ops}/readyz http://{ops}/metrics"),
        ),
        (
            said(lang, "在此数据上执行命令", "commands on this data"),
            format!("HOTLINE__DATA__DIR={dir} hotline tallies check"),
        ),
    ];
    let lines: Vec<Vec<String>> = lines.into_iter().map(|(what, how)| vec![what.to_owned(), how]).collect();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}\n", said(lang, "保持运行，按 Ctrl-C 结束", "It stays up until Ctrl-C."))?;
    write_aligned(&mut out, &lines, &[])?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_groups_of_three() {
        let shown: Vec<String> = [0, 80, 999, 1_619, 43_482, 1_000_000].map(thousands).into();
        assert_eq!(shown, ["0", "80", "999", "1,619", "43,482", "1,000,000"]);
    }
}
