//! What operators watch: whether the pipe is alive.

use hotline_casework::metrics as casework;
use hotline_gateway::metrics as gateway;
use hotline_rates::metrics as rates;
use hotline_relay::metrics as relay;
use hotline_runtime::catalogue::Metric;
use hotline_runtime::metrics as process;
use hotline_timekeeper::metrics as timekeeper;

use super::{MEASURES, lines, metrics, quantile, rate, stat};
use crate::boards::Board;
use crate::boards::panel::See;
use crate::text::text;

#[expect(clippy::too_many_lines, reason = "a list")]
pub(super) fn pipeline() -> Board {
    let one = |expr: String| metrics(&[(expr, "")]);
    let max = |metric: Metric| one(format!("max({})", metric.name));
    // Where the role that measures it answers and has nothing to say of it; without the role there is no number.
    let or_none_of = |expr: String, role: Metric| format!("{expr} or 0 * max({})", role.name);
    Board {
        id: "pipeline",
        title: text!("运行监控", "Pipeline"),
        says: text!(
            "管道是否通畅、落后多少、哪里卡住。",
            "Whether the pipe is alive, how far it is behind, what is stuck."
        ),
        from: "now-3h",
        refresh: "15s",
        variables: Vec::new(),
        panels: vec![
            stat(
                text!("进程", "Processes"),
                text!("Prometheus 能取到指标的进程数。", "Processes that Prometheus reaches."),
                "short",
                one(format!("count({})", process::BUILD.name)),
                See::Runbook("HotlineRoleDown"),
            ),
            stat(
                text!("积压（秒）", "Lag"),
                text!("最早一条未处理记录等了多久。", "For how long the first waiting record has waited."),
                "s",
                // What a gateway hands over does not wait in a log.
                one(format!(
                    "max({}) or 0 * max({}{{partition=\"http\"}})",
                    casework::LAG_SECONDS.name,
                    casework::LAST_COMMIT.name
                )),
                See::Runbook("HotlineLagGrowing"),
            )
            .limits(60.0, 300.0),
            stat(
                text!("距上次入库", "Since the last commit"),
                text!(
                    "最近一批入库到现在的时间；没有事件时也会变大。",
                    "Since the last batch was committed; it grows, too, where nothing comes."
                ),
                "s",
                one(format!("time() - max({})", casework::LAST_COMMIT.name)),
                See::Runbook("HotlineFreshnessStale"),
            ),
            stat(
                text!("死信", "Dead letters"),
                text!("等人处理的被拒事件。", "Refused events that wait for somebody."),
                "short",
                one(or_none_of(format!("sum({})", rates::DEAD_LETTERS.name), rates::SNAPSHOT)),
                See::Runbook("HotlineDeadLettersOld"),
            )
            .limits(1.0, 100.0),
            stat(
                text!("停用的来源", "Stopped sources"),
                text!("暂停或被自动分流的来源。", "Sources that are paused or diverted."),
                "short",
                one(or_none_of(format!("sum({})", rates::SOURCES_STOPPED.name), rates::SNAPSHOT)),
                See::Runbook("HotlineSourceDiverted"),
            )
            .limits(1.0, 1.0),
            stat(
                text!("待发提醒", "Alarms waiting"),
                text!(
                    "已到时而看守还没看的案件。",
                    "Cases of which something is due and that nobody has looked at."
                ),
                "short",
                max(rates::ALARMS_WAITING),
                See::Runbook("HotlineAlarmsLate"),
            )
            .limits(1_000.0, 100_000.0),
            lines(
                text!("事件（每秒，按结果）", "Events a second by outcome"),
                text!(
                    "核算处理的事件：生效、重复、忽略，或死信原因。",
                    "What casework did: applied, duplicate, ignored, or why it was refused."
                ),
                "ops",
                metrics(&[(rate(casework::EVENTS, "outcome"), "{{outcome}}")]),
                See::Runbook("HotlineDeadLettersMany"),
            ),
            lines(
                text!("端到端延迟", "End to end"),
                text!(
                    "接收到入库，每批中等得最久的那条。",
                    "From receipt to commit, of the record of each batch that waited longest."
                ),
                "s",
                metrics(&[
                    (quantile("0.5", casework::END_TO_END_SECONDS, ""), "p50"),
                    (quantile("0.99", casework::END_TO_END_SECONDS, ""), "p99"),
                ]),
                See::Runbook("HotlineLagGrowing"),
            ),
            lines(
                text!("接收请求（每秒）", "Requests a second"),
                text!("按应答类别与代码。", "By class and code of the answer."),
                "reqps",
                metrics(&[(rate(gateway::REQUESTS, "status, code"), "{{status}} {{code}}")]),
                See::Runbook("HotlineIntakeBudgetBurnFast"),
            ),
            lines(
                text!("请求耗时", "Seconds of a request"),
                text!("网关应答时间，按路由的九十九分位与中位。", "How long the gateway takes, by route."),
                "s",
                metrics(&[
                    (quantile("0.99", gateway::REQUEST_SECONDS, "route"), "p99 {{route}}"),
                    (quantile("0.5", gateway::REQUEST_SECONDS, "route"), "p50 {{route}}"),
                ]),
                See::Runbook("HotlineIntakeBudgetBurnFast"),
            ),
            lines(
                text!("来源推送（每秒）", "Events pushed a second by source"),
                text!("各来源的事件及应答结果。", "By source, with what they were answered."),
                "ops",
                metrics(&[(rate(gateway::EVENTS, "source, result"), "{{source}} {{result}}")]),
                See::Runbook("HotlineDeadLettersMany"),
            ),
            lines(
                text!("请求体大小", "Bytes of a request"),
                text!("九十九分位。", "The 99th percentile."),
                "bytes",
                metrics(&[(quantile("0.99", gateway::BODY_BYTES, ""), "p99")]),
                See::Runbook("HotlineIntakeBudgetBurnFast"),
            ),
            lines(
                text!("积压（条）", "Lag in records"),
                text!(
                    "各分区未处理的记录数；没有消息队列时无数据。",
                    "Records that wait, by partition; nothing without a broker."
                ),
                "short",
                metrics(&[(format!("max by (partition) ({})", casework::LAG_RECORDS.name), "{{partition}}")]),
                See::Runbook("HotlineLagGrowing"),
            ),
            lines(
                text!("距上次入库（按分区）", "Since the last commit by partition"),
                text!(
                    "http 是同进程网关直接交来的。",
                    "http: what a gateway in the same process hands over."
                ),
                "s",
                metrics(&[(
                    format!("time() - max by (partition) ({})", casework::LAST_COMMIT.name),
                    "{{partition}}",
                )]),
                See::Runbook("HotlineFreshnessStale"),
            ),
            lines(
                text!("各阶段耗时", "Seconds by stage"),
                text!("每秒花在各阶段的时间。", "Time spent in each stage, a second."),
                "s",
                metrics(&[(
                    format!("sum by (stage) (rate({}_sum[$__rate_interval]))", casework::STAGE_SECONDS.name),
                    "{{stage}}",
                )]),
                See::Runbook("HotlineLagGrowing"),
            ),
            lines(
                text!("批次", "Batches"),
                text!(
                    "每批记录数与提交耗时的九十九分位。",
                    "Records of a batch, and the 99th percentile of its seconds."
                ),
                "short",
                metrics(&[
                    (quantile("0.5", casework::BATCH_RECORDS, ""), "records p50"),
                    (quantile("0.99", casework::BATCH_SECONDS, ""), "seconds p99"),
                ]),
                See::Runbook("HotlineLagGrowing"),
            ),
            lines(
                text!("失败与接管", "Failures and take-overs"),
                text!(
                    "失败的批次、被接管的分区、分配变化。",
                    "Batches that failed, partitions taken over, assignments."
                ),
                "ops",
                metrics(&[
                    (rate(casework::BATCH_FAILURES, "code"), "failed {{code}}"),
                    (format!("sum(rate({}[$__rate_interval]))", casework::FENCED.name), "fenced"),
                    (rate(casework::ASSIGNMENTS, "change"), "{{change}}"),
                ]),
                See::Runbook("HotlinePartitionHalted"),
            ),
            lines(
                text!("分区", "Partitions"),
                text!("各进程读的分区与停下的分区。", "Partitions that are read, and those that are halted."),
                "short",
                metrics(&[
                    (format!("sum({})", casework::PARTITIONS.name), "read"),
                    (format!("sum({})", casework::PARTITIONS_HALTED.name), "halted"),
                ]),
                See::Runbook("HotlinePartitionHalted"),
            ),
            lines(
                text!("写入", "Writes"),
                text!("案件行、增量、合并、重算。", "Case rows, deltas, deltas merged, cases folded again."),
                "ops",
                metrics(&[
                    (format!("sum(rate({}[$__rate_interval]))", casework::CASES_WRITTEN.name), "cases"),
                    (format!("sum(rate({}[$__rate_interval]))", casework::DELTAS.name), "deltas"),
                    (format!("sum(rate({}[$__rate_interval]))", casework::DELTAS_MERGED.name), "merged"),
                    (format!("sum(rate({}[$__rate_interval]))", casework::CASES_REFOLDED.name), "refolded"),
                ]),
                See::Runbook("HotlineRefoldStuck"),
            ),
            lines(
                text!("来源时钟偏差", "Skew by source"),
                text!(
                    "声称到接收的最短时间；小于零说明对方时钟快。",
                    "The least time from claim to receipt; below zero its clock is ahead."
                ),
                "s",
                metrics(&[(format!("min by (source) ({})", casework::SKEW_SECONDS.name), "{{source}}")]),
                See::Runbook("HotlineClockAhead"),
            ),
            lines(
                text!("来源最近一次推送", "Since the last event by source"),
                text!(
                    "距该来源最近一个事件的时间：是他们停了，还是我们停了。",
                    "Since the last event of each source: is it them or us."
                ),
                "s",
                metrics(&[(
                    format!("time() - max by (source) ({})", casework::LAST_RECEIPT.name),
                    "{{source}}",
                )]),
                See::Runbook("HotlineFreshnessStale"),
            ),
            lines(
                text!("死信（件与最久等待）", "Dead letters"),
                text!("按原因。", "By reason, and since when the oldest waits."),
                "short",
                metrics(&[
                    (format!("max by (reason) ({})", rates::DEAD_LETTERS.name), "{{reason}}"),
                    (format!("max by (reason) ({}) / 3600", rates::DEAD_LETTERS_AGE.name), "{{reason}} h"),
                ]),
                See::Runbook("HotlineDeadLettersOld"),
            ),
            lines(
                text!("提醒", "Alarms"),
                text!(
                    "看守每秒发出、补记、撤回的提醒和看过的案件。",
                    "Raised, missed and withdrawn a second, and cases looked at."
                ),
                "ops",
                metrics(&[
                    (rate(timekeeper::ALARMS, "telling"), "{{telling}}"),
                    (format!("sum(rate({}[$__rate_interval]))", timekeeper::CASES.name), "cases"),
                    (format!("sum(rate({}[$__rate_interval]))", timekeeper::DISPATCHES.name), "dispatched"),
                    (format!("sum(rate({}[$__rate_interval]))", timekeeper::FAILURES.name), "failed"),
                ]),
                See::Runbook("HotlineAlarmsLate"),
            ),
            lines(
                text!("提醒晚了多久", "How late alarms are"),
                text!(
                    "每步中等得最久的提醒。",
                    "Of each step the alarm that waited longest; and since when one waits now."
                ),
                "s",
                metrics(&[
                    (quantile("0.99", timekeeper::LATE_SECONDS, ""), "p99"),
                    (format!("max({})", rates::ALARMS_AGE.name), "waiting"),
                ]),
                See::Runbook("HotlineAlarmsLate"),
            ),
            lines(
                text!("通知投递", "Notices"),
                text!(
                    "编号、投递结果，各接收方未收到的件数。",
                    "Numbered, delivered, and what waits for each receiver."
                ),
                "short",
                metrics(&[
                    (format!("sum(rate({}[$__rate_interval]))", relay::NUMBERED.name), "numbered/s"),
                    (rate(relay::DELIVERIES, "receiver, outcome"), "{{receiver}} {{outcome}}/s"),
                    (format!("max by (receiver) ({})", rates::NOTICES.name), "{{receiver}} waiting"),
                    (format!("max by (receiver) ({})", rates::UNDELIVERED.name), "{{receiver}} undelivered"),
                ]),
                See::Runbook("HotlineNoticesStuck"),
            ),
            lines(
                text!("通知最久等待", "Oldest notice"),
                text!(
                    "各接收方与等待编号的最早一条。",
                    "By receiver, and the oldest that waits for its number."
                ),
                "s",
                metrics(&[
                    (format!("max by (receiver) ({})", rates::NOTICES_AGE.name), "{{receiver}}"),
                    (format!("max({})", rates::UNNUMBERED_AGE.name), "unnumbered"),
                ]),
                See::Runbook("HotlineNoticesStuck"),
            ),
            lines(
                text!("办理时长分布", "Time to close"),
                text!(
                    "刚办结案件的中位与九成位，按热线；界限取法定时限。",
                    "Median and ninth decile of cases closed just now, by hotline; bounds on the limits of the law."
                ),
                "s",
                metrics(&[
                    (quantile("0.5", casework::CLOSE_SECONDS, "hotline"), "p50 {{hotline}}"),
                    (quantile("0.9", casework::CLOSE_SECONDS, "hotline"), "p90 {{hotline}}"),
                ]),
                See::Definition(MEASURES),
            ),
            lines(
                text!("在办件", "Open cases"),
                text!("在办、超期、临期件数，全部部门。", "Open, overdue and near due, of all departments."),
                "short",
                metrics(&[
                    (format!("sum({})", rates::OPEN.name), "open"),
                    (format!("sum({})", rates::OVERDUE.name), "overdue"),
                    (format!("sum({})", rates::NEAR_DUE.name), "within 24 h"),
                ]),
                See::Runbook("HotlineOverdueSurge"),
            ),
            lines(
                text!("统计表耗时", "Seconds of a bulletin"),
                text!("接口上统计表的九十九分位。", "The 99th percentile of tables of rates over HTTP."),
                "s",
                metrics(&[(quantile("0.99", rates::BULLETIN_SECONDS, ""), "p99")]),
                See::Runbook("HotlineSnapshotOld"),
            ),
            lines(
                text!("进程资源", "Processes"),
                text!("内存。", "Memory that each process holds."),
                "bytes",
                metrics(&[(process::MEMORY.name.to_owned(), "{{instance}}")]),
                See::Runbook("HotlineRoleDown"),
            ),
            lines(
                text!("处理器与句柄", "Processor and files"),
                text!(
                    "每秒占用的处理器时间，打开的文件与线程。",
                    "Processor seconds a second, open files, threads, uptime in hours."
                ),
                "short",
                metrics(&[
                    (format!("rate({}[$__rate_interval])", process::CPU.name), "cpu {{instance}}"),
                    (format!("{} / {}", process::FILES.name, process::FILES_MAX.name), "files {{instance}}"),
                    (process::THREADS.name.to_owned(), "threads {{instance}}"),
                    (format!("(time() - {}) / 3600", process::STARTED.name), "up {{instance}}"),
                ]),
                See::Runbook("HotlineFilesNearLimit"),
            ),
            stat(
                text!("日历剩余", "Calendar left"),
                text!("已公布的工作日历还有多久。", "How far the published working calendar reaches."),
                "s",
                one(format!("min({}) - time()", rates::CALENDAR.name)),
                See::Runbook("HotlineCalendarEnds"),
            ),
            stat(
                text!("看板数据年龄", "Age of the gauges"),
                text!("取自数据库的计数有多旧。", "How old the counts from the database are."),
                "s",
                one(format!("time() - max({})", rates::SNAPSHOT.name)),
                See::Runbook("HotlineSnapshotOld"),
            )
            .limits(60.0, 120.0),
            stat(
                text!("月度数字年龄", "Age of the months"),
                text!(
                    "通报板的月度比率和名次有多旧。",
                    "How old the rates and ranks of months on the board Bulletin are."
                ),
                "s",
                one(format!("time() - max({})", rates::MONTHS.name)),
                See::Runbook("HotlineMonthsOld"),
            )
            .limits(300.0, 900.0),
            stat(
                text!("重算完成", "Refold done"),
                text!(
                    "1：全部案件已按当前规则库和程序重算。",
                    "1: every case is folded by the active rulebook and program."
                ),
                "short",
                one(format!("min({})", casework::REFOLD_DONE.name)),
                See::Runbook("HotlineRefoldStuck"),
            ),
            stat(
                text!("被分流次数", "Diversions"),
                text!("一天内自动分流的来源。", "Sources that were diverted within a day."),
                "short",
                one(format!("sum(increase({}[1d]))", casework::SOURCES_DIVERTED.name)),
                See::Runbook("HotlineSourceDiverted"),
            ),
        ],
    }
}
