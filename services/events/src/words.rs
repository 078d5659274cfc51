//! What people call the codes of a view, in Chinese and English: the one table of words.
//!
//! A code that stands in no table, a rulebook's own, is shown as it is.

use std::fmt;

use hotline_core::anomaly::AnomalyCode;
use hotline_core::deadline::ExtensionFrom;
use hotline_core::fact::{Kind, Role, RulingEffect, Unit};
use hotline_core::fold::{ClockState, CustodyEnd, Outcome, Verdict};
use hotline_core::rulebook::Level;

/// The language of what people read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lang {
    Zh,
    En,
}

impl Lang {
    pub const NAMES: [&str; 2] = ["zh", "en"];

    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "zh" => Some(Lang::Zh),
            "en" => Some(Lang::En),
            _ => None,
        }
    }

    /// The one of two texts that is in this language.
    pub fn of<T>(self, zh: T, en: T) -> T {
        match self {
            Lang::Zh => zh,
            Lang::En => en,
        }
    }
}

pub fn kind(kind: Kind, lang: Lang) -> &'static str {
    let zh = match kind {
        Kind::Received => "登记",
        Kind::Amended => "变更",
        Kind::Supplemented => "补充",
        Kind::Linked => "关联",
        Kind::Dispatched => "派单",
        Kind::Signed => "签收",
        Kind::Contacted => "联系诉求人",
        Kind::Replied => "答复",
        Kind::Accepted => "受理",
        Kind::Refused => "不予受理",
        Kind::ReturnRequested => "申请退单",
        Kind::ReturnRefused => "驳回退单",
        Kind::Returned => "退单",
        Kind::ExtensionRequested => "申请延期",
        Kind::ExtensionRefused => "驳回延期",
        Kind::Extended => "延期",
        Kind::Held => "暂停计时",
        Kind::Released => "恢复计时",
        Kind::Verified => "核查",
        Kind::Notified => "告知",
        Kind::Submitted => "提交办结",
        Kind::CloseRefused => "审核退回",
        Kind::Closed => "办结",
        Kind::Merged => "并单",
        Kind::Split => "拆分",
        Kind::Withdrawn => "撤回",
        Kind::Rated => "评价",
        Kind::Reopened => "重办",
        Kind::Urged => "催办",
        Kind::Supervised => "督办",
        Kind::SupervisionAnswered => "督办回复",
        Kind::Acknowledged => "确认提醒",
        Kind::Appealed => "考核申诉",
        Kind::Ruled => "考核认定",
        Kind::Milestone => "节点",
        Kind::Snapshot => "快照",
        Kind::Corrected => "更正",
    };
    lang.of(zh, kind.name())
}

/// A code of an event or of a rulebook, as far as it is a common one.
pub fn code(code: &str, lang: Lang) -> &str {
    let zh = match code {
        "consult" => "咨询",
        "help" => "求助",
        "complaint" => "投诉",
        "report" => "举报",
        "suggestion" => "建议",
        "praise" => "表扬",
        "petition" => "信访",
        "other" => "其他",
        "normal" => "一般",
        "urgent" => "紧急",
        "critical" => "特急",
        "ordinary" => "普通",
        "direct" => "直接办结",
        "unclassified" => "未分类",
        "sign" => "签收",
        "contact" => "联系",
        "reply" => "答复",
        "accept" => "受理",
        "verify" => "核查",
        "close" => "办结",
        "review" => "审核",
        "dispatch" => "派单",
        "follow_up" => "回访",
        "supervise" | "supervision" => "督办",
        "inspection" => "检验检测鉴定",
        "parked" => "挂起",
        "recusal" => "回避",
        "force_majeure" => "不可抗力",
        "resolved" => "已解决",
        "explained" => "已解释",
        "mediated" => "调解成功",
        "settled" => "和解",
        "terminated" => "终止",
        "transferred" => "移送",
        "filed" => "立案",
        "not_filed" => "不予立案",
        "unfounded" => "不属实",
        "dissatisfied" => "不满意",
        "repeat" => "重复诉求",
        "first" => "首次派单",
        "redispatch" => "改派",
        "reorganisation" => "机构改革",
        "credit" => "前一承办单位用时不计",
        "return_pending" => "退单审核期间",
        "reached" => "已联系上",
        "call" => "电话",
        "sms" => "短信",
        "app" => "应用",
        "paper" => "书面",
        "default" => "默认",
        "yes" => "是",
        "no" => "否",
        "partly" => "部分",
        _ => return code,
    };
    lang.of(zh, code)
}

pub fn verdict(verdict: Verdict, lang: Lang) -> &'static str {
    match verdict {
        Verdict::Met => lang.of("按时", "in time"),
        Verdict::Late => lang.of("超期", "late"),
        Verdict::Void => lang.of("不计", "void: it ended in time otherwise"),
        Verdict::LeftLate => lang.of("超期（未完成即结束）", "left late"),
        Verdict::Open => lang.of("在办", "open"),
        Verdict::NoneStopped | Verdict::NoneOpen => lang.of("无时限", "no limit"),
    }
}

pub fn state(state: ClockState, lang: Lang) -> &'static str {
    match state {
        ClockState::Running => lang.of("计时中", "running"),
        ClockState::Held => lang.of("暂停计时", "held"),
        ClockState::InReview => lang.of("审核中", "under review"),
        ClockState::Overdue => lang.of("已超期", "overdue"),
    }
}

pub fn effect(effect: RulingEffect, lang: Lang) -> &'static str {
    match effect {
        RulingEffect::Exclude => lang.of("剔除", "exclude"),
        RulingEffect::Met => lang.of("认定按时", "counts as met"),
        RulingEffect::Failed => lang.of("认定未达", "counts as failed"),
        RulingEffect::Restore => lang.of("恢复", "restore"),
    }
}

pub fn role(role: Role, lang: Lang) -> &'static str {
    match role {
        Role::Lead => lang.of("主办", "lead"),
        Role::Co => lang.of("协办", "co"),
        Role::Sub => lang.of("转派", "sub"),
    }
}

pub fn ended(how: CustodyEnd, lang: Lang) -> &'static str {
    match how {
        CustodyEnd::Returned => lang.of("退单", "returned"),
        CustodyEnd::Redispatched => lang.of("改派", "dispatched to another"),
        CustodyEnd::Reorganisation => lang.of("机构改革", "reorganisation"),
        CustodyEnd::WithParent => lang.of("随上级结束", "ended with its parent"),
        CustodyEnd::Closed => lang.of("办结", "closed"),
    }
}

pub fn level(level: Level, lang: Lang) -> &'static str {
    match level {
        Level::Notice => lang.of("提醒", "notice"),
        Level::Warning => lang.of("预警", "warning"),
        Level::Breach => lang.of("超期警示", "breach"),
        Level::Escalation => lang.of("升级督办", "escalation"),
    }
}

pub fn extension_from(from: ExtensionFrom, lang: Lang) -> &'static str {
    match from {
        ExtensionFrom::OldDue => lang.of("自原期限起", "from the old deadline"),
        ExtensionFrom::Grant => lang.of("自批准日起", "from the grant"),
        ExtensionFrom::Start => lang.of("自起算日起合计", "in all from the start"),
    }
}

/// What the caller said.
pub fn outcome(outcome: Outcome, lang: Lang) -> String {
    let words = match outcome {
        Outcome::Answered(grade) => return lang.of(format!("{grade} 分"), format!("{grade} of 5")),
        Outcome::Unanswered => lang.of("未作评价", "not answered"),
        Outcome::Unreached => lang.of("未接通", "not reached"),
        Outcome::Default => lang.of("系统默认评价", "default rating"),
        Outcome::NotAsked => lang.of("未回访", "not asked"),
        Outcome::NotRequired => lang.of("无需回访", "not required"),
    };
    words.to_owned()
}

/// So many of a unit: `5 个工作日`, `5 working days`.
#[derive(Clone, Copy, Debug)]
pub struct Count(pub i64, pub Unit, pub Lang);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(count, unit, lang) = *self;
        let (zh, en) = match unit {
            Unit::Hour => ("小时", "hour"),
            Unit::WorkingHour => ("个工作小时", "working hour"),
            Unit::RoundClockHour => ("小时（休息日顺延）", "hour, rest days deferred"),
            Unit::CalendarDay => ("个自然日", "calendar day"),
            Unit::WorkingDay => ("个工作日", "working day"),
        };
        match lang {
            Lang::Zh => write!(f, "{count} {zh}"),
            Lang::En if count == 1 => write!(f, "1 {en}"),
            Lang::En => match en.split_once(',') {
                Some((unit, rest)) => write!(f, "{count} {unit}s,{rest}"),
                None => write!(f, "{count} {en}s"),
            },
        }
    }
}

/// What an anomaly means.
pub fn anomaly(code: AnomalyCode, lang: Lang) -> &'static str {
    let zh = match code {
        AnomalyCode::Unregistered => "尚无登记记录；登记到达前不计入任何统计。",
        AnomalyCode::AlreadyRegistered => "同一诉求件再次登记；以首次登记为准。",
        AnomalyCode::RoundNotOpen => "发生时本轮已办结。",
        AnomalyCode::RoundStillOpen => "尚未办结即要求重办。",
        AnomalyCode::NeverClosed => "对从未办结的诉求件评价或重办。",
        AnomalyCode::NoCustody => "所称承办单位当时并未承办。",
        AnomalyCode::NotHeld => "恢复计时，但并未以此事由暂停。",
        AnomalyCode::NoSubmission => "审核退回，但无人提交办结。",
        AnomalyCode::ClockAhead => "所称时间晚于收到时间；按收到时间计。",
        AnomalyCode::Backdated => "所称时间早于来源允许的补录期限。",
        AnomalyCode::CorrectionTargetUnknown => "更正的对象尚未到达。",
        AnomalyCode::CorrectionMismatch => "更正所称类型与对象不符。",
        AnomalyCode::CorrectionOutOfOrder => "更正的对象是排在其后的另一更正。",
        AnomalyCode::CorrectionOfOurs => "更正的是系统自身的派单；应由热线另行派单取代。",
        AnomalyCode::ExtensionNotAllowed => "该环节的规则不允许延期。",
        AnomalyCode::ExtensionExcess => "延期次数或长度超过规则允许。",
        AnomalyCode::ExtensionAskedLate => "延期申请过迟。",
        AnomalyCode::ExtensionGrantedLate => "期限届满后批准的延期，按规则无效。",
        AnomalyCode::ReturnAskedLate => "超过允许时间申请退单。",
        AnomalyCode::ReturnExcess => "退单次数超过规则允许。",
        AnomalyCode::ReturnBarred => "已被最终驳回的承办单位再次退单。",
        AnomalyCode::PinSuperseded => "热线已自行派单；系统派单不生效。",
        AnomalyCode::NoRoute => "没有适用的派单规则。",
        AnomalyCode::PolicyDraw => "同一环节有两条规则同等适用；取编号在前者。",
        AnomalyCode::UnknownHotline => "规则库中没有此热线。",
        AnomalyCode::UnknownDepartment => "规则库中没有此承办单位。",
        AnomalyCode::UnknownCode => "既非内置也不在规则库中的代码。",
    };
    lang.of(zh, code.meaning())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_written_as_people_write_them() {
        let shown = |count, unit, lang| Count(count, unit, lang).to_string();
        assert_eq!(shown(1, Unit::WorkingDay, Lang::En), "1 working day");
        assert_eq!(shown(24, Unit::RoundClockHour, Lang::En), "24 hours, rest days deferred");
        assert_eq!(shown(5, Unit::WorkingDay, Lang::Zh), "5 个工作日");
    }

    #[test]
    fn a_code_of_a_rulebook_stays_as_it_is() {
        assert_eq!(code("x-ray", Lang::Zh), "x-ray");
        assert_eq!(code("complaint", Lang::Zh), "投诉");
        assert_eq!(code("complaint", Lang::En), "complaint");
    }
}
