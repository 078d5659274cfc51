//! What auditors look at twice.

use hotline_audit::metrics as audit;

use super::{MEASURES, RULEBOOK, lines, list, metrics, quantile, rate, record, stat, table};
use crate::boards::Board;
use crate::boards::panel::See;
use crate::text::text;

#[expect(clippy::too_many_lines, reason = "a list")]
pub(super) fn audit() -> Board {
    let one = |expr: String| metrics(&[(expr, "")]);
    Board {
        id: "audit",
        title: text!("留痕核验", "Audit"),
        says: text!("补录、口径变化、重算状态：哪里该核对。", "Back-dating, definitions, refolds: where to look twice."),
        from: "now-90d",
        refresh: "5m",
        variables: Vec::new(),
        panels: vec![
            stat(
                text!("留痕日志条数", "Size of the closure log"),
                text!("已签名的办结记录数。", "Closure records that were signed."),
                "short",
                one(format!("max({})", audit::LOG_SIZE.name)),
                See::Runbook("HotlineSealingBehind"),
            ),
            stat(
                text!("等待封存", "Waiting to be sealed"),
                text!("已写入、尚未进入日志的办结记录。", "Closure records that are written and not in the log yet."),
                "short",
                one(format!("max({})", audit::WAITING.name)),
                See::Runbook("HotlineSealingBehind"),
            ),
            stat(
                text!("距上次签名", "Since the last checkpoint"),
                text!(
                    "最近一次签名到现在；没有新记录时也会变大。",
                    "Since the log was signed last; it grows, too, where nothing is closed."
                ),
                "s",
                one(format!("time() - max({})", audit::CHECKPOINT.name)),
                See::Runbook("HotlineSealingBehind"),
            ),
            stat(
                text!("封存已停", "Sealing stands still"),
                text!("1：数据库与已签名的不一致，等人处理。", "1: the database is not what was signed; somebody must look."),
                "short",
                one(format!("max({})", audit::HALTED.name)),
                See::Runbook("HotlineLogRollback"),
            )
            .limits(1.0, 1.0),
            stat(
                text!("见证拒签", "Witnesses that refuse"),
                text!("看到过另一份日志的见证方数。", "Witnesses that have seen another log."),
                "short",
                one(format!("sum({}) or 0 * max({})", audit::REFUSED.name, audit::LOG_SIZE.name)),
                See::Runbook("HotlineLogRollback"),
            )
            .limits(1.0, 1.0),
            stat(
                text!("距上次见证", "Since the last cosignature"),
                text!("最久没有签名的见证方。", "Of the witness that has been silent longest."),
                "s",
                one(format!("time() - min({})", audit::COSIGNED.name)),
                See::Runbook("HotlineWitnessSilent"),
            ),
            lines(
                text!("封存速度", "Records sealed a second"),
                text!("每秒进入日志的办结记录。", "Closure records taken into the log."),
                "short",
                one(format!("sum(rate({}[$__rate_interval]))", audit::SEALED.name)),
                See::Runbook("HotlineSealingBehind"),
            ),
            lines(
                text!("见证落后", "Witnesses behind"),
                text!("各见证方尚未签名的条数。", "Leaves that each witness has not cosigned."),
                "short",
                metrics(&[(format!("max by (witness) ({})", audit::BEHIND.name), "{{witness}}")]),
                See::Runbook("HotlineWitnessSilent"),
            ),
            stat(
                text!("已读记录", "Records read"),
                text!("各来源位置之和：统计的依据。", "The sum of all positions: what the figures rest on."),
                "short",
                record("SELECT records FROM record_stamp"),
                See::Definition(MEASURES),
            ),
            stat(
                text!("规则库", "Rulebook"),
                text!("当前规则库的序号。", "The number of the active rulebook."),
                "short",
                record("SELECT rulebook_seq FROM record_stamp"),
                See::Definition(RULEBOOK),
            ),
            stat(
                text!("统计依据年龄", "Age of the record"),
                text!("月度统计最近一次计算至今。", "Since the monthly figures were computed last."),
                "s",
                record("SELECT rates_age_seconds AS age FROM record_stamp"),
                See::Runbook("HotlineMonthsOld"),
            ),
            table(
                text!("依据", "Stamp"),
                text!("规则库散列、程序版本、各来源位置。", "Rulebook hash, fold, position of each origin."),
                record("SELECT rulebook_seq, rulebook_hash, fold_version, fold_pending, rates_as_of, positions FROM record_stamp"),
                See::Definition(MEASURES),
            ),
            list(
                text!("补录", "Back-dated"),
                text!("近九十天内，声称时间远早于接收时间的案件。", "Cases with facts that claim to be much older than their receipt, of the last 90 days."),
                "since, is_open, closed_at", "backdated", "since DESC, case_id",
            ),
            table(
                text!("可疑操作指标", "Signs of gaming"),
                text!("压哨办结、办结后重开、末日延期、补录办结等；不排名。", "Closed in the last hour, reopened soon after, extended on the last day, back-dated; not ranked."),
                record(
                    "SELECT to_char(month, 'YYYY-MM') AS month, rate, {name} AS name, {numerator} AS numerator, {denominator} AS denominator, {share} AS share FROM rates_of_record
                      WHERE hotline = '*' AND department = '*' AND rate LIKE 'gaming.%' AND $__timeFilter(time) ORDER BY month DESC, rate",
                ),
                See::Definition(MEASURES),
            ),
            table(
                text!("全部口径", "All definitions"),
                text!("当前规则库的指标定义与版本。", "The rates of the active rulebook, with their versions."),
                record("SELECT rate, version, {name} AS name, basis, numerator, denominator, best FROM rate_definitions ORDER BY rate"),
                See::Definition(RULEBOOK),
            ),
            table(
                text!("综合得分定义", "Definitions of scores"),
                text!("权重、底线与分组。", "Weights, floors, groups."),
                record("SELECT score, version, {name} AS name, terms, groups FROM score_definitions ORDER BY score"),
                See::Definition(RULEBOOK),
            ),
            lines(
                text!("审计查询（每秒）", "Questions a second"),
                text!("按地址与应答代码。", "By route and code of the answer."),
                "reqps",
                metrics(&[(rate(audit::REQUESTS, "route, code"), "{{route}} {{code}}")]),
                See::Definition(MEASURES),
            ),
            lines(
                text!("审计应答时间", "How long auditors wait"),
                text!("到应答开始，按地址的九十九分位。", "Until the answer begins, by route."),
                "s",
                metrics(&[(quantile("0.99", audit::REQUEST_SECONDS, "route"), "p99 {{route}}")]),
                See::Definition(MEASURES),
            ),
            lines(
                text!("办结清单更新（每秒）", "Lists brought up to date a second"),
                text!("重新列出的工单，与每步用时。", "Cases whose rows were made anew, and how long a step takes."),
                "short",
                metrics(&[
                    (rate(audit::KEPT_CASES, ""), "cases"),
                    (quantile("0.99", audit::KEEP_SECONDS, ""), "seconds p99"),
                ]),
                See::Definition(MEASURES),
            ),
            lines(
                text!("导出", "Exports"),
                text!("导出的行（每秒），与正在写的文件。", "Rows taken away a second, and files being written."),
                "short",
                metrics(&[
                    (rate(audit::EXPORTED_ROWS, "format"), "{{format}}"),
                    (format!("sum({})", audit::EXPORTS.name), "being written"),
                ]),
                See::Definition(MEASURES),
            ),
        ],
    }
}
