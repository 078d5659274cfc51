//! Errors are pages, too: what a question cannot be answered with is shown in the reader's language.

use axum::body::to_bytes;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hotline_events::Lang;
use hotline_runtime::problem::ProblemCode;

use super::frame::{Frame, Reader, page};
use crate::error::Fault;

/// A problem is a few lines.
const BYTES_MAX: usize = 64 * 1024;

#[derive(Debug, askama::Template)]
#[template(path = "pages/error.html")]
struct Error {
    frame: Frame,
    text: String,
    code: &'static str,
    status: u16,
}

/// Makes a page of a problem; any other answer stays as it is.
pub(super) async fn humane(reader: &Reader, response: Response) -> Response {
    let Some(ProblemCode(code)) = response.extensions().get::<ProblemCode>().copied() else {
        return response;
    };
    let (parts, body) = response.into_parts();
    let known = fault_text(code, reader.lang);
    let text = match known {
        Some(text) => text.to_owned(),
        None => match to_bytes(body, BYTES_MAX).await {
            Ok(bytes) => title(&bytes).unwrap_or_else(|| told(code, reader.lang).to_owned()),
            Err(_) => told(code, reader.lang).to_owned(),
        },
    };
    let frame = Frame::new(reader, frame_title(parts.status, reader.lang));
    let status = parts.status;
    let mut shown = page(status, &Error { frame, text, code, status: status.as_u16() });
    if let Some(after) = parts.headers.get(header::RETRY_AFTER) {
        shown.headers_mut().insert(HeaderName::from_static("retry-after"), after.clone());
    }
    shown.extensions_mut().insert(ProblemCode(code));
    shown.into_response()
}

fn title(problem: &[u8]) -> Option<String> {
    let problem: serde_json::Value = serde_json::from_slice(problem).ok()?;
    problem["title"].as_str().map(str::to_owned)
}

fn frame_title(status: StatusCode, lang: Lang) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => lang.of("没有找到", "Not found"),
        StatusCode::FORBIDDEN => lang.of("没有权限", "Not yours to see"),
        StatusCode::UNAUTHORIZED => lang.of("请先登录", "Please sign in"),
        StatusCode::SERVICE_UNAVAILABLE => lang.of("暂时不可用", "Not available now"),
        _ => lang.of("无法处理", "This cannot be answered"),
    }
}

/// What a code of a problem says to people.
pub(super) fn told(code: &str, lang: Lang) -> &'static str {
    fault_text(code, lang).unwrap_or_else(|| lang.of("请求无法处理。", "The request cannot be answered."))
}

fn fault_text(code: &str, lang: Lang) -> Option<&'static str> {
    Some(match code {
        "token_missing" => lang.of("请先登录。", "Please sign in."),
        "token_bad" => lang.of(
            "令牌不正确、已过期或已吊销。请核对，或请管理员重新签发。",
            "The token is mistyped, expired or revoked. Look at it again, or ask for another.",
        ),
        "not_yours" => lang.of("您的角色不能查看此内容。", "Your role does not reach so far."),
        "no_case" => lang.of(
            "没有此工单，或它与您的单位无关。",
            "There is no such case, or it does not concern your departments.",
        ),
        "no_list" | "no_route" | "method" => lang.of("没有这个页面。", "There is no such page."),
        "no_record" => lang.of("该工单没有此办结记录。", "The case has no such record."),
        "not_sealed" => lang
            .of("该记录尚未封存，请数秒后再试。", "The record is not sealed yet: try again in some seconds."),
        "no_bulletin" => lang.of("没有此通报。", "There is no such bulletin."),
        "reason" => lang.of("请写明理由，3 至 1000 字节。", "Say why, in 3 to 1000 bytes."),
        "bearer_only" => lang.of(
            "浏览器自动附带的密码不能用于提交，请登录后再试。",
            "What is sent here needs a token or a sign-in, not a password that the browser adds by itself.",
        ),
        "foreign" => lang.of("表单来自其他网站，已拒绝。", "The form was sent by another site."),
        "busy" | "slow" | "unavailable" => lang.of(
            "系统繁忙或数据库暂不可用，请稍后再试。",
            "The system is busy or its database is away: try again soon.",
        ),
        "no_rulebook" => lang.of("尚未启用规则库。", "No rulebook is in force yet."),
        "log" => lang.of(
            "留痕日志自身不一致，请通知运维与监督部门。",
            "The closure log does not hold together: tell its operator and the supervisor.",
        ),
        "internal_error" => {
            lang.of("系统内部错误，已记入日志。", "A fault of ours; it is in the program's log.")
        }
        _ => return None,
    })
}

/// What is wrong with a question.
pub(super) fn fault(fault: &Fault, lang: Lang) -> String {
    match (fault, lang) {
        (_, Lang::En) => fault.to_string(),
        (Fault::Parameter(name), _) => format!("没有“{name}”这个条件。"),
        (Fault::Value { name }, _) => format!("条件“{}”的值不正确，或出现了两次。", label(name)),
        (Fault::Choice { name, of }, _) => {
            format!("条件“{}”的值应为其中之一：{}。", label(name), of.join("、"))
        }
        (Fault::Code { name, digits }, _) => format!(
            "条件“{}”只接受代码：规则库中的代码，或由英文字母、数字和 _ . : / - 组成，且连续数字少于 {digits} 位；区划代码为 2、4、6、9 或 12 位数字。请勿填写姓名、电话。",
            label(name)
        ),
        (Fault::Limit { most }, _) => format!("数量应为 1 至 {most}。"),
        (Fault::Department { of }, _) => format!("请选择本人负责的单位之一：{}。", of.join("、")),
        (Fault::TooMany { most }, _) => format!("抽样范围至多 {most} 件，请缩小范围。"),
        (Fault::Rows { most }, _) => format!("XLSX 至多 {most} 行，请缩小范围，或用 CSV。"),
    }
}

/// A parameter by the name of its field.
fn label(name: &str) -> &str {
    let w = super::words::of(Lang::Zh);
    match name {
        "department" => w.department,
        "hotline" => w.hotline,
        "case_type" => w.case_type,
        "category" => w.category,
        "region" => w.region,
        "class" => w.class,
        "verdict" => w.verdict,
        "rule" => w.rule,
        "anomaly" => w.anomaly,
        "mark" => w.mark,
        "published" => w.published,
        "from" => w.from,
        "to" => w.to,
        "seed" => w.seed,
        "size" => w.size,
        "after" => w.next_page,
        other => other,
    }
}
