//! What `hotline audit verify` found, in words.

use hotline_audit::verify::{BulletinRemade, Erased, Outcome, Remade, StepTold, Verified};

use crate::global::Lang;

/// Cases without a person that are listed for people; more are counted.
const ERASED_LISTED_MAX: usize = 100;

/// On standard output.
pub fn print(verified: &Verified, lang: Lang) {
    for finding in &verified.findings {
        println!("{finding}");
    }
    for Erased { case, at } in verified.erased.iter().take(ERASED_LISTED_MAX) {
        match lang {
            Lang::Zh => println!(
                "{case}：个人信息已删除（{at}）。此前的记录及证明仍然有效，其中的个人信息承诺无人再能打开"
            ),
            Lang::En => println!(
                "{case}: its person was erased ({at}). Records and proofs from before stay valid; what is personal of them nobody can \
                 show any more"
            ),
        }
    }
    let more = verified.erased.len().saturating_sub(ERASED_LISTED_MAX);
    match lang {
        _ if more == 0 => {}
        Lang::Zh => println!("另有 {more} 件工单的个人信息已删除（--format json 全部列出）"),
        Lang::En => println!("… and the persons of {more} more cases (--format json lists all)"),
    }
    println!("{}", outcome_of(verified, lang));
    let remade = &verified.remade;
    for step in &remade.steps {
        println!("{}", told_step(step, lang));
    }
    for line in told(remade, lang) {
        println!("{line}");
    }
}

/// What came of it, in a sentence for somebody who is no programmer, and what to do where something is wrong.
fn outcome_of(verified: &Verified, lang: Lang) -> String {
    let Verified { origin, size, records, tiles, found, remade, findings, .. } = verified;
    let cosigned: Vec<String> = verified.witnesses.iter().map(|(name, at)| format!("{name} {at}")).collect();
    let cosigned = cosigned.join("; ");
    let is_listed = findings.len() as u64 == *found;
    match (verified.is_sound(), lang) {
        (true, Lang::Zh) => format!(
            "{}（日志 {origin}，检查点共 {size} 条，重新计算了 {tiles} 片瓦片）{}",
            if remade.is_whole() {
                format!(
                    "核验通过：没有发现不符。{records} 条记录与签名时一字不差，时限、结论和公布的数字重新计算后也都一致"
                )
            } else {
                format!(
                    "字节核验通过，内容未全部重新计算：{records} 条记录与签名时一字不差，但时限、结论或公布的数字有一部分没有重新计算，原因见下"
                )
            },
            if cosigned.is_empty() { String::new() } else { format!("；见证：{cosigned}") }
        ),
        (true, Lang::En) => format!(
            "{} (the log {origin}, a checkpoint of {size} records, {tiles} tiles made anew){}",
            if remade.is_whole() {
                format!(
                    "verified: nothing wrong was found. {records} records are to the letter what was signed, and deadlines, verdicts and \
                     published figures come out the same when they are computed again"
                )
            } else {
                format!(
                    "bytes verified, NOT ALL COMPUTED AGAIN: {records} records are to the letter what was signed, but some deadlines, verdicts \
                     or published figures were not computed again; why is said below"
                )
            },
            if cosigned.is_empty() { String::new() } else { format!("; cosigned by {cosigned}") }
        ),
        (false, Lang::Zh) => format!(
            "核验不通过：共发现 {found} 处不符，{}。这些记录不能作为依据。请先向公布公钥的单位核对公钥是否拿对；公钥无误的，把材料原样保留，通知监督部门，\
             并请热线的运维单位说明",
            if is_listed {
                "上面每处一行".to_owned()
            } else {
                format!("上面列出了前 {} 处", findings.len())
            }
        ),
        (false, Lang::En) => format!(
            "REFUSED: {found} {} wrong, {}. These records must not be relied on. First ask whoever published the key whether yours is the \
             right one; if it is, keep everything as it is, tell the supervising authority, and ask the operator of the hotline for an explanation",
            if *found == 1 { "thing was found" } else { "things were found" },
            if is_listed {
                "each in a line above".to_owned()
            } else {
                format!("the first {} in lines above", findings.len())
            }
        ),
    }
}

/// A log that was begun anew says so to whoever looks.
fn told_step(step: &StepTold, lang: Lang) -> String {
    let StepTold { kind, at, reason, before } = step;
    let before = before.as_ref().map_or_else(String::new, |(log, size)| match lang {
        Lang::Zh => format!("，此前为 {log}，已签名 {size} 条"),
        Lang::En => format!(", after {size} records of {log}"),
    });
    match (kind.as_str(), lang) {
        ("relog", Lang::Zh) => format!("注意：本日志于 {at} 重新开始{before}；理由：{reason}"),
        ("relog", Lang::En) => format!("NOTE: this log was begun anew at {at}{before}; the reason: {reason}"),
        (_, Lang::Zh) => format!("注意：检查点文件遗失，日志于 {at} 按数据库继续{before}；理由：{reason}"),
        (_, Lang::En) => {
            format!(
                "NOTE: the checkpoint file was lost; the log went on from the database at {at}{before}; the reason: {reason}"
            )
        }
    }
}

/// What was computed again, and what was not.
fn told(remade: &Remade, lang: Lang) -> Vec<String> {
    let zh = lang == Lang::Zh;
    let mut lines = vec![if zh {
        format!("重新计算：办结记录 {} 条；核对规则库文件 {} 份", remade.records, remade.rulebooks)
    } else {
        format!(
            "computed again: {} of cases; files of {} compared",
            counted(remade.records, "record"),
            counted(remade.rulebooks, "rulebook")
        )
    }];
    lines.extend(remade.bulletins.iter().map(|bulletin| {
        let BulletinRemade { id, form, period, .. } = bulletin;
        let outcome = outcome(bulletin, zh);
        if zh {
            format!("通报 {id}（{form} {period}）：{outcome}")
        } else {
            format!("bulletin {id} ({form} {period}): {outcome}")
        }
    }));
    let more = [
        remade.without_rulebook.iter().map(|(hash, count)| {
            if zh { format!("{count} 条未重新计算：缺规则库 {hash}（用 --rulebook 目录 给出）") } else { format!("{count} records not computed again: no rulebook {hash} (--rulebook DIR)") }
        }).collect::<Vec<_>>(),
        remade.other_program.iter().map(|(fold, count)| {
            if zh { format!("{count} 条未重新计算：规则程序版本为 {fold}，请用那一版") } else { format!("{count} records not computed again: they are of version {fold} of the program's rules; take that program") }
        }).collect(),
    ];
    lines.extend(more.into_iter().flatten());
    for (count, zh_text, en_text) in [
        (remade.unknown, "条由更新的程序写入，未读", "records of a newer program were not read"),
        (remade.incomplete, "条缺分段，未读", "records lack parts and were not read"),
    ] {
        if count > 0 {
            lines.push(if zh { format!("{count} {zh_text}") } else { format!("{count} {en_text}") });
        }
    }
    lines
}

/// `1 record`, `2 records`.
fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn outcome(bulletin: &BulletinRemade, zh: bool) -> String {
    let cases = bulletin.cases;
    match (bulletin.outcome, zh) {
        (Outcome::Same, true) => format!("由 {cases} 件重新计数，与公布一致"),
        (Outcome::Same, false) => {
            format!("counted again from {cases} cases: the figures are those published")
        }
        (Outcome::Different, true) => format!("由 {cases} 件重新计数，与公布不符"),
        (Outcome::Different, false) => format!("counted again from {cases} cases: OTHER figures"),
        (Outcome::NotWhole, true) => "未重新计数：需要整份日志的镜像".into(),
        (Outcome::NotWhole, false) => "not counted again: that takes a mirror of the whole log".into(),
        (Outcome::WithoutRulebook, true) => "未重新计数：缺规则库".into(),
        (Outcome::WithoutRulebook, false) => "not counted again: its rulebook is not at hand".into(),
        (Outcome::OtherProgram, true) => "未重新计数：由另一版本的程序计数".into(),
        (Outcome::OtherProgram, false) => {
            "not counted again: another version of the program counted it".into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_of_it_is_a_sentence_that_says_what_to_do() {
        let found = |found: u64, listed: usize| Verified {
            found,
            findings: vec!["leaf 7: changed".to_owned(); listed],
            ..Verified::default()
        };
        let one = outcome_of(&found(1, 1), Lang::En);
        assert!(one.starts_with("REFUSED: 1 thing was found wrong, each in a line above. "), "{one}");
        assert!(one.contains("must not be relied on") && one.contains("supervising authority"), "{one}");
        let many = outcome_of(&found(1_200, 1_000), Lang::En);
        assert!(
            many.starts_with("REFUSED: 1200 things were found wrong, the first 1000 in lines above"),
            "{many}"
        );
        let mut remade = Remade { records: 4, rulebooks: 1, ..Remade::default() };
        let first = |remade: &Remade| told(remade, Lang::En).swap_remove(0);
        assert_eq!(first(&remade), "computed again: 4 records of cases; files of 1 rulebook compared");
        remade.records = 1;
        assert_eq!(first(&remade), "computed again: 1 record of cases; files of 1 rulebook compared");
        let zh = outcome_of(&found(2, 2), Lang::Zh);
        assert!(zh.starts_with("核验不通过：共发现 2 处不符") && zh.contains("不能作为依据"), "{zh}");
        assert!(outcome_of(&found(0, 0), Lang::En).starts_with("verified: nothing wrong was found. "));
        let mut partly = found(0, 0);
        partly.remade.unknown = 1;
        assert!(outcome_of(&partly, Lang::En).starts_with("bytes verified, NOT ALL COMPUTED AGAIN: "));
    }
}
