//! The columns of every list.

use super::table::{Column, Kind};

macro_rules! columns {
    ($name:ident: $($column:literal $kind:ident $zh:literal $en:literal),* $(,)?) => {
        pub(super) const $name: &[Column] =
            &[$(Column { name: $column, kind: Kind::$kind, zh: $zh, en: $en }),*];
    };
}

columns! { CLOSURES:
    "case" Text "工单" "case",
    "closed_at" Instant "办结时间" "closed",
    "closed_on" Day "办结日期" "closed on",
    "received_at" Instant "登记时间" "received",
    "department" Text "承办单位" "department",
    "hotline" Text "热线" "hotline",
    "case_type" Text "诉求类型" "type",
    "category" Text "诉求分类" "category",
    "region" Text "区域" "region",
    "class" Text "考核类别" "class",
    "kind" Text "办结方式" "how",
    "outcome" Text "办理结果" "outcome",
    "verdict" Text "时限认定" "verdict",
    "due_at" Instant "办结期限（00:00 即前一日结束）" "due (00:00 is the end of the day before)",
    "excluded" Truth "已剔除" "excluded",
    "rounds" Number "办理轮次" "rounds",
    "rating" Text "满意度" "rating",
    "rules" List "适用规则" "rules",
    "anomalies" List "异常" "anomalies",
}

/// Closed cases that were drawn at random: what the list of closed cases says of them, and how much each weighed.
pub(super) const SAMPLE: &[Column] = &{
    let weight = Column { name: "weight", kind: Kind::Number, zh: "权重", en: "weight" };
    let mut columns = [weight; CLOSURES.len() + 1];
    let mut place = 0;
    while place < CLOSURES.len() {
        columns[place] = CLOSURES[place];
        place += 1;
    }
    columns
};

columns! { RULINGS:
    "case" Text "工单" "case",
    "at" Instant "认定时间" "at",
    "department" Text "承办单位" "department",
    "hotline" Text "热线" "hotline",
    "case_type" Text "诉求类型" "type",
    "round" Number "轮次" "round",
    "indicator" Text "指标" "indicator",
    "effect" Text "认定" "effect",
    "reason" Text "原因" "reason",
    "document" Text "文号" "document",
    "approved_by" Text "认定方" "approved by",
    "source" Text "来源" "source",
    "claimed_at" Instant "申报时间" "claimed",
    "received_at" Instant "接收时间" "received",
    "marks" List "标记" "marks",
}

columns! { EXTENSIONS:
    "case" Text "工单" "case",
    "at" Instant "批准时间" "at",
    "department" Text "承办单位" "department",
    "hotline" Text "热线" "hotline",
    "case_type" Text "诉求类型" "type",
    "round" Number "轮次" "round",
    "stage" Text "环节" "stage",
    "granted" Text "延长" "granted",
    "until" Instant "延至" "until",
    "approved_by" Text "批准方" "approved by",
    "source" Text "来源" "source",
    "claimed_at" Instant "申报时间" "claimed",
    "received_at" Instant "接收时间" "received",
    "marks" List "标记" "marks",
}

columns! { HOLDS:
    "case" Text "工单" "case",
    "at" Instant "暂停时间" "from",
    "department" Text "承办单位" "department",
    "hotline" Text "热线" "hotline",
    "case_type" Text "诉求类型" "type",
    "round" Number "轮次" "round",
    "reason" Text "原因" "reason",
    "stages" Text "环节" "stages",
    "until" Instant "恢复时间" "until",
    "source" Text "来源" "source",
    "claimed_at" Instant "申报时间" "claimed",
    "received_at" Instant "接收时间" "received",
    "marks" List "标记" "marks",
}

columns! { LATE_ENTRIES:
    "case" Text "工单" "case",
    "at" Instant "计入时间" "counted",
    "department" Text "承办单位" "department",
    "hotline" Text "热线" "hotline",
    "case_type" Text "诉求类型" "type",
    "round" Number "轮次" "round",
    "type" Text "事项" "what",
    "claimed_at" Instant "申报时间" "claimed",
    "received_at" Instant "接收时间" "received",
    "gap_seconds" Number "相差秒数" "gap, seconds",
    "source" Text "来源" "source",
    "marks" List "标记" "marks",
}

columns! { DEFAULT_RATINGS:
    "case" Text "工单" "case",
    "at" Instant "评价时间" "at",
    "department" Text "承办单位" "department",
    "hotline" Text "热线" "hotline",
    "case_type" Text "诉求类型" "type",
    "round" Number "轮次" "round",
    "source" Text "来源" "source",
    "received_at" Instant "接收时间" "received",
}

columns! { CORRECTIONS:
    "case" Text "工单" "case",
    "at" Instant "更正时间" "at",
    "department" Text "承办单位" "department",
    "hotline" Text "热线" "hotline",
    "case_type" Text "诉求类型" "type",
    "round" Number "轮次" "round",
    "type" Text "更正对象" "of",
    "fact" Text "事实" "fact",
    "change" Text "更正内容" "change",
    "claimed_at_before" Instant "原申报时间" "claimed before",
    "claimed_at_now" Instant "现申报时间" "claimed now",
    "source" Text "来源" "source",
    "received_at" Instant "接收时间" "received",
    "marks" List "标记" "marks",
}

columns! { RULE_CHANGES:
    "number" Number "序号" "number",
    "activated_at" Instant "启用时间" "activated",
    "rulebook" Text "规则库" "rulebook",
    "files" List "变更文件" "files changed",
    "cases_restated" Number "更正工单" "cases restated",
    "figures_restated" Number "更正数值" "figures restated",
}

columns! { RESTATEMENTS:
    "number" Number "序号" "number",
    "restated_at" Instant "更正时间" "restated",
    "case" Text "工单" "case",
    "basis" Text "口径" "basis",
    "day" Day "日期" "day",
    "department" Text "承办单位" "department",
    "measure" Text "计数" "measure",
    "before" Number "原值" "before",
    "now" Number "现值" "now",
    "from_rulebook" Number "原规则库" "from rulebook",
    "to_rulebook" Number "现规则库" "to rulebook",
    "bulletins" List "已发布于" "published in",
}
