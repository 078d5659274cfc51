//! What is overdue, what is due today, who must be called.

use hotline_rates::metrics as rates;

use super::{MEASURES, count, lines, list, metrics, record, stat, table};
use crate::boards::Board;
use crate::boards::panel::{Panel, See, Shape};
use crate::text::text;

#[expect(clippy::too_many_lines, reason = "a list")]
pub(super) fn today() -> Board {
    let fresh = stat(
        text!("数据截至", "Data as of"),
        text!(
            "最近一个已入库事件的接收时间；积压时会变旧。",
            "When the newest committed event was received; it grows old where there is a lag."
        ),
        "dateTimeAsIso",
        record("SELECT extract(epoch FROM last_received_at) * 1000 AS at FROM record_stamp"),
        See::Runbook("HotlineFreshnessStale"),
    );
    let by_department = table(
        text!("各部门待办", "By department"),
        text!("在办、超期、今日到期等件数，及最早的到期时间。", "Open, overdue and due cases, and the earliest deadline."),
        record(
            "SELECT {department} AS department, sum(open)::bigint AS open, sum(overdue)::bigint AS overdue,
                    sum(due_today)::bigint AS due_today, sum(near_due_24h)::bigint AS within_24h, sum(unsigned)::bigint AS unsigned,
                    min(oldest_due_at) AS first_due
               FROM worklist_counts GROUP BY department, 1 ORDER BY sum(overdue) DESC, sum(open) DESC",
        ),
        See::Definition(MEASURES),
    );
    let backlog = Panel {
        shape: Shape::Bars,
        ..table(
            text!("在办件按天数", "Backlog by age"),
            text!(
                "在办案件自登记起的天数（每天 24 小时），按法定时限分档。",
                "Days of 24 hours since receipt, on the limits of the law."
            ),
            record(
                "SELECT age, sum(cases)::bigint AS cases, sum(overdue)::bigint AS overdue FROM backlog_by_age
                  GROUP BY bucket, age ORDER BY bucket",
            ),
            See::Definition(MEASURES),
        )
    };
    let trend = lines(
        text!("超期件数走势", "Overdue over time"),
        text!(
            "全部部门之和，每 15 秒取自数据库。",
            "Of all departments, taken from the database every 15 seconds."
        ),
        "short",
        metrics(&[
            (format!("sum({})", rates::OVERDUE.name), "overdue"),
            (format!("sum({})", rates::DUE_TODAY.name), "due today"),
        ]),
        See::Runbook("HotlineOverdueSurge"),
    );
    Board {
        id: "today",
        title: text!("今日待办", "Today"),
        says: text!(
            "什么已超期、今天到期、要催谁。",
            "What is overdue, what is due today, who must be called."
        ),
        from: "now-24h",
        refresh: "1m",
        variables: Vec::new(),
        panels: vec![
            fresh,
            count(
                text!("在办", "Open"),
                text!("已登记、未办结的案件。", "Registered cases that are not closed."),
                "open",
            ),
            count(
                text!("已超期", "Overdue"),
                text!(
                    "办结时限已过的在办案件；暂停计时的不算。",
                    "Open cases past their closing deadline; held ones do not count."
                ),
                "overdue",
            )
            .limits(1.0, 20.0),
            count(
                text!("今日到期", "Due today"),
                text!(
                    "办结时限在今天、还没过的在办案件。",
                    "Open cases whose deadline is still to come today."
                ),
                "due_today",
            )
            .limits(1.0, 50.0),
            count(
                text!("四小时内到期", "Due within 4 h"),
                text!("四小时内到期的在办案件。", "Open cases due within four hours."),
                "near_due_4h",
            )
            .limits(1.0, 20.0),
            count(
                text!("签收超时", "Unsigned too long"),
                text!("签收时限已过而未签收的派单。", "Dispatches that were not signed within their limit."),
                "unsigned_late",
            )
            .limits(1.0, 10.0),
            count(
                text!("未签收", "Unsigned"),
                text!("派出后还没有签收。", "Dispatched and not signed yet."),
                "unsigned",
            ),
            count(
                text!("待审核", "Waiting for review"),
                text!("部门已提交办理结果，等待审核。", "Submitted by the department, not reviewed yet."),
                "waiting_for_review",
            ),
            count(
                text!("申请退单", "Return asked"),
                text!("部门申请退回，等待答复。", "Departments that ask to give the case back."),
                "return_asked",
            ),
            count(
                text!("待重派", "To dispatch again"),
                text!("退单已批准，等待重新派出。", "Given back, to be dispatched again."),
                "to_dispatch_again",
            ),
            count(
                text!("申请延期", "Extension asked"),
                text!("延期申请等待答复。", "Extensions that wait for an answer."),
                "extension_waiting",
            ),
            count(
                text!("暂停计时", "Held"),
                text!("暂停计时的案件。", "Cases whose clock is held."),
                "parked",
            ),
            by_department,
            backlog,
            list(
                text!("超期清单", "Overdue"),
                text!("超期时间最长的在前。", "The latest first."),
                "due_on, due_at, hours_late",
                "overdue",
                "hours_late DESC, case_id",
            ),
            list(
                text!("今日到期清单", "Due today"),
                text!("最先到期的在前。", "The first due first."),
                "due_on, due_at, hours_left",
                "due_today",
                "due_at, case_id",
            ),
            list(
                text!("二十四小时内到期", "Due within 24 h"),
                text!("最先到期的在前。", "The first due first."),
                "due_on, due_at, hours_left",
                "near_due",
                "due_at, case_id",
            ),
            list(
                text!("未签收清单", "Unsigned"),
                text!("等待最久的在前。", "The longest waiting first."),
                "{waiting_for} AS waiting_for, since, hours_waiting, sign_due_at",
                "unsigned",
                "since, case_id",
            ),
            list(
                text!("待审核清单", "Waiting for review"),
                text!(
                    "等待最久的在前；是否在时限内提交。",
                    "The longest waiting first; whether it was submitted in time."
                ),
                "since, hours_waiting, in_time",
                "waiting_for_review",
                "since, case_id",
            ),
            list(
                text!("退单", "Returns"),
                text!("申请退单的，和退回后待重派的。", "Asked for, and waiting to be dispatched again."),
                "state, since, hours_waiting",
                "returned",
                "since, case_id",
            ),
            list(
                text!("延期申请", "Extensions asked"),
                text!("等待最久的在前。", "The longest waiting first."),
                "stage, since, hours_waiting",
                "extension_waiting",
                "since, case_id",
            ),
            list(
                text!("暂停计时清单", "Held"),
                text!(
                    "原因、起止；没有止期的要定期复核。",
                    "Why, since when, until when; what has no end must be looked at again."
                ),
                "reason, since, until",
                "parked",
                "since, case_id",
            ),
            table(
                text!("重复来电", "Repeat callers"),
                text!(
                    "近三十天同一来电人（以密钥散列表示）两件以上；只在平台发送来电人标识时有数据。",
                    "The same caller (as a keyed hash) with two cases or more in thirty days; only where the platform sends a tag."
                ),
                record(
                    "SELECT reporter, cases, open, departments, last_received_at FROM repeat_callers ORDER BY cases DESC, last_received_at DESC LIMIT 100",
                ),
                See::Definition(MEASURES),
            ),
            trend,
        ],
    }
}
