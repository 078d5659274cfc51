//! Alerts of the closure log.

use hotline_audit::metrics as audit;

use super::{AlertingRule, Severity};
use crate::text::text;

pub(super) fn alerts() -> Vec<AlertingRule> {
    vec![
        AlertingRule {
            name: "HotlineLogRollback",
            expr: format!(
                "max by (reason) ({}) > 0 or max by (witness) ({}) > 0",
                audit::HALTED.name,
                audit::REFUSED.name
            ),
            lasts: "0m",
            severity: Severity::Page,
            says: text!(
                "办结留痕日志与已签名的不一致，封存已停，或见证方拒签",
                "the closure log is not what was signed: sealing stands still, or a witness refuses",
            ),
            means: text!(
                "数据库比库外的检查点文件旧，或被改过，或有记录被挡在日志之外；或文件、签名密钥丢失。接收、核算、通报照常进行，只是新的办结记录不再封存。若标签是 \
                 witness：见证方看到过与现在公布的不同的日志，可能数据库和检查点文件一起被换回旧的。",
                "The database is older than the checkpoint file outside it, or was altered, or a record was kept out of the log; or \
                 the file or the signing key is gone. Intake, casework and bulletins go on; new closure records are not sealed. With \
                 the label witness: a witness has seen another log than the one that is published; database and file may have been \
                 put back together.",
            ),
            steps: &[
                text!(
                    "`hotline doctor` 和 audit 进程的日志说明原因；先不要动数据库和检查点文件，各留一份副本。",
                    "`hotline doctor` and the log of the role audit say why; first keep copies of the database and of the checkpoint file as they are.",
                ),
                text!(
                    "`hotline audit check` 列出不符之处；`--note` 加上见证方保存的检查点一起核对。",
                    "`hotline audit check` lists what differs; with `--note` beside a checkpoint that a witness has kept.",
                ),
                text!(
                    "刚恢复过备份：`hotline audit relog --reason …` 开始新日志，首条即旧检查点，并把新公钥交给核验人和见证方；其间丢失的记录请上级平台重推。",
                    "A backup was restored: `hotline audit relog --reason …` begins a new log whose first leaf is the old checkpoint; give the new key to whoever checks and to the witnesses; have the platforms push again what was lost.",
                ),
                text!(
                    "检查点文件丢失：从副本恢复；确实没有了用 `hotline audit adopt --reason …`。密钥丢失：从备份恢复 `log.key`，否则 relog。",
                    "The checkpoint file is gone: restore it; if there is none, `hotline audit adopt --reason …`. The key is gone: restore `log.key` from a backup, else relog.",
                ),
                text!(
                    "没有人恢复过备份：按篡改处理，保留现场并报告。",
                    "Nobody restored anything: treat it as tampering, keep everything as it is and report it.",
                ),
            ],
        },
        AlertingRule {
            name: "HotlineSealingBehind",
            expr: format!(
                "max({}) > 0 and time() - max({}) > 300",
                audit::WAITING.name,
                audit::CHECKPOINT.name
            ),
            lasts: "5m",
            severity: Severity::Ticket,
            says: text!("办结记录五分钟没有封存", "closure records have not been sealed for five minutes"),
            means: text!(
                "有记录在等，而检查点没有更新：没有 audit 进程在封存，或数据库太慢。",
                "Records wait and no checkpoint follows: no role audit seals, or the database is too slow.",
            ),
            steps: &[
                text!(
                    "是否同时有 HotlineLogRollback：先处理它。",
                    "If HotlineLogRollback fires too, see to that first.",
                ),
                text!(
                    "确认有 `hotline audit` 在运行；看其日志里的 `error.code`。",
                    "Whether a `hotline audit` runs; the `error.code` in its log.",
                ),
                text!(
                    "升级后首次封存会有积压，等待数下降即正常。",
                    "After an upgrade the first records are many: it is well while the number that waits goes down.",
                ),
            ],
        },
        AlertingRule {
            name: "HotlineWitnessSilent",
            expr: format!("max by (witness) ({}) > 0", audit::BEHIND.name),
            lasts: "30m",
            severity: Severity::Ticket,
            says: text!("见证方半小时没有签名", "a witness has not cosigned for half an hour"),
            means: text!(
                "见证方不应答。封存和公布不受影响，但这段时间的日志没有外部见证。",
                "It does not answer. Sealing and publishing go on; of this time nobody outside has seen the log.",
            ),
            steps: &[
                text!(
                    "audit 进程日志中 `a witness is away` 的原因；网络、对方程序是否在运行。",
                    "The reason beside `a witness is away` in the log of the role audit; the network; whether theirs runs.",
                ),
                text!("恢复后自动补签，不需要操作。", "It catches up by itself once it answers.",),
            ],
        },
    ]
}
