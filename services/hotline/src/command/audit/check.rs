//! `hotline audit check`.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use hotline_audit::log::check::check;
use hotline_audit::log::checked::Lists;
use hotline_audit::log::checked::Step;
use hotline_postgres::Rules;
use serde_json::json;

use super::Format;
use crate::global::{Global, Lang};
use crate::{progress, store};

/// Compares the closure log with itself, in one snapshot while sealing goes on: every record is hashed again, every tile and
/// root made anew, every signature looked at, and the checkpoint file beside all of it. Then published figures and the access log
/// with what their records say of them, and the lists that auditors search with a fold of every case. Exit 1 if anything differs.
///
/// A database and a checkpoint file that were put back together agree with each other: give notes that somebody else has kept
/// with --note, such as a witness's.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hotline audit check\n  hotline audit check --log-only\n  hotline audit check --note latest-of-the-witness --format json"
)]
pub struct Args {
    /// Checkpoints kept elsewhere, which must be beginnings of the log too.
    #[arg(long, value_name = "FILE")]
    note: Vec<PathBuf>,
    /// Leaves out the lists that auditors search: to fold every case takes long where there are millions.
    #[arg(long)]
    log_only: bool,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub async fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    let (config, lang) = (global.load()?, global.lang());
    let read = |path: &PathBuf| {
        fs::read_to_string(path).with_context(|| {
                format!(
                    "cannot read {}, which --note names: a file with checkpoints that somebody else kept, such as a witness's",
                    path.display()
                )
            })
    };
    let files = args.note.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
    let notes: Vec<String> = files.iter().flat_map(|file| apart(file)).collect();
    store::with(&config, async |store| {
        let (audit, parts) = super::parts(&config, store);
        let bar = progress::count(0, "hashing");
        let rules = Rules::new(store.pool.clone());
        let rules = (!args.log_only).then_some(&rules);
        let checked = check(&audit, &parts, rules, &notes, |step, done, of| {
            bar.set_message(match step {
                Step::Hashing => "hashing",
                Step::Folding => "folding",
            });
            bar.set_length(of);
            bar.set_position(done);
        })
        .await?;
        bar.finish_and_clear();
        if args.format == Format::Json {
            println!("{}", json!(checked));
        } else {
            for finding in &checked.findings {
                println!("{}: {}", finding.code, finding.what);
            }
            let (leaves, tiles, notes) = (checked.leaves, checked.tiles, checked.checkpoints);
            let (origin, found) = (&checked.origin, checked.found);
            let is_partial = checked.lists.is_some_and(|lists| lists.waiting > 0);
            let (zh, en) = if checked.is_sound() && is_partial {
                (
                    "没有发现不符，但列表未全部核对：尚待更新的工单不在其中，稍后再核验一次；一直不减，说明 hotline audit（或 hotline all）没有运行",
                    "nothing differs, but NOT ALL LISTS WERE COMPARED: cases that wait to be listed anew were left out; check again later, and \
                     where they never become fewer hotline audit (or hotline all) does not run",
                )
            } else if checked.is_sound() {
                ("核验通过：没有发现不符", "sound: nothing differs")
            } else {
                (
                    "核验不通过：不符之处上面每处一行。查清之前，这份日志不能作为依据：先把数据库和检查点文件各留一份副本，不要改动，再通知监督部门",
                    "REFUSED: what differs is said above, a line each. Until somebody has looked, this log must not be relied on: first keep \
                     copies of the database and of the checkpoint file as they are, then tell the supervising authority",
                )
            };
            let lists = checked.lists.map_or_else(String::new, |lists| told(lists, lang));
            eprintln!(
                "{}",
                match lang {
                    Lang::Zh => format!(
                        "{zh}（日志 {origin}：记录 {leaves} 条，瓦片 {tiles} 片，检查点 {notes} 个{lists}；不符 {found} 处）"
                    ),
                    Lang::En => format!(
                        "{en} (the log {origin}: {leaves} records, {tiles} tiles, {notes} checkpoints{lists}; {found} differences)"
                    ),
                }
            );
        }
        Ok(if checked.is_sound() { ExitCode::SUCCESS } else { ExitCode::from(1) })
    })
    .await
}

/// How much of the lists was compared.
fn told(lists: Lists, lang: Lang) -> String {
    let Lists { cases, waiting } = lists;
    match (lang, waiting) {
        (Lang::Zh, 0) => format!("，列表中的工单 {cases} 件"),
        (Lang::Zh, _) => format!("，列表中的工单 {cases} 件（另有 {waiting} 件尚待更新）"),
        (Lang::En, 0) => format!(", lists of {cases} cases"),
        (Lang::En, _) => format!(", lists of {cases} cases ({waiting} more wait to be listed anew)"),
    }
}

/// The notes of a file. A witness keeps many in one, with an empty line after each; within a note an empty line stands before
/// its signatures only.
fn apart(file: &str) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    let mut is_over = true;
    for line in file.split_inclusive('\n') {
        let is_signature = line.starts_with('\u{2014}');
        if is_over {
            if line == "\n" {
                continue;
            }
            notes.push(String::new());
        }
        let note = notes.last_mut().expect("one was begun");
        if line == "\n" && note.contains("\n\n") {
            is_over = true;
            continue;
        }
        // Whatever else follows signatures is another note.
        if !is_signature && note.contains("\n\n\u{2014}") {
            notes.push(String::new());
        }
        notes.last_mut().expect("one was begun").push_str(line);
        is_over = false;
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::apart;

    #[test]
    fn notes_of_a_file_are_told_apart() {
        let (one, two) = (
            "log1\n3\nroot=\n\n\u{2014} log1 c2ln\n\u{2014} w1 c2ln\n",
            "log1\n9\nroot=\n\n\u{2014} log1 c2ln\n",
        );
        assert_eq!(apart(one), [one]);
        assert_eq!(apart(&format!("{one}\n{two}\n")), [one, two]);
        assert_eq!(apart(&format!("{one}{two}")), [one, two]);
        assert_eq!(apart("log1\n3"), ["log1\n3"], "what is no note stays what it is");
        assert!(apart("").is_empty() && apart("\n\n").is_empty());
    }
}
