//! `hotline doctor`: is everything in order? One line a finding.

mod closure_log;
mod topic;

use std::io::Write as _;
use std::process::ExitCode;

use hotline_core::anomaly::AnomalyCode;
use hotline_core::rulebook::Rulebook;
use hotline_postgres::cases;
use hotline_postgres::positions::Position;
use hotline_postgres::sources::Stop;
use hotline_postgres::{
    Error, PgPool, Rules, dead_letters, deliveries, erasures, grants, health, installation, positions,
    refolds, run_snapshot_tx, run_tx, sources, tallies,
};
use hotline_runtime::config::{Config, DataConfig, KafkaConfig, PostgresConfig};
use hotline_runtime::{clock, embedded};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan as _};
use serde_json::json;

use super::instant;
use crate::global::{Global, Lang};
use crate::store::{self, Store};

/// Looks at everything that can be looked at without changing anything: versions, schema, what was read against what the
/// broker has, whether counts add up, tallies, clocks, how far the calendar is known, dead letters, disk. A line for each says
/// what was found, what it leads to, and the command that mends it. Exit 1 if something is WRONG: figures may be, or nothing
/// is taken in; exit 2 if something should be looked at: it waits, but nothing is lost; else 0.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hotline doctor --lang en || echo look at it")]
pub struct Args {
    /// Leaves out what reads every case: the tallies, and codes that the rulebook does not know.
    #[arg(long)]
    quick: bool,
    /// A JSON object a line.
    #[arg(long)]
    json: bool,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Grade {
    Sound,
    Look,
    Wrong,
}

impl Grade {
    fn name(self, lang: Lang) -> &'static str {
        match (self, lang) {
            (Grade::Sound, Lang::En) => "sound",
            (Grade::Look, Lang::En) => "look ",
            (Grade::Wrong, Lang::En) => "WRONG",
            (Grade::Sound, Lang::Zh) => "正常",
            (Grade::Look, Lang::Zh) => "注意",
            (Grade::Wrong, Lang::Zh) => "异常",
        }
    }

    fn code(self) -> &'static str {
        match self {
            Grade::Sound => "sound",
            Grade::Look => "look",
            Grade::Wrong => "wrong",
        }
    }
}

/// What was found, in both languages.
struct Finding {
    grade: Grade,
    /// What was looked at.
    code: &'static str,
    zh: String,
    en: String,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, grade: Grade, code: &'static str, zh: impl Into<String>, en: impl Into<String>) {
        self.0.push(Finding { grade, code, zh: zh.into(), en: en.into() });
    }

    /// Sound where it holds, else as bad as said: what each is, in Chinese and English.
    fn test(
        &mut self,
        holds: bool,
        otherwise: Grade,
        code: &'static str,
        sound: (String, String),
        broken: (String, String),
    ) {
        let (grade, (zh, en)) = if holds { (Grade::Sound, sound) } else { (otherwise, broken) };
        self.add(grade, code, zh, en);
    }
}

/// The latest that our clock and the database's may be apart.
const CLOCKS_APART_MAX: f64 = 5.0;
/// A source may be ahead by so many seconds before it is told.
const AHEAD_MAX: f64 = 60.0;
/// The calendar should reach so many days ahead.
const HORIZON_DAYS: i32 = 45;
/// Free disk below which something must be done, in MiB.
const FREE_MIB_MIN: u64 = 2_048;
/// What falls due waits no longer where a timekeeper runs.
const OVERSLEPT_MAX: SignedDuration = SignedDuration::from_mins(5);

pub async fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    let config = global.load()?;
    let findings = store::with(&config, async |store| {
        let mut findings = Findings::default();
        // A store that opens has the program's schema.
        findings.add(
            Grade::Sound,
            "schema",
            format!("程序版本 {}，数据库结构与之相符", env!("CARGO_PKG_VERSION")),
            format!("program {}; the database has the schema of this program", env!("CARGO_PKG_VERSION")),
        );
        server(store, &mut findings).await?;
        key(store, &config, &mut findings).await?;
        logins(store, &config, &mut findings).await?;
        rules(store, &mut findings).await?;
        let positions = read_positions(&store.pool).await?;
        laws(&positions, &mut findings);
        if let Some(kafka) = config.optional::<KafkaConfig>() {
            topic::look(&kafka, &store.master, &positions, &mut findings).await?;
        }
        overslept(store, &mut findings).await?;
        erased(store, &mut findings).await?;
        receivers(store, &mut findings).await?;
        closure_log::look(store, &config, &mut findings).await?;
        refused(store, &mut findings).await?;
        skews(store, &mut findings).await?;
        if !args.quick {
            sums(&store.pool, &mut findings).await?;
            unknown(&store.pool, &mut findings).await?;
        }
        disk(&config, &mut findings).await;
        Ok(findings.0)
    })
    .await?;
    let lang = global.lang();
    let mut out = std::io::stdout().lock();
    for finding in &findings {
        let text = if lang == Lang::Zh { &finding.zh } else { &finding.en };
        if args.json {
            writeln!(
                out,
                "{}",
                json!({ "grade": finding.grade.code(), "code": finding.code, "text": text })
            )?;
        } else {
            writeln!(out, "{}  {:<12}  {text}", finding.grade.name(lang), finding.code)?;
        }
    }
    drop(out);
    if !args.json {
        eprintln!("{}", summary(&findings, lang));
    }
    Ok(match findings.iter().map(|finding| finding.grade).max() {
        Some(Grade::Wrong) => ExitCode::FAILURE,
        Some(Grade::Look) => ExitCode::from(2),
        _ => ExitCode::SUCCESS,
    })
}

/// How many are how bad, and what that means.
fn summary(findings: &[Finding], lang: Lang) -> String {
    let count = |grade| findings.iter().filter(|finding| finding.grade == grade).count();
    match (count(Grade::Wrong), count(Grade::Look), lang) {
        (0, 0, Lang::Zh) => "一切正常".to_owned(),
        (0, 0, Lang::En) => "everything is in order".to_owned(),
        (wrong, look, Lang::Zh) => format!(
            "异常 {wrong} 项：数字可能有误，或者收不进、发不出，请立即处理；注意 {look} 项：没有丢失什么，但要有人去看"
        ),
        (wrong, look, Lang::En) => format!(
            "{wrong} WRONG: figures may be, or something is not taken in or not told, mend it now; {look} to look at: nothing is lost, \
             but somebody should see to it"
        ),
    }
}

async fn server(store: &Store, findings: &mut Findings) -> anyhow::Result<()> {
    let name = "health::server";
    let server = run_tx(&store.pool, name, &mut (), |tx, ()| Box::pin(health::server(tx))).await?;
    let apart = clock::now().duration_since(server.now).abs();
    let mib = server.bytes / (1 << 20);
    findings.add(
        Grade::Sound,
        "database",
        format!("PostgreSQL {}，数据 {mib} MiB", server.version),
        format!("PostgreSQL {}, {mib} MiB of data", server.version),
    );
    let seconds = apart.as_secs_f64();
    let zh = format!("本机与数据库时钟相差 {seconds:.1} 秒");
    let en = format!("the clocks of this machine and of the database are {seconds:.1} s apart");
    let broken = (
        format!(
            "{zh}，超过 {CLOCKS_APART_MAX:.0} 秒：收到时间和时限会记错；请在两台机器上校时：timedatectl set-ntp true"
        ),
        format!(
            "{en}, more than {CLOCKS_APART_MAX:.0} s: times of receipt and deadlines come out wrong; on both say: timedatectl set-ntp true"
        ),
    );
    findings.test(seconds <= CLOCKS_APART_MAX, Grade::Wrong, "clock", (zh, en), broken);
    Ok(())
}

/// Sealed with another key than the database's, nobody could ever be read again.
async fn key(store: &Store, config: &Config, findings: &mut Findings) -> anyhow::Result<()> {
    let path = config.section::<DataConfig>().master_key_path();
    let is_right = match installation::check(&store.pool, &store.master).await {
        Ok(()) => true,
        Err(Error::WrongMasterKey) => false,
        Err(error) => return Err(error.into()),
    };
    let path = path.display();
    findings.test(
        is_right,
        Grade::Wrong,
        "master_key",
        (
            format!("主密钥 {path} 与数据库相符"),
            format!("the master key {path} is that of the database"),
        ),
        (
            format!(
                "主密钥 {path} 不是本数据库的：个人信息读不出来，也不能再写；请停止各角色，从备份放回正确的密钥（位置见 [data] \
                 master_key_file），再启动"
            ),
            format!(
                "the master key {path} is NOT that of the database: personal data cannot be read, and none must be written; stop all roles, \
                 put the right key back from its backup ([data] master_key_file says where), and start them"
            ),
        ),
    );
    Ok(())
}

/// Each role of the program has a login with the rights that it needs and no more.
async fn logins(store: &Store, config: &Config, findings: &mut Findings) -> anyhow::Result<()> {
    if config.optional::<PostgresConfig>().is_none() {
        // The private database of one process has one user.
        return Ok(());
    }
    let name = "grants::survey";
    let found = run_snapshot_tx(&store.pool, name, &mut (), |tx, ()| Box::pin(grants::survey(tx))).await?;
    if found.is_empty() {
        findings.add(
            Grade::Look,
            "logins",
            "各角色共用一个什么都能改的数据库账号，密码泄露一个就全部失守；为每个角色建立最小权限账号：hotline migrate --roles \
             --password-files 目录",
            "all roles use one login of the database, which may change everything: whoever gets hold of its password can; a login for \
             each, with the rights that it needs: hotline migrate --roles --password-files DIR",
        );
    }
    for (role, differences) in &found {
        let (missing, excess) = (differences.missing.join(", "), differences.excess.join(", "));
        let grade = match () {
            () if !missing.is_empty() => Grade::Wrong,
            () if !excess.is_empty() => Grade::Look,
            () => continue,
        };
        let login = role.login();
        let parts = |lacks: &str, excess_is: &str, between: &str| {
            let part = |label: &str, what: &str| (!what.is_empty()).then(|| format!("{label}{what}"));
            let parts: Vec<String> =
                [part(lacks, &missing), part(excess_is, &excess)].into_iter().flatten().collect();
            parts.join(between)
        };
        findings.add(
            grade,
            "logins",
            format!(
                "数据库账号 {login} {}；修正：hotline migrate --roles",
                parts("缺少权限，用到时会失败：", "权限多于所需，密码泄露时能改的更多：", "；")
            ),
            format!(
                "the login {login} {}; to mend it: hotline migrate --roles",
                parts(
                    "lacks what its role must do, which fails: ",
                    "may do more than its role needs, and so may whoever has its password: ",
                    "; "
                )
            ),
        );
    }
    if !found.is_empty() && findings.0.iter().all(|finding| finding.code != "logins") {
        let count = found.len();
        findings.add(
            Grade::Sound,
            "logins",
            format!("{count} 个数据库账号各有其角色所需的权限，不多不少"),
            format!("{count} logins have the rights that their roles need, and no more"),
        );
    }
    Ok(())
}

/// What was erased may still lie in the files of the database until they were written anew.
async fn erased(store: &Store, findings: &mut Findings) -> anyhow::Result<()> {
    let name = "erasures::standing";
    let (count, is_gone) =
        run_snapshot_tx(&store.pool, name, &mut (), |tx, ()| Box::pin(erasures::standing(tx))).await?;
    findings.test(
        is_gone,
        Grade::Look,
        "erased",
        (
            format!("{count} 件工单的个人信息已删除，数据文件已重写"),
            format!("the persons of {count} cases are erased, and the files of the database were written anew since"),
        ),
        (
            format!(
                "{count} 件工单的个人信息已删除，但数据文件尚未重写，其中可能还留有残余；对 hotline erase --list 列出的任一工单再运行一次：\
                 hotline erase 编号 --why 事由"
            ),
            format!(
                "the persons of {count} cases are erased, but the files of the database were not written anew since, and may still hold \
                 remains of them; once more, with any case that `hotline erase --list` names: hotline erase CASE --why TEXT"
            ),
        ),
    );
    Ok(())
}

async fn rules(store: &Store, findings: &mut Findings) -> anyhow::Result<()> {
    let in_force = match Rules::new(store.pool.clone()).current().await {
        Ok(in_force) => in_force,
        Err(Error::NoRulebook) => {
            findings.add(
                Grade::Wrong,
                "rulebook",
                "尚未启用规则库，什么都不计算；启用：hotline rulebook activate 目录",
                "no rulebook is active, and nothing is counted; to activate one: hotline rulebook activate DIR",
            );
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let name = "refolds::is_done";
    let done = run_tx(&store.pool, name, &mut (), |tx, ()| Box::pin(refolds::is_done(tx))).await?;
    let (seq, hash) = (in_force.seq, in_force.rulebook.hash.get(..12).unwrap_or_default());
    findings.test(
        done,
        Grade::Look,
        "rulebook",
        (
            format!("规则库第 {seq} 版（{hash}），全部工单已按它计算"),
            format!("rulebook {seq} ({hash}): all cases are folded by it"),
        ),
        (
            format!(
                "规则库第 {seq} 版（{hash}）：还有工单没有按它重新计算，算完之前不发布通报；casework 会自行算完，进度见：hotline rulebook status"
            ),
            format!(
                "rulebook {seq} ({hash}): not all cases are folded by it yet, and no bulletin is published until then; casework does it by \
                 itself, how far it is says: hotline rulebook status"
            ),
        ),
    );
    calendars(&in_force.rulebook, findings);
    Ok(())
}

fn calendars(rulebook: &Rulebook, findings: &mut Findings) {
    let today: Date = TimeZone::UTC.to_datetime(clock::now()).date();
    for (id, calendar) in &rulebook.calendars {
        let until = calendar.known_until();
        let grade = match () {
            () if until < today => Grade::Wrong,
            () if until < today.saturating_add(HORIZON_DAYS.days()) => Grade::Look,
            () => Grade::Sound,
        };
        let then_zh = "；国务院办公厅的通知公布后（每年十一月前后），把新一年加入规则库，再运行 hotline rulebook check 目录 和 hotline \
                       rulebook activate 目录";
        let then_en = "; when the State Council's notice is out (each November) add the next year to the rulebook, then: hotline rulebook \
                       check DIR, and hotline rulebook activate DIR";
        let (zh, en) = match grade {
            Grade::Sound => {
                (format!("日历 {id} 已知至 {until}"), format!("the calendar {id} is known until {until}"))
            }
            Grade::Look => (
                format!("日历 {id} 只到 {until}，不足 {HORIZON_DAYS} 天；其后的期限是暂定的{then_zh}"),
                format!(
                    "the calendar {id} is known only until {until}, less than {HORIZON_DAYS} days ahead: deadlines after it are provisional{then_en}"
                ),
            ),
            Grade::Wrong => (
                format!("日历 {id} 已于 {until} 到头；此后的期限没有节假日依据，可能有误{then_zh}"),
                format!(
                    "the calendar {id} ended on {until}: deadlines after it know no holidays, and may be wrong{then_en}"
                ),
            ),
        };
        findings.add(grade, "calendar", zh, en);
    }
}

async fn read_positions(pool: &PgPool) -> Result<Vec<Position>, Error> {
    run_snapshot_tx(pool, "positions::list", &mut (), |tx, ()| Box::pin(positions::list(tx))).await
}

/// The table itself refuses rows that break the law; this is for a database that was restored or mended by hand.
fn laws(positions: &[Position], findings: &mut Findings) {
    let broken = |position: &&Position| {
        let counts = &position.counts;
        position.claim.next_offset - position.start_offset != counts.records + counts.gaps
            || counts.records != counts.applied + counts.duplicate + counts.ignored + counts.dead
    };
    let names: Vec<&str> =
        positions.iter().filter(broken).map(|position| position.claim.origin.as_str()).collect();
    let records: i64 = positions.iter().map(|position| position.counts.records).sum();
    let gaps: i64 = positions.iter().map(|position| position.counts.gaps).sum();
    let count = positions.len();
    findings.test(
        names.is_empty(),
        Grade::Wrong,
        "conservation",
        (
            format!("从 {count} 处读取 {records} 条记录，每条的去向都数得清；跳过的位点 {gaps} 个"),
            format!(
                "records that were read: {records}, of {count} {}, and what became of each is counted; offsets that were passed over: {gaps}",
                if count == 1 { "origin" } else { "origins" }
            ),
        ),
        (
            format!(
                "{} 的计数对不上：可能有记录漏算或重算，比率可能有误；没有命令能修正：先 hotline backup 留一份副本，用 hotline partitions list 对照，\
                 再从事故前的备份恢复（hotline restore）",
                names.join("、")
            ),
            format!(
                "the counts of {} do not add up: records may be missing or counted twice, and rates wrong; no command mends this: keep a \
                 copy with hotline backup, compare with hotline partitions list, then take back a backup from before it (hotline restore)",
                names.join(", ")
            ),
        ),
    );
}

/// Whether somebody looks at what falls due. Of what has only just come in something may have been due for years: timekeeper
/// comes to it, and is given the time.
async fn overslept(store: &Store, findings: &mut Findings) -> anyhow::Result<()> {
    let mut by = clock::now() - OVERSLEPT_MAX;
    let read = run_tx(&store.pool, "doctor::overslept", &mut by, |tx, by| {
        Box::pin(async move {
            let (cases, since) = cases::overslept(tx, *by).await?;
            let long = if cases == 0 { 0 } else { cases::overslept_long(tx, *by).await? };
            Ok((cases, long, since))
        })
    });
    let (cases, long, since) = read.await?;
    let since = match since {
        Some(since) => instant::told(since, &instant::zone(store).await?),
        None => String::new(),
    };
    let (grade, (zh, en)) = waiting((cases, long), &since);
    findings.add(grade, "timekeeper", zh, en);
    Ok(())
}

/// What is said of so many cases that wait, so many of them for long.
fn waiting((cases, long): (i64, i64), since: &str) -> (Grade, (String, String)) {
    let minutes = OVERSLEPT_MAX.as_mins();
    match (cases, long) {
        (0, _) => (
            Grade::Sound,
            ("到期事项均已处理".to_owned(), "everything that fell due was looked at".to_owned()),
        ),
        (_, 0) => (
            Grade::Look,
            (
                format!(
                    "{cases} 件工单在最近 {minutes} 分钟内刚有事件收进来，其中有已到期的事项，正等待处理；{minutes} 分钟后再看一次，\
                     仍有的，启动 hotline timekeeper（或 hotline all）"
                ),
                format!(
                    "something is due in cases of which events came in during the last {minutes} minutes ({cases} of them), and waits to be \
                     looked at: ask again in {minutes} minutes, and if it still waits, start hotline timekeeper (or hotline all)"
                ),
            ),
        ),
        _ => (
            Grade::Wrong,
            (
                format!(
                    "{cases} 件工单有到期事项无人处理，最早自 {since}，其中 {long} 件已等待超过 {minutes} 分钟：提醒和派单会迟；启动 hotline \
                     timekeeper（或 hotline all），已在运行的看它的日志"
                ),
                format!(
                    "cases with something due that nobody looked at: {cases}, the first since {since}; {long} of them have waited for more \
                     than {minutes} minutes: alarms and dispatches are late; start hotline timekeeper (or hotline all), and where it runs \
                     look into its log"
                ),
            ),
        ),
    }
}

/// Whether receivers take what they are told.
async fn receivers(store: &Store, findings: &mut Findings) -> anyhow::Result<()> {
    let all =
        run_tx(&store.pool, "deliveries::list", &mut (), |tx, ()| Box::pin(deliveries::list(tx))).await?;
    let now = clock::now();
    for one in all {
        let is_late = one.oldest_at.is_some_and(|at| now.duration_since(at) > OVERSLEPT_MAX);
        let (name, waiting, given_up) = (&one.receiver, one.behind, one.undelivered);
        findings.test(
            !is_late && given_up == 0,
            Grade::Look,
            "receiver",
            (
                format!("通知接收方 {name}：待送 {waiting} 条，没有放弃的"),
                format!("the receiver {name}: {waiting} notices wait, none was given up"),
            ),
            (
                format!(
                    "通知接收方 {name}：待送 {waiting} 条，放弃 {given_up} 条，对方可能没有收到；原因见 hotline notices receivers，修好后重送：\
                     hotline notices again {name}"
                ),
                format!(
                    "the receiver {name}: {waiting} notices wait, {given_up} were given up, and it may not have been told; why says hotline \
                     notices receivers, and once it is mended what was given up is sent by: hotline notices again {name}"
                ),
            ),
        );
    }
    Ok(())
}

async fn refused(store: &Store, findings: &mut Findings) -> anyhow::Result<()> {
    let (groups, stopped) = run_snapshot_tx(&store.pool, "doctor::refused", &mut (), |tx, ()| {
        Box::pin(async move { Ok((dead_letters::groups(tx).await?, sources::list(tx).await?)) })
    })
    .await?;
    let open: i64 = groups.iter().map(|group| group.letters).sum();
    findings.test(
        open == 0,
        Grade::Look,
        "dead_letters",
        ("没有待处理的异常数据".to_owned(), "no dead letter is open".to_owned()),
        (
            format!(
                "待处理的异常数据 {open} 件：原样保存着，但没有计入任何数字；原因和处理办法见 hotline dead-letters groups，然后 redrive、fix 或 discard"
            ),
            format!(
                "{open} dead letters are open: they are kept as they came, and count in no figure; why says hotline dead-letters groups, then \
                 hotline dead-letters redrive, fix or discard"
            ),
        ),
    );
    for one in stopped {
        let (source, since, why) = (&one.source, one.since, &one.why);
        let (zh, en) = match one.stop {
            Stop::Diverted => ("因异常过多被自动停收", "is diverted, as too much of it was refused,"),
            Stop::Paused => ("被人暂停", "is paused by an operator"),
        };
        findings.add(
            Grade::Look,
            "source",
            format!(
                "来源 {source} 自 {since} 起{zh}（{why}）：其事件存为异常数据，不计入数字；修好后：hotline sources resume {source} --why 事由，\
                 再 hotline dead-letters redrive --source {source} --reason source_stopped --why 事由"
            ),
            format!(
                "the source {source} {en} since {since} ({why}): its events are kept as dead letters, and count in no figure; once it is \
                 mended: hotline sources resume {source} --why TEXT, then hotline dead-letters redrive --source {source} --reason \
                 source_stopped --why TEXT"
            ),
        );
    }
    Ok(())
}

async fn skews(store: &Store, findings: &mut Findings) -> anyhow::Result<()> {
    let heard = run_tx(&store.pool, "health::heard", &mut (), |tx, ()| Box::pin(health::heard(tx))).await?;
    for one in heard {
        let (Some(least), Some(median)) = (one.least, one.median) else { continue };
        let (source, events) = (one.source, one.events);
        let ahead = -least;
        findings.test(
            least >= -AHEAD_MAX,
            Grade::Look,
            "skew",
            (
                format!("来源 {source} 的时钟：近 {events} 条中有一半比所称时间晚到 {} 以上", lasting(median, Lang::Zh)),
                format!(
                    "the clock of {source}: of its latest {events} events half came {} or more after the time they claim",
                    lasting(median, Lang::En)
                ),
            ),
            (
                format!(
                    "来源 {source} 的时钟快了：近 {events} 条中有的比所称时间早到 {}，按所称时间算的期限会错；没有命令能修正，请对方校时",
                    lasting(ahead, Lang::Zh)
                ),
                format!(
                    "the clock of {source} is ahead: of its latest {events} events one came {} before the time it claims, and what is \
                     counted from that time is wrong; no command of ours mends it: have whoever runs the source set its clock",
                    lasting(ahead, Lang::En)
                ),
            ),
        );
    }
    Ok(())
}

/// So many seconds in the largest unit of which there are two at least.
fn lasting(seconds: f64, lang: Lang) -> String {
    let units = [(86_400.0, "天", "days"), (3_600.0, "小时", "hours"), (60.0, "分钟", "minutes")];
    let found = units.into_iter().find(|(unit, _, _)| seconds >= 2.0 * unit);
    let (unit, zh, en) = found.unwrap_or((1.0, "秒", "s"));
    format!("{:.0} {}", (seconds / unit).floor(), lang.of(zh, en))
}

async fn sums(pool: &PgPool, findings: &mut Findings) -> anyhow::Result<()> {
    let name = "doctor::tallies";
    let differences =
        run_snapshot_tx(pool, name, &mut (), |tx, ()| Box::pin(tallies::check(tx))).await?.len();
    findings.test(
        differences == 0,
        Grade::Wrong,
        "tallies",
        (
            "统计与工单一致".to_owned(),
            "the tallies are what the cases add up to".to_owned(),
        ),
        (
            format!(
                "统计与工单不符 {differences} 处：比率和通报可能有误；逐项列出：hotline tallies check，修正：hotline tallies repair"
            ),
            format!(
                "{differences} tallies differ from the cases: rates and bulletins may be wrong; to list them: hotline tallies check, to mend \
                 them: hotline tallies repair"
            ),
        ),
    );
    Ok(())
}

/// Codes that the rulebook does not know: a department that is spelt otherwise is another department in every table.
async fn unknown(pool: &PgPool, findings: &mut Findings) -> anyhow::Result<()> {
    let odd = [AnomalyCode::UnknownDepartment, AnomalyCode::UnknownHotline, AnomalyCode::UnknownCode];
    let mut codes = odd.map(AnomalyCode::code);
    let counts = run_tx(pool, "cases::with_anomalies", &mut codes, |tx, codes| {
        Box::pin(cases::with_anomalies(tx, codes))
    })
    .await?;
    for (code, cases, example) in &counts {
        findings.add(
            Grade::Look,
            "unknown",
            format!(
                "{cases} 件工单用了规则库中没有的代码（{code}），在表中自成一行；请把代码加入规则库并启用（hotline rulebook activate 目录），或请对方\
                 更正；看一件：hotline explain {example}"
            ),
            format!(
                "{cases} cases have codes that the rulebook does not know ({code}), which stand in a row of their own in every table; add them \
                 to the rulebook (hotline rulebook activate DIR), or have the sender correct them; one of them: hotline explain {example}"
            ),
        );
    }
    if counts.is_empty() {
        let text = ("所有代码均在规则库中", "every code is in the rulebook");
        findings.add(Grade::Sound, "unknown", text.0, text.1);
    }
    Ok(())
}

async fn disk(config: &Config, findings: &mut Findings) {
    if config.optional::<PostgresConfig>().is_some() {
        return;
    }
    let dir = config.section::<DataConfig>().dir;
    let Some(free) = embedded::free_bytes(&dir).await.map(|bytes| bytes >> 20) else {
        let dir = dir.display();
        findings.add(
            Grade::Look,
            "disk",
            format!("无法得知 {dir} 的剩余空间；请自己看：df -h {dir}"),
            format!("how much is free in {dir} could not be found out; look with: df -h {dir}"),
        );
        return;
    };
    let dir = dir.display();
    findings.test(
        free >= FREE_MIB_MIN,
        Grade::Wrong,
        "disk",
        (format!("{dir} 余 {free} MiB"), format!("{free} MiB are free in {dir}")),
        (
            format!(
                "{dir} 只余 {free} MiB，不足 {FREE_MIB_MIN} MiB：写满后什么都收不进来；请扩容，或看哪些可以清理：hotline retention plan"
            ),
            format!(
                "only {free} MiB are free in {dir}, less than {FREE_MIB_MIN}: once it is full nothing is taken in; enlarge it, or see what may \
                 go: hotline retention plan"
            ),
        ),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_just_come_in_is_not_late_yet() {
        assert_eq!(waiting((0, 0), "").0, Grade::Sound);
        let (grade, (zh, en)) = waiting((7, 0), "2023-01-01T00:00:00+08:00");
        assert_eq!(grade, Grade::Look);
        assert!(en.contains("ask again in 5 minutes") && zh.contains("5 分钟后再看一次"), "{en} {zh}");
        let (grade, (_, en)) = waiting((7, 2), "2023-01-01T00:00:00+08:00");
        assert_eq!(grade, Grade::Wrong);
        assert!(en.contains("the first since 2023-01-01T00:00:00+08:00; 2 of them"), "{en}");
    }

    #[test]
    fn a_time_is_told_in_a_unit_that_people_think_in() {
        let told = |seconds| (lasting(seconds, Lang::En), lasting(seconds, Lang::Zh));
        let pair = |en: &str, zh: &str| (en.to_owned(), zh.to_owned());
        assert_eq!(told(100_808_426.0), pair("1166 days", "1166 天"));
        assert_eq!(told(7_200.0), pair("2 hours", "2 小时"));
        assert_eq!(told(7_199.0), pair("119 minutes", "119 分钟"));
        assert_eq!(told(119.4), pair("119 s", "119 秒"));
        assert_eq!(told(-3.0), pair("-3 s", "-3 秒"));
    }

    #[test]
    fn how_many_are_how_bad_is_said_last() {
        let told = |text: &str| (text.to_owned(), text.to_owned());
        let mut findings = Findings::default();
        findings.test(true, Grade::Wrong, "disk", told("enough"), told("too little"));
        assert_eq!(summary(&findings.0, Lang::En), "everything is in order");
        findings.test(false, Grade::Wrong, "disk", told("enough"), told("too little"));
        findings.test(false, Grade::Look, "skew", told("right"), told("ahead"));
        let grades: Vec<(Grade, &str)> =
            findings.0.iter().map(|finding| (finding.grade, finding.en.as_str())).collect();
        assert_eq!(grades, [(Grade::Sound, "enough"), (Grade::Wrong, "too little"), (Grade::Look, "ahead")]);
        let said = summary(&findings.0, Lang::En);
        assert!(said.starts_with("1 WRONG: ") && said.contains("1 to look at: "), "{said}");
        assert!(summary(&findings.0, Lang::Zh).starts_with("异常 1 项："));
    }
}
