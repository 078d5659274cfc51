//! What the codes of lists, records and the access log are called. Those of views stand in [`hotline_events::words`].

use hotline_core::anomaly::AnomalyCode;
use hotline_core::fact::{Kind, RulingEffect};
use hotline_core::findings::{JUDGED_DEPARTMENT, OTHER_AUTHOR};
use hotline_events::{Lang, words};

pub(super) fn verdict(name: &str, lang: Lang) -> &str {
    match name {
        "met" => lang.of("按时", "in time"),
        "late" => lang.of("超期", "late"),
        "left_late" => lang.of("超期（未完成即结束）", "left late"),
        "void" => lang.of("不计", "void"),
        "none_stopped" => lang.of("无时限", "no limit"),
        other => other,
    }
}

pub(super) fn rating(name: &str, lang: Lang) -> String {
    match name {
        "unanswered" => lang.of("未作评价", "not answered").to_owned(),
        "unreached" => lang.of("未接通", "not reached").to_owned(),
        "default" => lang.of("默认评价", "by default").to_owned(),
        "not_asked" => lang.of("未回访", "not asked").to_owned(),
        "not_required" => lang.of("无需回访", "not required").to_owned(),
        grade => lang.of(format!("{grade} 分"), format!("{grade} of 5")),
    }
}

/// A type of event by its name.
pub(super) fn kind(name: &str, lang: Lang) -> &str {
    Kind::parse(name).map_or(name, |kind| words::kind(kind, lang))
}

pub(super) fn effect(name: &str, lang: Lang) -> &str {
    RulingEffect::parse(name).map_or(name, |effect| words::effect(effect, lang))
}

/// What a correction did.
pub(super) fn changed(name: &str, lang: Lang) -> &str {
    match name {
        "voided" => lang.of("作废", "voided"),
        "moved" => lang.of("改时间", "its time was changed"),
        "restated" => lang.of("改内容", "its data were changed"),
        other => other,
    }
}

/// A mark of a fact in a few characters; [`meaning`] says it whole.
pub(super) fn mark(code: &str, lang: Lang) -> String {
    let zh = match code {
        OTHER_AUTHOR => "非原报送方",
        JUDGED_DEPARTMENT => "被考核单位",
        "unregistered" => "未登记",
        "already_registered" => "重复登记",
        "round_not_open" => "办结后发生",
        "round_still_open" => "未办结即重办",
        "never_closed" => "从未办结",
        "no_custody" => "并未承办",
        "not_held" => "并未暂停",
        "no_submission" => "无人提交",
        "clock_ahead" => "时间超前",
        "backdated" => "补录",
        "correction_target_unknown" => "更正无对象",
        "correction_mismatch" => "更正类型不符",
        "correction_out_of_order" => "更正次序不符",
        "correction_of_ours" => "更正系统派单",
        "extension_not_allowed" => "不允许延期",
        "extension_excess" => "延期超限",
        "extension_asked_late" => "延期申请过迟",
        "extension_granted_late" => "逾期批准延期",
        "return_asked_late" => "退单过迟",
        "return_excess" => "退单超限",
        "return_barred" => "不得再退",
        "pin_superseded" => "系统派单失效",
        "no_route" => "无派单规则",
        "policy_draw" => "规则并列",
        "unknown_hotline" => "未知热线",
        "unknown_department" => "未知单位",
        "unknown_code" => "未知代码",
        other => return other.to_owned(),
    };
    lang.of(zh.to_owned(), code.replace('_', " "))
}

/// What a mark means.
pub(super) fn meaning(code: &str, lang: Lang) -> Option<&'static str> {
    match code {
        OTHER_AUTHOR => Some(lang.of(
            "更正来自另一来源，不是原事实的报送方。",
            "Corrected by another source than the one that sent the fact.",
        )),
        JUDGED_DEPARTMENT => Some(lang.of(
            "更正来自因此被考核的单位自己的来源。",
            "Corrected by the source of a department that is judged by it.",
        )),
        code => {
            let known = AnomalyCode::ALL.iter().find(|known| known.code() == code)?;
            Some(words::anomaly(*known, lang))
        }
    }
}

/// What a step of the access log is.
pub(super) fn step(name: &str, lang: Lang) -> &str {
    match name {
        "exported" => lang.of("导出", "took a list away"),
        "unmasked" => lang.of("查看未脱敏信息", "saw identities"),
        "token_created" => lang.of("签发令牌", "made a token"),
        "token_revoked" => lang.of("吊销令牌", "revoked a token"),
        other => other,
    }
}

pub(super) fn role(name: &str, lang: Lang) -> &str {
    match name {
        "auditor" => lang.of("审计", "auditor"),
        "supervisor" => lang.of("监督", "supervisor"),
        "operator" => lang.of("运维", "operator"),
        "command" => lang.of("命令行", "command line"),
        other => other,
    }
}

/// How far an export is.
pub(super) fn export_state(name: &str, lang: Lang) -> &str {
    match name {
        "running" => lang.of("进行中", "under way"),
        "done" => lang.of("完成", "done"),
        "broken" => lang.of("中断", "broken off"),
        "idle" => lang.of("无人接收，已中断", "broken off, not read"),
        other => other,
    }
}

/// What a closure record is of.
pub(super) fn record(name: &str, lang: Lang) -> &str {
    match name {
        "closed" => lang.of("办结", "closed"),
        "rated" => lang.of("评价", "rated"),
        "reopened" => lang.of("重办", "reopened"),
        "ruled" => lang.of("考核认定", "ruled"),
        "corrected" => lang.of("更正", "corrected"),
        "restated" => lang.of("规则变更后重算", "restated by another rulebook"),
        "recorded" => lang.of("补记", "recorded after the fact"),
        "standing" => lang.of("通报存证", "as it stood in a bulletin"),
        "unmasked" => lang.of("查看未脱敏信息", "identities were seen"),
        "relog" => lang.of("重新开始日志", "the log was begun anew"),
        "adopt" => lang
            .of("检查点文件遗失，按数据库继续", "went on from the database, the checkpoint file being lost"),
        other => other,
    }
}

/// What a finding is.
pub(super) fn finding(name: &str, lang: Lang) -> &str {
    match name {
        "excluded" => lang.of("考核剔除", "excluded by a ruling"),
        "ruled" => lang.of("考核认定", "ruled"),
        "extended" => lang.of("延期", "extended"),
        "held" => lang.of("暂停计时", "held"),
        "backdated" => lang.of("补录办结", "closed late on paper"),
        "rated_by_default" => lang.of("默认评价", "rated by default"),
        "corrected" => lang.of("更正", "corrected"),
        other => other,
    }
}

/// Why the closure log stands still. What is to be done about it is the operator's affair.
pub(super) fn halt(code: &str, lang: Lang) -> &'static str {
    match code {
        "log_rollback" => lang.of(
            "数据库与已签名的内容不符：可能恢复过旧备份，或被改动。",
            "the database is not what was signed: an older backup, or an alteration",
        ),
        "log_damaged" => lang.of("日志各表互相矛盾。", "the tables of the log contradict each other"),
        "log_file_missing" => {
            lang.of("数据库之外的检查点文件缺失。", "the checkpoint file outside the database is missing")
        }
        "log_file_unfit" => {
            lang.of("检查点文件不是本系统所写。", "the checkpoint file is not what this program wrote")
        }
        "log_key_missing" => lang.of("日志密钥缺失。", "the key of the log is missing"),
        _ => lang.of("无法读取。", "it cannot be read"),
    }
}
