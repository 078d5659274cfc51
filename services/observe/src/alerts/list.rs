//! The list.

use hotline_casework::metrics as casework;
use hotline_gateway::metrics as gateway;
use hotline_rates::metrics as rates;
use hotline_runtime::metrics as process;

use super::{AlertingRule, Recording, Severity};
use crate::text::text;

/// The share of requests that may fail by a fault of ours: one of a thousand.
const BUDGET: &str = "0.001";

/// The windows over which the share of failed requests is recorded.
const WINDOWS: [&str; 7] = ["5m", "30m", "1h", "2h", "6h", "1d", "3d"];

/// What several alerts use.
pub(crate) fn recordings() -> Vec<Recording> {
    let requests = gateway::REQUESTS.name;
    let ratio = |window: &str| {
        format!(
            "sum(rate({requests}{{route=\"events\",status=\"5xx\"}}[{window}])) / sum(rate({requests}{{route=\"events\"}}[{window}]))"
        )
    };
    let mut recordings: Vec<Recording> =
        WINDOWS.iter().map(|window| Recording { name: failed(window), expr: ratio(window) }).collect();
    recordings.push(Recording { name: EVENTS_GAINED.to_owned(), expr: gained(casework::EVENTS.name) });
    recordings
}

/// What was gained within a quarter of an hour, by outcome.
const EVENTS_GAINED: &str = "hotline:casework_events:increase15m";

/// What a counter gained by outcome, with all of a series that began within the quarter of an hour: `increase` sees only
/// what comes after the first sample, and much may be refused before it. A series is new that was not there within the hour
/// before, so that a gap of scrapes makes none new.
fn gained(counter: &str) -> String {
    let before = format!("last_over_time({counter}[1h] offset 15m)");
    format!("sum by (outcome) ((increase({counter}[15m]) and {before}) or ({counter} unless {before}))")
}

/// Twice the mean of a gauge of a department at this hour of the last four weeks. Processes are replaced in between, so
/// what counts is the department. Weeks in which nobody measured are left out; where the department alone is missing, nothing
/// of it was late.
fn twice_the_mean_of_weeks(gauge: &str, now: &str) -> String {
    let week = |weeks: usize| {
        format!(
            "label_replace(max by (department) ({gauge} offset {weeks}w) or 0 * {now} and on () {} offset {weeks}w, \"week\", \"{weeks}\", \"\", \"\")",
            rates::SNAPSHOT.name
        )
    };
    format!("2 * avg by (department) ({})", [1, 2, 3, 4].map(week).join(" or "))
}

/// The recorded share of requests that failed over a window.
fn failed(window: &str) -> String {
    format!("hotline:gateway_failed_requests:ratio_rate{window}")
}

/// Burning: over a long window and, so that it ends when the trouble ends, over a short one.
fn burns(times: &str, long: &str, short: &str) -> String {
    format!("{} > {times} * {BUDGET} and {} > {times} * {BUDGET}", failed(long), failed(short))
}

/// All alerts, those that call somebody first.
#[expect(clippy::too_many_lines, reason = "a list")]
pub(crate) fn alerts() -> Vec<AlertingRule> {
    // What an operator has stopped is refused on purpose.
    let (sound, stopped) = ("applied|duplicate|ignored|source_stopped", "source_stopped");
    let lag = casework::LAG_SECONDS.name;
    vec![
        AlertingRule {
            name: "HotlineRoleDown",
            expr: "up{job=\"hotline\"} == 0".to_owned(),
            lasts: "2m",
            severity: Severity::Page,
            says: text!("有进程无响应", "a process does not answer"),
            means: text!(
                "Prometheus 取不到该进程的指标：进程已停、机器失联，或运维端口不通。网关停则上级平台推送会失败重发，数据不丢；核算停则积压增加。",
                "Prometheus cannot reach the process: it has ended, its machine is away, or its ops port is closed. Without a \
                 gateway senders wait and send again, nothing is lost; without casework the lag grows.",
            ),
            steps: &[
                text!(
                    "在该机器上看 `curl 127.0.0.1:<ops 端口>/livez` 与进程日志的最后一行。",
                    "On its machine: `curl 127.0.0.1:<ops port>/livez`, and the last lines of its log.",
                ),
                text!(
                    "退出码 78 是配置有误（`hotline config check`），1 是某个部件失败；重启即可，位置存在数据库里。",
                    "Exit code 78 is its configuration (`hotline config check`), 1 a component that failed; start it again: positions are in the database.",
                ),
                text!("`hotline doctor` 全绿后结束。", "Done when `hotline doctor` finds nothing wrong."),
            ],
        },
        AlertingRule {
            name: "HotlineIntakeBudgetBurnFast",
            expr: format!("({}) or ({})", burns("14.4", "1h", "5m"), burns("6", "6h", "30m")),
            lasts: "2m",
            severity: Severity::Page,
            says: text!(
                "接收失败过多，千分之一的额度很快用完",
                "intake fails too often: the budget of one in a thousand is soon gone",
            ),
            means: text!(
                "网关对上级平台的推送以 5xx 应答的比例过高。平台会重发，事件不丢，但会晚到。",
                "Too many pushes are answered with a 5xx. Senders send again, nothing is lost, but it comes late.",
            ),
            steps: &[
                text!(
                    "运行监控板看“接收请求”按 code：`unavailable` 是数据库或消息队列不通，`busy` 是并发过多，`internal_error` 是本系统缺陷。",
                    "Board Pipeline, requests by code: `unavailable` is the database or the broker, `busy` too many at once, `internal_error` a bug of ours.",
                ),
                text!(
                    "`hotline doctor`；数据库磁盘、连接数、Kafka 是否可写。",
                    "`hotline doctor`; the database's disk and connections; whether the broker takes writes.",
                ),
                text!(
                    "`busy`：加一个网关进程，或调大 `[gateway]` 的并发。",
                    "`busy`: another gateway process, or more concurrency in `[gateway]`.",
                ),
            ],
        },
        AlertingRule {
            name: "HotlineIntakeBudgetBurnSlow",
            expr: format!("({}) or ({})", burns("3", "1d", "2h"), burns("1", "3d", "6h")),
            lasts: "15m",
            severity: Severity::Ticket,
            says: text!("接收失败偏多，额度会在本月用完", "intake fails more often than it may over a month"),
            means: text!("同上，速度较慢。", "As the fast one, more slowly."),
            steps: &[text!(
                "同 HotlineIntakeBudgetBurnFast，一个工作日内处理。",
                "As for HotlineIntakeBudgetBurnFast, within a working day.",
            )],
        },
        AlertingRule {
            name: "HotlineFreshnessStale",
            // A partition that was never committed has no such series: it is the one that waits.
            expr: format!(
                "max by (partition) (min_over_time({records}[10m])) > 0 and max by (partition) ({records} offset 10m) \
                 unless max by (partition) ({commit}) > time() - 600",
                commit = casework::LAST_COMMIT.name,
                records = casework::LAG_RECORDS.name
            ),
            lasts: "0m",
            severity: Severity::Page,
            says: text!(
                "有事件在等，十分钟没有入库",
                "events wait, and nothing was committed for ten minutes",
            ),
            means: text!(
                "该分区有积压而核算没有提交。看板与督办清单停在旧数据上。安静的夜晚不会触发：没有积压就没有告警。",
                "The partition has a lag and casework commits nothing: boards and worklists stand still. A quiet night does \
                 not ring: without lag there is no alert.",
            ),
            steps: &[
                text!(
                    "核算日志里的 `code`：数据库不通会自动恢复；`halted` 见 HotlinePartitionHalted。",
                    "The `code` in casework's log: a database that is away passes by itself; for `halted` see HotlinePartitionHalted.",
                ),
                text!(
                    "`hotline partitions list` 看位置是否在动。",
                    "`hotline partitions list`: whether the position moves.",
                ),
                text!(
                    "数据库磁盘满时先腾出空间，不用重启。",
                    "A full disk of the database: make room; no restart is needed.",
                ),
            ],
        },
        AlertingRule {
            name: "HotlinePartitionHalted",
            expr: format!("max by (instance) ({}) > 0", casework::PARTITIONS_HALTED.name),
            lasts: "1m",
            severity: Severity::Page,
            says: text!(
                "有分区已停：日志不是原来那一份",
                "a partition is halted: its log is not the one that was read before",
            ),
            means: text!(
                "主题被删后重建、保留期删掉了未读的记录，或位置属于另一个集群。继续读会漏掉或重算，所以停下等人决定。",
                "The topic was made anew, retention removed what was unread, or the position is of another cluster. Going on \
                 would leave out or count twice, so it waits for a person.",
            ),
            steps: &[
                text!("`hotline doctor` 说明是哪一种。", "`hotline doctor` says which it is."),
                text!(
                    "确认后 `hotline partitions resume … --why`；漏掉的事件请平台重推（重复的会被识别）。",
                    "Then `hotline partitions resume … --why`; have the platform push again what is missing (duplicates are recognised).",
                ),
            ],
        },
        AlertingRule {
            name: "HotlineLagGrowing",
            expr: format!("max by (partition) ({lag}) > 300 and max by (partition) (deriv({lag}[15m])) > 0"),
            lasts: "10m",
            severity: Severity::Page,
            says: text!("积压超过五分钟且仍在增加", "the lag is over five minutes and grows"),
            means: text!(
                "核算跟不上推送。期限判断不受影响（以接收时间计），但看板和通报是旧的。",
                "Casework does not keep up. Verdicts are not touched (receipts count), but boards are old.",
            ),
            steps: &[
                text!(
                    "运行监控板“各阶段耗时”：`events`、`cases` 高是数据库慢；`fold` 高是某个案件事实太多。",
                    "Board Pipeline, seconds by stage: `events` and `cases` high is a slow database, `fold` a case with very many facts.",
                ),
                text!(
                    "加核算进程（至分区数为止）；检查数据库 I/O 与自动清理。",
                    "More casework processes (up to the number of partitions); the database's I/O and autovacuum.",
                ),
            ],
        },
        AlertingRule {
            name: "HotlineAlarmsLate",
            expr: format!("max({}) > 120", rates::ALARMS_AGE.name),
            lasts: "3m",
            severity: Severity::Page,
            says: text!("到时的提醒两分钟没有发出", "alarms that are due have not been told for two minutes"),
            means: text!(
                "时限看守没有运行，或跟不上。部门收不到预警和超期提醒。",
                "Timekeeper does not run or does not keep up: departments are not told of deadlines.",
            ),
            steps: &[
                text!(
                    "确认有 `hotline timekeeper` 在运行；看其日志。",
                    "Whether a `hotline timekeeper` runs; its log.",
                ),
                text!(
                    "节后集中到期时可再起一个进程，互不重复。",
                    "Where deadlines bunch after a holiday start another one: they share the work.",
                ),
                text!(
                    "`hotline alarms check` 为空即恢复。",
                    "Done when `hotline alarms check` finds nothing.",
                ),
            ],
        },
        AlertingRule {
            name: "HotlineNoticesStuck",
            expr: format!(
                "max by (receiver) ({}) > 900 or max({}) > 300",
                rates::NOTICES_AGE.name,
                rates::UNNUMBERED_AGE.name
            ),
            lasts: "5m",
            severity: Severity::Page,
            says: text!("通知没有送达接收方", "notices do not reach a receiver"),
            means: text!(
                "通知已生成，投递没有进行：接收方不应答，或投递进程没有运行。一天后会放弃并记录。",
                "Notices are there and are not delivered: the receiver does not answer, or no relay runs. After a day they are given up and noted.",
            ),
            steps: &[
                text!(
                    "`hotline notices receivers` 看哪一个停住，原因是什么。",
                    "`hotline notices receivers`: which one stands, and why.",
                ),
                text!(
                    "接收方修好后自动继续；已放弃的用 `hotline notices again`。",
                    "It goes on by itself once the receiver answers; what was given up: `hotline notices again`.",
                ),
            ],
        },
        AlertingRule {
            name: "HotlineSnapshotOld",
            expr: format!(
                "time() - max({snapshot}) > 120 or max(up{{job=\"hotline\"}}) unless max({snapshot})",
                snapshot = rates::SNAPSHOT.name
            ),
            lasts: "1m",
            severity: Severity::Ticket,
            says: text!("看板的数据已超过两分钟未刷新", "what boards show is older than two minutes"),
            means: text!(
                "`rates` 进程停了，或数据库太慢。下面所有待办、超期数都是旧的。",
                "The role `rates` has stopped, or the database is too slow: all counts of open and overdue cases are old.",
            ),
            steps: &[
                text!(
                    "确认有 `hotline rates` 在运行；看其日志。",
                    "Whether a `hotline rates` runs; its log."
                ),
                text!("数据库上有无长时间运行的查询。", "Whether something runs for long on the database."),
            ],
        },
        AlertingRule {
            name: "HotlineMonthsOld",
            expr: format!(
                "time() - max({months}) > 900 or max({snapshot}) unless max({months})",
                months = rates::MONTHS.name,
                snapshot = rates::SNAPSHOT.name
            ),
            lasts: "5m",
            severity: Severity::Ticket,
            says: text!(
                "通报板的月度数字十五分钟没有重新计算",
                "the figures of months were not computed for a quarter of an hour",
            ),
            means: text!(
                "待办与超期数是新的，通报板的比率和名次是旧的：`rates` 的月度计算失败、太慢，或一直轮不到它。`hotline bulletin` 不受影响。",
                "Counts of open cases are fresh, rates and ranks on the board Bulletin are not: the pass over months fails, is too \
                 slow, or never gets its turn. `hotline bulletin` is not touched.",
            ),
            steps: &[
                text!(
                    "`rates` 日志里有无 “boards could not be refreshed” 及其 `code`。",
                    "`rates` logs \"boards could not be refreshed\" with a `code`.",
                ),
                text!(
                    "数据库上有无长时间运行的事务；`[rates]` 的 `record_every` 是否被设得很长。",
                    "Whether a transaction runs for long on the database; whether `record_every` of `[rates]` is set to very long.",
                ),
                text!(
                    "急需数字时用 `hotline bulletin`：它直接计算，不读这些月份。",
                    "Who needs figures now asks `hotline bulletin`: it computes them and does not read these months.",
                ),
            ],
        },
        AlertingRule {
            name: "HotlineDeadLettersOld",
            expr: format!("max by (reason) ({}) > 14400", rates::DEAD_LETTERS_AGE.name),
            lasts: "5m",
            severity: Severity::Ticket,
            says: text!("有死信四小时无人处理", "dead letters have waited for four hours"),
            means: text!(
                "被拒收的事件保存着，等人处理。这些投诉在任何统计里都没有。",
                "Refused events are kept and wait for somebody: the complaints in them count nowhere.",
            ),
            steps: &[
                text!(
                    "`hotline dead-letters groups` 按原因看。",
                    "`hotline dead-letters groups`, by reason."
                ),
                text!(
                    "来源或代码未登记：补进规则库并启用，然后 `hotline dead-letters redrive`；内容有误：`fix`；确属垃圾：`discard --why`。",
                    "A source or code that is not listed: add it to the rulebook, activate, then `hotline dead-letters redrive`; wrong content: `fix`; rubbish: `discard --why`.",
                ),
            ],
        },
        AlertingRule {
            name: "HotlineDeadLettersMany",
            expr: format!(
                "sum({EVENTS_GAINED}{{outcome!~\"{sound}\"}}) > 10 and \
                 sum({EVENTS_GAINED}{{outcome!~\"{sound}\"}}) / sum({EVENTS_GAINED}{{outcome!=\"{stopped}\"}}) > {BUDGET}"
            ),
            lasts: "5m",
            severity: Severity::Ticket,
            says: text!("超过千分之一的事件被拒收", "more than one event of a thousand is refused"),
            means: text!(
                "某个来源改了格式或代码，或有人推送无关内容。已停用来源的事件不计在内。",
                "A source has changed its form or codes, or somebody sends what does not belong here. Events of stopped sources \
                 do not count.",
            ),
            steps: &[
                text!(
                    "`hotline dead-letters groups`，看来源和错误位置。",
                    "`hotline dead-letters groups`: source and place of the fault.",
                ),
                text!(
                    "联系来源；必要时 `hotline sources pause`，事件保留为死信，本告警随之停止。",
                    "Talk to the source; if need be `hotline sources pause`: its events are kept as dead letters, and this ends.",
                ),
            ],
        },
        AlertingRule {
            name: "HotlineSourceDiverted",
            expr: format!("max({}{{stop=\"diverted\"}}) > 0", rates::SOURCES_STOPPED.name),
            lasts: "0m",
            severity: Severity::Page,
            says: text!("有来源被自动分流：拒收过多", "a source was diverted: too much of it was refused"),
            means: text!(
                "该来源一百条连续被拒或千条中超过五十条被拒，其后的事件全部保留为死信，不影响其他来源。",
                "A hundred of its events in a row, or fifty of a thousand, were refused; all that follows is kept as dead letters. Nobody else is touched.",
            ),
            steps: &[
                text!("`hotline sources list` 看是哪个、为什么。", "`hotline sources list`: which and why."),
                text!(
                    "修好后 `hotline sources resume`，再 `hotline dead-letters redrive --source …`。",
                    "Once mended `hotline sources resume`, then `hotline dead-letters redrive --source …`.",
                ),
            ],
        },
        AlertingRule {
            name: "HotlineClockAhead",
            // The gauge stays as it is when nothing comes any more: only a source that was heard within the hour counts.
            expr: format!(
                "min by (source) ({} and time() - {} < 3600) < -60",
                casework::SKEW_SECONDS.name,
                casework::LAST_RECEIPT.name
            ),
            lasts: "10m",
            severity: Severity::Ticket,
            says: text!("来源的时钟快了一分钟以上", "the clock of a source is more than a minute ahead"),
            means: text!(
                "该平台声称的时间晚于接收时间。超过允许值的事件会被拒收（future_dated）。一小时没有新事件即停止。",
                "It claims what has not happened yet. Beyond the tolerance events are refused (future_dated). It ends an hour \
                 after the last event of the source.",
            ),
            steps: &[text!(
                "请对方校时；`hotline doctor` 列出各来源的偏差。",
                "Have them set their clock; `hotline doctor` lists the skew of each source.",
            )],
        },
        AlertingRule {
            name: "HotlineOverdueSurge",
            expr: {
                let now = format!("max by (department) ({})", rates::OVERDUE.name);
                format!("{now} > 5 and {now} > {}", twice_the_mean_of_weeks(rates::OVERDUE.name, &now))
            },
            lasts: "30m",
            severity: Severity::Ticket,
            says: text!(
                "某部门超期件数是近四周同一时刻的两倍以上",
                "a department has more than twice as many overdue cases as at this hour of the last four weeks",
            ),
            means: text!(
                "积压或派单异常，或该部门没有在平台上操作。近四周中 Prometheus 没有数据的周不参与比较。",
                "Cases pile up, routing has changed, or the department does not act on the platform. Of the four weeks those \
                 count of which Prometheus still has data.",
            ),
            steps: &[
                text!(
                    "今日待办板，该部门的超期清单；按类别看是否集中。",
                    "Board Today, its list of overdue cases; whether they are of one category.",
                ),
                text!(
                    "是否有面广的事件（停水、台风）：考虑整体挂起（`holds.toml`）。",
                    "Whether something general happened (water, typhoon): consider a general hold (`holds.toml`).",
                ),
            ],
        },
        AlertingRule {
            name: "HotlineNoticesUndelivered",
            expr: format!("max by (receiver) ({}) > 0", rates::UNDELIVERED.name),
            lasts: "0m",
            severity: Severity::Ticket,
            says: text!("有通知最终未送达", "notices were given up"),
            means: text!(
                "接收方一天内没有收下。部门可能不知道临期和超期。",
                "The receiver did not take them within a day: departments may not know.",
            ),
            steps: &[text!(
                "`hotline notices receivers` 看原因，修好后 `hotline notices again`。",
                "`hotline notices receivers` for the reason; once mended `hotline notices again`.",
            )],
        },
        AlertingRule {
            name: "HotlineRefoldStuck",
            expr: format!(
                "min({}) == 0 unless sum(increase({}[30m])) > 0",
                casework::REFOLD_DONE.name,
                casework::CASES_REFOLDED.name
            ),
            lasts: "30m",
            severity: Severity::Ticket,
            says: text!("新规则库的重算停住了", "folding under the new rulebook does not go on"),
            means: text!("重算未完成前通报不得发布。", "Until it is through bulletins are not published."),
            steps: &[
                text!(
                    "`hotline rulebook status`；核算日志里有无无法重算的案件。",
                    "`hotline rulebook status`; whether casework's log names cases that cannot be folded.",
                ),
                text!("确认核算进程都是同一版本。", "Whether all casework processes are of one version."),
            ],
        },
        AlertingRule {
            name: "HotlineCalendarEnds",
            expr: format!("min by (calendar) ({}) - time() < 60 * 86400", rates::CALENDAR.name),
            lasts: "1h",
            severity: Severity::Ticket,
            says: text!("工作日历两个月内到头", "the working calendar ends within two months"),
            means: text!(
                "其后的期限是暂定的。国务院办公厅每年十一月前后公布次年放假安排。",
                "Deadlines after it are provisional. The State Council publishes next year's holidays about November.",
            ),
            steps: &[text!(
                "把新一年加入规则库的 `calendars/`，`hotline rulebook activate`；暂定期限会自动定下来。",
                "Add the year to `calendars/` of the rulebook and `hotline rulebook activate`: provisional deadlines are settled.",
            )],
        },
        AlertingRule {
            name: "HotlineFilesNearLimit",
            expr: format!("{} / {} > 0.8", process::FILES.name, process::FILES_MAX.name),
            lasts: "10m",
            severity: Severity::Ticket,
            says: text!("进程的文件句柄快用完", "a process has nearly all the files open that it may"),
            means: text!("用完后新连接会被拒绝。", "Beyond it new connections are refused."),
            steps: &[text!(
                "调大 `LimitNOFILE`（systemd）或容器的 ulimit；看是否有客户端不断新建连接。",
                "Raise `LimitNOFILE` (systemd) or the container's ulimit; see whether a client opens connections again and again.",
            )],
        },
        AlertingRule {
            name: "HotlineDeadMansSwitch",
            expr: "vector(1)".to_owned(),
            lasts: "0m",
            severity: Severity::None,
            says: text!("告警链路正常（一直在触发）", "alerting works (this one always fires)"),
            means: text!(
                "若外部看守收不到它，说明 Prometheus 或 Alertmanager 已停。",
                "If the watcher outside does not get it, Prometheus or Alertmanager is down.",
            ),
            steps: &[text!(
                "外部看守告警时，先看 Prometheus 与 Alertmanager。",
                "When the watcher outside rings, look at Prometheus and Alertmanager first.",
            )],
        },
    ]
}
