//! Errors are pages, too: what a question cannot be answered with is shown in the reader's language.

use axum::http::{StatusCode, header};
use axum::response::Response;
use hotline_events::Lang;
use hotline_runtime::problem::ProblemCode;

use super::frame::{Frame, Reader, page};
use crate::error::Fault;

#[derive(Debug, askama::Template)]
#[template(path = "pages/error.html")]
struct Error {
    frame: Frame,
    text: &'static str,
    code: &'static str,
    status: u16,
}

/// Makes a page of a problem; any other answer stays as it is.
pub(super) fn humane(reader: &Reader, response: Response) -> Response {
    let Some(ProblemCode(code)) = response.extensions().get::<ProblemCode>().copied() else {
        return response;
    };
    let status = response.status();
    let frame = Frame::new(reader, frame_title(status, reader.lang));
    let text = told(code, reader.lang);
    let mut shown = page(status, &Error { frame, text, code, status: status.as_u16() });
    if let Some(after) = response.headers().get(header::RETRY_AFTER) {
        shown.headers_mut().insert(header::RETRY_AFTER, after.clone());
    }
    shown.extensions_mut().insert(ProblemCode(code));
    shown
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

/// What each code of a problem says to people, in Chinese and in English: all that the role answers with.
const TOLD: &[(&str, &str, &str)] = &[
    ("token_missing", "请先登录。", "Please sign in."),
    (
        "token_bad",
        "令牌不正确、已过期或已吊销。请核对，或请管理员重新签发。",
        "The token is mistyped, expired or revoked. Look at it again, or ask for another.",
    ),
    (
        "bearer_only",
        "浏览器自动附带的密码不能用于提交，请登录后再试。",
        "What is sent here needs a token or a sign-in, not a password that the browser adds by itself.",
    ),
    ("foreign", "表单来自其他网站，已拒绝。", "The form was sent by another site."),
    ("not_yours", "您的角色不能查看此内容。", "Your role does not reach so far."),
    ("no_route", "没有这个页面。", "There is no such page."),
    ("method", "没有这个页面。", "There is no such page."),
    ("no_list", "没有这个页面。", "There is no such page."),
    (
        "no_case",
        "没有此工单，或它与您的单位无关。",
        "There is no such case, or it does not concern your departments.",
    ),
    ("no_record", "该工单没有此办结记录。", "The case has no such record."),
    (
        "not_sealed",
        "该记录尚未封存，请数秒后再试。",
        "The record is not sealed yet: try again in some seconds.",
    ),
    ("unknown_rulebook", "没有启用过此规则库。", "No rulebook of this hash was ever in force."),
    ("no_bulletin", "没有此通报。", "There is no such bulletin."),
    (
        "no_figure",
        "通报中没有此项指标，或它不由工单合计得出。",
        "The bulletin has no such figure, or it is no sum over cases.",
    ),
    ("no_export", "没有此导出。", "There is no such export."),
    ("no_log", "还没有留痕日志。", "There is no closure log yet."),
    ("not_found", "日志中没有此资源。", "The log has no such resource."),
    (
        "log",
        "留痕日志自身不一致，请通知运维与监督部门。",
        "The closure log does not hold together: tell its operator and the supervisor.",
    ),
    ("reason", "请写明理由，3 至 1000 字节。", "Say why, in 3 to 1000 bytes."),
    ("content_type", "提交的内容应为 JSON，并须注明。", "What is sent here is JSON, and must say so."),
    ("query", "查询条件不正确。", "The query is not one that is taken here."),
    ("parameter", "没有这样的查询条件。", "There is no such parameter here."),
    (
        "value",
        "有查询条件的值不正确，或出现了两次。",
        "A parameter has a value that it cannot have, or comes twice.",
    ),
    ("limit", "数量超出范围。", "The number that is asked for is out of bounds."),
    ("department", "请选择本人负责的单位之一。", "Name one of your departments."),
    (
        "too_many",
        "抽样范围过大，请缩小范围。",
        "A sample is not drawn from so many cases: narrow the question.",
    ),
    (
        "rows",
        "行数超过 XLSX 的上限，请缩小范围，或用 CSV。",
        "A sheet of XLSX does not hold so many rows: narrow the question, or take CSV or NDJSON.",
    ),
    ("no_rulebook", "尚未启用规则库。", "No rulebook is in force yet."),
    ("busy", BUSY.0, BUSY.1),
    ("slow", BUSY.0, BUSY.1),
    ("unavailable", BUSY.0, BUSY.1),
    ("internal_error", "系统内部错误，已记入日志。", "A fault of ours; it is in the program's log."),
];
const BUSY: (&str, &str) =
    ("系统繁忙或数据库暂不可用，请稍后再试。", "The system is busy or its database is away: try again soon.");

/// What a code of a problem says to people.
pub(super) fn told(code: &str, lang: Lang) -> &'static str {
    let told = TOLD.iter().find(|(known, ..)| *known == code);
    told.map_or_else(
        || lang.of("请求无法处理。", "The request cannot be answered."),
        |(_, zh, en)| lang.of(*zh, *en),
    )
}

/// What is wrong with a question.
pub(super) fn fault(fault: &Fault, lang: Lang) -> String {
    match (fault, lang) {
        (_, Lang::En) => fault.to_string(),
        (Fault::Parameter(name), _) => format!("没有“{name}”这个条件。"),
        (Fault::Value { name: "query" }, _) => "网址中的查询条件无法读取。".to_owned(),
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
        "format" => "文件格式",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The codes of all problems that the sources below a folder make.
    fn made_in(folder: &Path, codes: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                made_in(&path, codes);
                continue;
            }
            for call in fs::read_to_string(&path).unwrap().split("Problem::new(").skip(1) {
                let mut arguments = call.split(',').map(str::trim);
                if !arguments.next().is_some_and(|status| status.starts_with("StatusCode::")) {
                    continue;
                }
                let code = arguments.next().unwrap();
                let Some(plain) = code.strip_prefix('"').and_then(|code| code.strip_suffix('"')) else {
                    assert_eq!(code, "fault.code()", "{}", path.display());
                    continue;
                };
                codes.insert(plain.to_owned());
            }
        }
    }

    #[test]
    fn every_code_that_is_answered_is_told_in_both_languages() {
        let mut answered = BTreeSet::new();
        made_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut answered);
        let faults = include_str!("../error.rs").split_once("impl Fault {").unwrap().1;
        let faults = faults.split("=> \"").skip(1).filter_map(|code| code.split('"').next());
        answered.extend(faults.map(str::to_owned));
        let told: BTreeSet<String> = TOLD.iter().map(|(code, ..)| (*code).to_owned()).collect();
        assert_eq!(told, answered);
        assert_eq!(told.len(), TOLD.len(), "a code stands twice");
        for (code, zh, en) in TOLD {
            let is_chinese =
                zh.contains(|c: char| ('\u{4e00}'..='\u{9fff}').contains(&c)) && zh.ends_with('。');
            assert!(is_chinese && en.is_ascii() && en.ends_with('.'), "{code}: {zh} {en}");
        }
    }

    #[test]
    fn a_fault_has_the_same_values_in_chinese() {
        for (what, told) in [
            (Fault::Parameter("x".to_owned()), "没有“x”这个条件。"),
            (Fault::Value { name: "query" }, "网址中的查询条件无法读取。"),
            (Fault::Value { name: "format" }, "条件“文件格式”的值不正确，或出现了两次。"),
            (
                Fault::Choice { name: "verdict", of: vec!["met", "late"] },
                "条件“时限认定”的值应为其中之一：met、late。",
            ),
            (Fault::Limit { most: 500 }, "数量应为 1 至 500。"),
            (Fault::Department { of: vec!["D1".to_owned()] }, "请选择本人负责的单位之一：D1。"),
            (Fault::TooMany { most: 10 }, "抽样范围至多 10 件，请缩小范围。"),
            (Fault::Rows { most: 10 }, "XLSX 至多 10 行，请缩小范围，或用 CSV。"),
        ] {
            assert_eq!(fault(&what, Lang::Zh), told);
            assert_eq!(fault(&what, Lang::En), what.to_string());
        }
    }
}
