//! The figures of a month, by department: what may stand in a document.

use super::{MEASURES, RULEBOOK, lines, record, stat, table};
use crate::boards::panel::See;
use crate::boards::{Board, Variable};
use crate::text::{Text, text};

#[expect(clippy::too_many_lines, reason = "a list")]
pub(super) fn bulletin() -> Board {
    let ranking = table(
        text!("排名", "Ranking"),
        text!(
            "分子、分母、比率、95% 区间和名次；并列同名次，分母太小的只列不排。与 hotline bulletin 和 hotline replay 完全一致。",
            "Numerator, denominator, rate, its 95 % interval, rank; ties share a rank, small denominators are shown and not ranked. \
             Equal to hotline bulletin and hotline replay.",
        ),
        record(
            "SELECT rank, {department} AS department, department_group, {numerator} AS numerator, {denominator} AS denominator,
                    {share} AS share, low, high
               FROM rates_of_record WHERE month = '$month'::date AND rate = '$rate' AND hotline = '$hotline' AND department <> '*'
              ORDER BY rank NULLS LAST, value DESC NULLS LAST, department",
        ),
        See::Definition(RULEBOOK),
    )
    .wide(16);
    let all = stat(
        text!("全市", "All"),
        text!(
            "所选指标全部部门合计；相等才写 100 %。",
            "The rate of all departments; 100 % only where both are equal."
        ),
        "string",
        record(
            "SELECT {share} AS share FROM rates_of_record WHERE month = '$month'::date AND rate = '$rate' AND hotline = '$hotline' AND department = '*'",
        ),
        See::Definition(RULEBOOK),
    );
    let parts = |title: Text, says: Text, column: &str| {
        let sql = format!(
            "SELECT {column} AS cases FROM rates_of_record WHERE month = '$month'::date AND rate = '$rate' AND hotline = '$hotline' AND department = '*'"
        );
        stat(title, says, "short", record(&sql), See::Definition(RULEBOOK))
    };
    let definitions = table(
        text!("各口径并列", "Definitions side by side"),
        text!(
            "同一月份全部指标的合计：分子、分母、比率与版本。",
            "All rates of the month, of all departments together."
        ),
        record(
            "SELECT rate, {name} AS name, version, {numerator} AS numerator, {denominator} AS denominator, {share} AS share FROM rates_of_record
              WHERE month = '$month'::date AND hotline = '$hotline' AND department = '*' ORDER BY rate",
        ),
        See::Definition(RULEBOOK),
    );
    let trend = lines(
        text!("走势", "Trend"),
        text!("所选指标逐月合计。", "The rate month by month, of all departments."),
        "percentunit",
        record(
            "SELECT time, rate AS metric, value FROM rates_of_record
              WHERE rate = '$rate' AND hotline = '$hotline' AND department = '*' AND $__timeFilter(time) ORDER BY time",
        ),
        See::Definition(RULEBOOK),
    );
    Board {
        id: "bulletin",
        title: text!("通报", "Bulletin"),
        says: text!("可以写进文件的数字：逐月、逐部门，带分子分母。", "Numbers that may stand in a document: by month and department, with numerator and denominator."),
        from: "now-13M",
        refresh: "5m",
        variables: vec![
            Variable {
                name: "month",
                label: text!("月份", "Month"),
                // The newest month in which something counts stands first: it is the one that is shown.
                sql: "SELECT to_char(month, 'YYYY-MM-DD') AS month FROM rates_of_record \
                      GROUP BY rates_of_record.month ORDER BY max(denominator) > 0 DESC, rates_of_record.month DESC",
            },
            Variable {
                name: "rate",
                label: text!("指标", "Rate"),
                sql: "SELECT rate FROM rate_definitions ORDER BY rate <> 'on_time_closure.due', rate",
            },
            Variable {
                name: "hotline",
                label: text!("热线", "Hotline"),
                sql: "SELECT DISTINCT hotline FROM rates_of_record ORDER BY hotline",
            },
        ],
        panels: vec![
            all,
            parts(text!("分子", "Numerator"), text!("所选指标的分子。", "The numerator of the rate."), "{numerator}"),
            parts(text!("分母", "Denominator"), text!("所选指标的分母。", "The denominator of the rate."), "{denominator}"),
            stat(
                text!("数据截止", "As of"),
                text!("本页数字截至的时刻。", "The instant as of which the numbers here are."),
                "dateTimeAsIso",
                record("SELECT extract(epoch FROM rates_as_of) * 1000 AS at FROM record_stamp"),
                See::Runbook("HotlineMonthsOld"),
            ),
            stat(
                text!("重算未完", "Fold pending"),
                text!("1 表示新规则库的重算还没有完成，不得发布。", "1: cases are still being folded by a new rulebook; not for publication."),
                "short",
                record("SELECT fold_pending::int AS pending FROM record_stamp"),
                See::Runbook("HotlineRefoldStuck"),
            )
            .limits(0.5, 1.0),
            ranking,
            table(
                text!("口径", "Definition"),
                text!("所选指标的分子、分母由哪些量相加，取哪个日期。", "What the rate adds up, and by which day."),
                record("SELECT rate, version, {name} AS name, basis, numerator, denominator, rank_from, rulebook_hash FROM rate_definitions WHERE rate = '$rate'"),
                See::Definition(RULEBOOK),
            )
            .wide(8),
            trend,
            definitions,
            table(
                text!("综合得分", "Composite scores"),
                text!("按规则库的权重与底线计算。", "By the weights and floors of the rulebook."),
                record(
                    "SELECT score, {department} AS department, department_group, points, rank FROM scores_of_record
                      WHERE month = '$month'::date AND hotline = '$hotline' ORDER BY score, rank NULLS LAST, department",
                ),
                See::Definition(RULEBOOK),
            ),
            table(
                text!("办理时长", "Time to close"),
                text!("当月办结案件自登记至办结的小时数：中位数与九成位。", "Hours from receipt to closing, of cases closed in the month: median and ninth decile."),
                record(
                    "SELECT {department} AS department, cases, p50_hours AS p50, p90_hours AS p90 FROM time_to_close
                      WHERE month = '$month'::date AND hotline = '$hotline' ORDER BY p90_hours DESC NULLS LAST",
                ),
                See::Definition(MEASURES),
            ),
        ],
    }
}
