//! What boards call columns, series and codes, in both languages.

use hotline_events::words::code;

use crate::text::{Lang, Text, text};

/// The heading of a column of the views of record; none for what Grafana itself reads.
pub(crate) fn heading(column: &str) -> Option<Text> {
    Some(match column {
        "age" => text!("登记至今", "Age"),
        "at" => text!("时刻", "At"),
        "basis" => text!("按何日统计", "By the day of"),
        "best" => text!("何者为优", "Best"),
        "case_id" => text!("案件", "Case"),
        "cases" => text!("件数", "Cases"),
        "category" => text!("类别", "Category"),
        "closed_at" => text!("办结时间", "Closed at"),
        "denominator" => text!("分母", "Denominator"),
        "department" => text!("承办单位", "Department"),
        "department_group" => text!("组别", "Group"),
        "departments" => text!("涉及单位", "Departments"),
        "due_at" => text!("到期时刻", "Due at"),
        "due_on" => text!("最后期限日", "Last day in time"),
        "due_today" => text!("今日到期", "Due today"),
        "first_due" => text!("最早到期", "First due"),
        "fold_pending" | "pending" => text!("重算未完", "Fold pending"),
        "fold_version" => text!("程序版本", "Fold version"),
        "groups" => text!("组别", "Groups"),
        "high" => text!("95% 上限", "95 % up to"),
        "hours_late" => text!("已超小时", "Hours late"),
        "hours_left" => text!("剩余小时", "Hours left"),
        "hours_waiting" => text!("已等小时", "Hours waiting"),
        "in_time" => text!("限内提交", "Submitted in time"),
        "last_received_at" => text!("最近一件", "Last received"),
        "low" => text!("95% 下限", "95 % from"),
        "month" => text!("月份", "Month"),
        "name" => text!("名称", "Name"),
        "numerator" => text!("分子", "Numerator"),
        "is_open" | "open" => text!("在办", "Open"),
        "overdue" => text!("已超期", "Overdue"),
        "p50" => text!("中位数", "Median"),
        "p90" => text!("九成位", "Ninth decile"),
        "points" => text!("得分", "Points"),
        "positions" => text!("数据位点", "Positions"),
        "rank" => text!("名次", "Rank"),
        "rank_from" => text!("参排最小分母", "Ranked from"),
        "rate" => text!("指标", "Rate"),
        "rates_as_of" => text!("数据截止", "As of"),
        "reason" => text!("原因", "Reason"),
        "records" => text!("已读记录", "Records read"),
        "reporter" => text!("来电人（散列）", "Caller (hash)"),
        "rulebook_hash" => text!("规则库散列", "Rulebook hash"),
        "rulebook_seq" => text!("规则库序号", "Rulebook no."),
        "score" => text!("综合得分", "Score"),
        "sign_due_at" => text!("签收时限", "Sign by"),
        "since" => text!("自", "Since"),
        "stage" => text!("环节", "Stage"),
        "state" => text!("状态", "State"),
        "terms" => text!("权重与底线", "Weights and floors"),
        "unsigned" => text!("未签收", "Unsigned"),
        "until" => text!("至", "Until"),
        "share" | "value" => text!("比率", "Rate"),
        "version" => text!("版本", "Version"),
        "waiting_for" => text!("等待单位", "Waiting for"),
        "within_24h" => text!("24 小时内到期", "Due within 24 h"),
        _ => return None,
    })
}

/// The codes that a column may hold, in words; empty: it holds none, or those of a rulebook.
pub(crate) fn codes(column: &str, lang: Lang) -> Vec<(&'static str, String)> {
    let own = |codes: &[(&'static str, Text)]| {
        codes.iter().map(|(code, said)| (*code, said.of(lang).to_owned())).collect()
    };
    let of_events = |codes: &[&'static str]| {
        let words = match lang {
            Lang::Zh => hotline_events::Lang::Zh,
            Lang::En => hotline_events::Lang::En,
        };
        codes.iter().map(|one| (*one, code(one, words).to_owned())).collect()
    };
    match column {
        "in_time" | "is_open" | "fold_pending" => {
            own(&[("true", text!("是", "yes")), ("false", text!("否", "no"))])
        }
        "state" => {
            own(&[("asked", text!("已申请", "asked")), ("to_dispatch", text!("待重派", "to dispatch"))])
        }
        "best" => own(&[("highest", text!("高", "highest")), ("lowest", text!("低", "lowest"))]),
        "basis" => own(&[
            ("received", text!("登记", "received")),
            ("dispatched", text!("派单", "dispatched")),
            ("closed", text!("办结", "closed")),
            ("rated", text!("评价", "rated")),
            ("due", text!("到期", "due")),
            ("event", text!("发生", "event")),
        ]),
        "stage" => of_events(&[
            "sign",
            "contact",
            "reply",
            "accept",
            "verify",
            "close",
            "review",
            "dispatch",
            "follow_up",
        ]),
        "reason" => of_events(&["inspection", "parked", "recusal", "force_majeure"]),
        _ => Vec::new(),
    }
}

/// The name of a series: what stands between its labels, in words. A percentile is called the same everywhere.
pub(crate) fn legend(legend: &str, lang: Lang) -> String {
    let mut told = String::new();
    let mut rest = legend;
    while let Some((before, after)) = rest.split_once("{{") {
        let (label, after) = after.split_once("}}").expect("a label of a legend ends");
        told += &literal(before, lang);
        told.extend(["{{", label, "}}"]);
        rest = after;
    }
    told + &literal(rest, lang)
}

fn literal(text: &str, lang: Lang) -> String {
    let trimmed = text.trim();
    let said = match (trimmed, lang) {
        ("", _) | (_, Lang::En) => return text.to_owned(),
        ("overdue", _) => "已超期",
        ("due today", _) => "今日到期",
        ("files", _) => "句柄",
        ("threads", _) => "线程",
        ("up", _) => "已运行",
        ("open", _) => "在办",
        ("within 24 h", _) => "24 小时内到期",
        ("failed", _) => "失败",
        ("fenced", _) => "被接管",
        ("read", _) => "在读",
        ("halted", _) => "已停",
        ("cases", _) => "案件",
        ("deltas", _) => "增量",
        ("merged", _) => "合并",
        ("refolded", _) => "重算",
        ("records p50", _) => "记录数 p50",
        ("seconds p99", _) => "秒 p99",
        ("dispatched", _) => "派单",
        ("waiting", _) => "等待",
        ("undelivered", _) => "未投递",
        ("numbered/s", _) => "编号（每秒）",
        ("/s", _) => "（每秒）",
        ("h", _) => "小时",
        ("unnumbered", _) => "未编号",
        ("cpu", _) => "处理器",
        ("being written", _) => "正在写",
        _ => return text.to_owned(),
    };
    let (left, right) = (text.starts_with(' '), text.ends_with(' '));
    format!("{}{said}{}", if left { " " } else { "" }, if right { " " } else { "" })
}

/// A rate in words: a share in per cent, 100 only where both are equal, as a bulletin prints it; else a number.
const SHARE: &str = "CASE WHEN denominator = 0 THEN NULL WHEN numerator = denominator THEN '100.00 %' \
    WHEN numerator BETWEEN 0 AND denominator THEN to_char(least(round(100.0 * numerator / denominator, 2), 99.99), 'FM990.00') || ' %' \
    ELSE to_char(numerator::numeric / denominator, 'FM999999990.00') END";

/// A query in a language: `{numerator}`, `{denominator}` and `{share}` are those of a row of rates, `{name}` is the name of a rate or score, `{department}` or another column in braces the name of
/// the department whose code stands there.
pub(crate) fn sql(sql: &str, lang: Lang) -> String {
    let mut told = String::new();
    let mut rest = sql;
    while let Some((before, after)) = rest.split_once('{') {
        let (column, after) = after.split_once('}').expect("a column of a query ends");
        told += before;
        let asked = match (column, lang) {
            ("numerator" | "denominator", _) => format!("{column} / scale::double precision"),
            ("share", _) => SHARE.to_owned(),
            ("name", Lang::Zh) => "name_zh".to_owned(),
            ("name", Lang::En) => "name_en".to_owned(),
            ("department", Lang::Zh) => "department_zh".to_owned(),
            (column, lang) => {
                format!(
                    "coalesce((SELECT name_{} FROM departments WHERE code = {column}), {column})",
                    lang.code()
                )
            }
        };
        told += &asked;
        rest = after;
    }
    told + rest
}

/// The columns that a query selects, as they are called in its answer.
pub(crate) fn columns(sql: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let mut columns = vec![String::new()];
    let selected = sql.strip_prefix("SELECT ").unwrap_or(sql);
    for (at, c) in selected.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ if depth == 0 && selected[at..].starts_with(" FROM ") => break,
            ',' if depth == 0 => {
                columns.push(String::new());
                continue;
            }
            _ => {}
        }
        columns.last_mut().expect("there is one").push(c);
    }
    let named = |column: &String| column.rsplit([' ', '.']).next().unwrap_or_default().to_owned();
    columns.iter().map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_of_the_answer() {
        let asked = "SELECT a, coalesce((SELECT x, y FROM z), b) AS c, sum(d)::bigint AS e FROM t GROUP BY f";
        assert_eq!(columns(asked), ["a", "c", "e"]);
    }

    #[test]
    fn legends_keep_their_labels() {
        assert_eq!(legend("{{receiver}} waiting", Lang::Zh), "{{receiver}} 等待");
        assert_eq!(legend("p99 {{route}}", Lang::Zh), "p99 {{route}}");
        assert_eq!(legend("{{reason}} h", Lang::En), "{{reason}} h");
    }

    #[test]
    fn a_query_asks_for_names_in_its_language() {
        let asked = "SELECT {department} AS department, {name} AS name FROM t";
        assert_eq!(sql(asked, Lang::Zh), "SELECT department_zh AS department, name_zh AS name FROM t");
        let english = sql(asked, Lang::En);
        assert!(english.contains(
            "name_en FROM departments WHERE code = department), department) AS department, name_en AS name"
        ));
    }
}
