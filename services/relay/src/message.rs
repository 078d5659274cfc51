//! What robots of 企业微信 and 钉钉 say of notices. Pure.

use hotline_events::words::{self, Lang};
use hotline_postgres::notices::Numbered;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::config::Format;

/// What a robot takes in one message: 企业微信 allows 4,096 bytes.
const TEXT_BYTES_MAX: usize = 3_800;
const TITLE: &str = "热线工单提醒";
const TEMPLATE: &str = "**{what}** {department} 工单 {case} {stage} 期限 {due_at}";

/// One line for a notice.
pub(crate) fn line(notice: &Numbered, template: Option<&str>, zone: &TimeZone) -> String {
    let event: Value = serde_json::from_str(&notice.event).unwrap_or_default();
    let data = |name: &str| event["data"][name].as_str().unwrap_or_default().to_owned();
    let due_at = data("due_at").parse::<jiff::Timestamp>().map(|at| {
        // 24:00 of a day is how people say it.
        let local = zone.to_datetime(at);
        let is_midnight = local.time() == jiff::civil::Time::midnight();
        let day = if is_midnight { local.date().yesterday().unwrap_or(local.date()) } else { local.date() };
        let time = if is_midnight { "24:00".to_owned() } else { local.strftime("%H:%M").to_string() };
        format!("{day} {time}")
    });
    let (level, what) = (data("level"), what(&notice.kind, &data("level")));
    let values = [
        ("{what}", what.to_owned()),
        ("{level}", level),
        ("{department}", notice.department.to_string()),
        ("{case}", notice.case_id.to_string()),
        ("{hotline}", data("hotline")),
        ("{stage}", words::code(&data("stage"), Lang::Zh).to_owned()),
        ("{due_at}", due_at.unwrap_or_else(|_| "-".to_owned())),
    ];
    let text = template.unwrap_or(TEMPLATE).to_owned();
    values.iter().fold(text, |text, (name, value)| text.replace(name, value))
}

fn what(kind: &str, level: &str) -> &'static str {
    match (kind, level) {
        ("raised", "notice") => "【提醒】",
        ("raised", "warning") => "【预警】",
        ("raised", "breach") => "【超期】",
        ("raised", _) => "【升级督办】",
        ("withdrawn", _) => "【提醒撤回】",
        ("dispatched", _) => "【派单】",
        _ => "【派单撤回】",
    }
}

/// How many lines fit into one message: at least one.
pub(crate) fn fitting(lines: &[String]) -> usize {
    let mut bytes = 0;
    let fits = |line: &&String| {
        bytes += line.len() + 2;
        bytes <= TEXT_BYTES_MAX
    };
    lines.iter().take_while(fits).count().max(1)
}

/// The body of a message of these lines.
pub(crate) fn body(format: Format, lines: &[String]) -> Vec<u8> {
    let text = lines.join("\n\n");
    let message = match format {
        Format::Dingtalk => json!({ "msgtype": "markdown", "markdown": { "title": TITLE, "text": text } }),
        Format::Wecom | Format::Event => json!({ "msgtype": "markdown", "markdown": { "content": text } }),
    };
    message.to_string().into_bytes()
}
