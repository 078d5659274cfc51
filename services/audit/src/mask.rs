//! Masks: enough of an identity to tell two apart or to check one against a paper at hand, not enough to find anybody.
//!
//! `138****5678`, `110105********123X`, `张*`, an address as far as its street. What a member is, its name says; all else that
//! is personal, free text above all, is withheld whole. A mask is made of the value alone, so the same value has the same mask.

use serde_json::{Map, Value, json};

/// What stands where nothing is shown.
pub const WITHHELD: &str = "***";

/// What a member holds, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Name,
    Phone,
    Identity,
    Address,
    Other,
}

impl Sort {
    /// By the words of a member's name; its parts between `_` count each, so that `id_number` is one and `video` none.
    fn of(name: &str) -> Self {
        let name = name.to_lowercase();
        let words: Vec<&str> = name.split(['_', '-', '.', ' ']).collect();
        let any = |known: &[&str]| known.iter().any(|known| words.contains(known));
        let within = |known: &[&str]| known.iter().any(|known| name.contains(known));
        if any(&["phone", "mobile", "tel", "telephone", "cellphone"]) || within(&["电话", "手机"]) {
            Sort::Phone
        } else if any(&["id", "idcard", "identity", "idnumber"]) || within(&["身份证", "证件"]) {
            Sort::Identity
        } else if any(&["address", "addr"]) || within(&["地址", "住址"]) {
            Sort::Address
        } else if any(&["name", "realname", "fullname"]) || within(&["姓名"]) {
            Sort::Name
        } else {
            Sort::Other
        }
    }
}

/// The personal members of an event, masked: of the same shape, every text, number and truth behind a mask.
pub fn members(value: &Value) -> Value {
    masked(value, Sort::Other)
}

fn masked(value: &Value, sort: Sort) -> Value {
    match value {
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                let own = Sort::of(name);
                // What stands under `address` is part of one.
                let sort = if own == Sort::Other && sort == Sort::Address { sort } else { own };
                // A name that a source made up may itself be somebody's.
                let name = if is_plain(name) { name.clone() } else { WITHHELD.to_owned() };
                (name, masked(value, sort))
            };
            Value::Object(members.iter().map(member).collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(|item| masked(item, sort)).collect(),
        Value::String(text) => json!(text_of(text, sort)),
        Value::Number(number) => json!(text_of(&number.to_string(), sort)),
        Value::Bool(_) => json!(WITHHELD),
        Value::Null => Value::Null,
    }
}

/// A word of a program, not of a person.
fn is_plain(name: &str) -> bool {
    name.len() <= 32 && name.bytes().all(|byte| byte.is_ascii_lowercase() || b"_-".contains(&byte))
}

fn text_of(text: &str, sort: Sort) -> String {
    match sort {
        Sort::Name => name(text),
        Sort::Phone => phone(text),
        Sort::Identity => identity(text),
        Sort::Address => address(text),
        Sort::Other => WITHHELD.to_owned(),
    }
}

/// `张*`: the first sign of a name of two to four signs without blanks; of all else nothing, since whole words of other names
/// are names by themselves.
pub fn name(text: &str) -> String {
    let signs: Vec<char> = text.trim().chars().collect();
    if (2..=4).contains(&signs.len()) && signs.iter().all(|sign| is_han(*sign)) {
        return format!("{}{}", signs[0], "*".repeat(signs.len() - 1));
    }
    WITHHELD.to_owned()
}

/// `138****5678`: the first three and the last four digits of eleven; of a land line the last two.
pub fn phone(text: &str) -> String {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let is_other = |c: char| !c.is_ascii_digit() && !" -+()".contains(c);
    if text.contains(is_other) {
        return WITHHELD.to_owned();
    }
    let digits = digits.strip_prefix("86").filter(|rest| rest.len() == 11).unwrap_or(&digits);
    match digits.len() {
        11 if digits.starts_with('1') => format!("{}****{}", &digits[..3], &digits[7..]),
        7..=12 => format!("{}{}", "*".repeat(digits.len() - 2), &digits[digits.len() - 2..]),
        _ => WITHHELD.to_owned(),
    }
}

/// `110105********123X`: the region and the last four of an identity number of eighteen; of all else nothing.
pub fn identity(text: &str) -> String {
    let text = text.trim();
    let is_number = text.len() == 18
        && text.bytes().take(17).all(|byte| byte.is_ascii_digit())
        && text.bytes().last().is_some_and(|last| last.is_ascii_digit() || b"xX".contains(&last));
    if is_number { format!("{}********{}", &text[..6], &text[14..]) } else { WITHHELD.to_owned() }
}

/// As far as the street: up to the first 路, 街, 街道, 道, 巷, 镇, 乡, 村. House, flat and whatever else people write come after it,
/// in digits or in words. Where none of these stands before the first digit, or anything but Han signs does, nothing: what is
/// written there may be a name.
pub fn address(text: &str) -> String {
    let text = text.trim();
    let Some((at, sign)) = text.char_indices().find(|(_, c)| "路街道巷镇乡村".contains(*c)) else {
        return WITHHELD.to_owned();
    };
    let (shown, rest) = text.split_at(at + sign.len_utf8());
    if !shown.chars().all(is_han) {
        return WITHHELD.to_owned();
    }
    let is_subdistrict = sign == '街' && rest.starts_with('道');
    format!("{shown}{}{WITHHELD}", if is_subdistrict { "道" } else { "" })
}

fn is_han(sign: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&sign)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn masks_show_what_their_rules_say() {
        let phones = [
            ("13812345678", "138****5678"),
            ("+86 138-1234-5678", "138****5678"),
            ("0398 2938123", "*********23"),
            ("2938123", "*****23"),
            ("110", "***"),
            ("call me", "***"),
            ("138123456789012", "***"),
        ];
        for (text, masked) in phones {
            assert_eq!(phone(text), masked, "{text}");
        }
        let identities = [
            ("11010519491231002X", "110105********002X"),
            ("110105194912310025", "110105********0025"),
            ("1101051949123100", "***"),
            ("E12345678", "***"),
        ];
        for (text, masked) in identities {
            assert_eq!(identity(text), masked, "{text}");
        }
        for (text, masked) in
            [("张三", "张*"), ("欧阳小明", "欧***"), ("Anna Li", "***"), ("张", "***"), ("", "***")]
        {
            assert_eq!(name(text), masked, "{text}");
        }
        let addresses = [
            ("河南省三门峡市湖滨区黄河路12号院3单元501", "河南省三门峡市湖滨区黄河路***"),
            ("湖滨区和平街道办事处东5号", "湖滨区和平街道***"),
            ("湖滨区示例路十二号院三单元五零一室某某家（前进街道）", "湖滨区示例路***"),
            ("湖滨区示例路某某家前进街道", "湖滨区示例路***"),
            ("三门峡市示例大道５号", "三门峡市示例大道***"),
            ("示例县示例村三组", "示例县示例村***"),
            ("某某，示例路5号", "***"),
            ("5号楼示例路", "***"),
            ("湖滨区某小区5号楼", "***"),
            ("5号楼501", "***"),
            ("12 Main Street", "***"),
        ];
        for (text, masked) in addresses {
            assert_eq!(address(text), masked, "{text}");
        }
    }

    #[test]
    fn members_are_masked_by_their_names_and_free_text_is_withheld() {
        let given = json!({ "data": {
            "title": "漏水", "content": "我是张三，电话13812345678",
            "address": { "street": "黄河路12号", "note": "后门" },
            "reporter": { "name": "张三", "phone": 13_812_345_678_i64, "id_number": "11010519491231002X", "vip": true },
            "张三的邻居": "李四", "links": ["https://example.org/张三"],
        } });
        let expected = json!({ "data": {
            "title": "***", "content": "***",
            "address": { "street": "黄河路***", "note": "***" },
            "reporter": { "name": "张*", "phone": "138****5678", "id_number": "110105********002X", "vip": "***" },
            "***": "***", "links": ["***"],
        } });
        assert_eq!(members(&given), expected);
    }

    /// What a text has in common with its mask, mask signs apart.
    fn shown(masked: &str) -> usize {
        masked.chars().filter(|c| *c != '*').count()
    }

    proptest! {
        #[test]
        fn a_number_of_eleven_digits_shows_seven_of_them(digits in "1[3-9][0-9]{9}") {
            let masked = phone(&digits);
            prop_assert_eq!(shown(&masked), 7);
            prop_assert!(masked.starts_with(&digits[..3]) && masked.ends_with(&digits[7..]));
            prop_assert!(!masked.contains(&digits[3..7]) || digits[3..7].chars().all(|c| c == '*'));
        }

        #[test]
        fn an_identity_number_never_shows_its_birthday(number in "[1-9][0-9]{16}[0-9X]") {
            let masked = identity(&number);
            prop_assert_eq!(&masked[6..14], "********");
            prop_assert_eq!(shown(&masked), 10);
        }

        #[test]
        fn a_name_shows_one_sign_at_most(text in "\\PC{0,12}") {
            prop_assert!(shown(&name(&text)) <= 1);
        }

        #[test]
        fn an_address_shows_nothing_from_its_first_number_on(before in "[\u{4e00}-\u{9fff}]{0,8}", after in "[0-9]{1,4}号[\u{4e00}-\u{9fff}0-9]{0,8}") {
            let masked = address(&format!("{before}{after}"));
            prop_assert!(!masked.chars().any(|c| c.is_ascii_digit()), "{}", masked);
            prop_assert!(before.starts_with(masked.trim_end_matches('*')));
        }

        #[test]
        fn an_address_shows_nothing_from_its_street_on(after in "[^道\\pZ]\\PC{0,12}") {
            prop_assert_eq!(address(&format!("示例街{after}")), "示例街***");
        }

        #[test]
        fn whatever_the_members_a_planted_value_is_never_shown_whole(
            member in "[a-z_]{1,12}",
            phone in "1[3-9][0-9]{9}",
            number in "[1-9][0-9]{16}[0-9X]",
            text in "[\u{4e00}-\u{9fff}]{2,30}",
        ) {
            let given = json!({
                member.as_str(): format!("{text}{phone}"), "phone": phone, "id": number, "reporter": { member.as_str(): text, "name": text },
                "content": format!("{text} {number}"), "deep": [{ "address": text }, [number]],
            });
            let masked = members(&given).to_string();
            for planted in [&phone, &number] {
                prop_assert!(!masked.contains(planted.as_str()), "{} in {}", planted, masked);
            }
            // Of an address its street is shown, which may be all of a text: everywhere else nothing is.
            let elsewhere = members(&json!({ "content": text, "reporter": { "name": text } })).to_string();
            prop_assert!(!elsewhere.contains(&text), "{} in {}", text, elsewhere);
        }

        #[test]
        fn masked_members_keep_their_shape(count in 0_usize..5, text in "\\PC{0,20}") {
            let given = json!({ "list": vec![text; count], "none": null });
            let masked = members(&given);
            prop_assert_eq!(masked["list"].as_array().map(Vec::len), Some(count));
            prop_assert!(masked["none"].is_null());
        }
    }
}
