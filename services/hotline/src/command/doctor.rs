//! `hotline doctor`: is everything in order? One line a finding.

mod closure_log;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use hotline_casework::Halted;
use hotline_core::anomaly::AnomalyCode;
use hotline_core::rulebook::Rulebook;
use hotline_kafka::{ClusterConfig, Partition, admin, cluster_id, inspect};
use hotline_postgres::cases;
use hotline_postgres::positions::Position;
use hotline_postgres::{
    Error, MasterKey, PgPool, Rules, dead_letters, deliveries, erasures, grants, health, installation,
    positions, refolds, run_snapshot_tx, run_tx, sources, tallies,
};
use hotline_runtime::config::{Config, DataConfig, KafkaConfig, PostgresConfig};
use hotline_runtime::{clock, embedded};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan as _};
use serde_json::json;

use crate::broker;
use crate::global::{Global, Lang};
use crate::store::{self, Store};

/// Looks at everything that can be looked at without changing anything: versions, schema, positions against the broker,
/// the conservation law, tallies, clocks, the calendar's horizon, dead letters, disk. Exit 1 if something is wrong, 2 if
/// something should be looked at, else 0.
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

    /// Sound where it holds, else as bad as said.
    fn test(&mut self, holds: bool, otherwise: Grade, code: &'static str, zh: String, en: String) {
        self.add(if holds { Grade::Sound } else { otherwise }, code, zh, en);
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
const ANSWER_WAIT: Duration = Duration::from_secs(20);

pub async fn run(global: &Global, args: &Args) -> anyhow::Result<ExitCode> {
    let config = global.load()?;
    let findings = store::with(&config, async |store| {
        let mut findings = Findings::default();
        // A store that opens has the program's schema.
        findings.add(
            Grade::Sound,
            "schema",
            format!("程序 {}，数据库结构与之相符", env!("CARGO_PKG_VERSION")),
            format!("program {}, and the schema is its own", env!("CARGO_PKG_VERSION")),
        );
        server(store, &mut findings).await?;
        key(store, &config, &mut findings).await?;
        logins(store, &config, &mut findings).await?;
        rules(store, &mut findings).await?;
        let positions = read_positions(&store.pool).await?;
        laws(&positions, &mut findings);
        if let Some(kafka) = config.optional::<KafkaConfig>() {
            log(&kafka, &store.master, &positions, &mut findings).await?;
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
    Ok(match findings.iter().map(|finding| finding.grade).max() {
        Some(Grade::Wrong) => ExitCode::FAILURE,
        Some(Grade::Look) => ExitCode::from(2),
        _ => ExitCode::SUCCESS,
    })
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
    findings.test(
        apart.as_secs_f64() <= CLOCKS_APART_MAX,
        Grade::Wrong,
        "clock",
        format!("本机与数据库时钟相差 {:.1} 秒", apart.as_secs_f64()),
        format!("our clock and the database's are {:.1} s apart", apart.as_secs_f64()),
    );
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
    findings.test(
        is_right,
        Grade::Wrong,
        "master_key",
        format!(
            "主密钥 {} {}",
            path.display(),
            if is_right { "与数据库相符" } else { "不是本数据库的主密钥" }
        ),
        format!(
            "master key {} {}",
            path.display(),
            if is_right { "is that of the database" } else { "is NOT that of the database" }
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
            "各角色共用一个数据库账号：hotline migrate --roles 为每个角色建立最小权限账号",
            "all roles share one login: hotline migrate --roles makes one for each, with the rights that it needs",
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
                "数据库账号 {login} {}；hotline migrate --roles 可修正",
                parts("缺少权限：", "多余权限：", "；")
            ),
            format!(
                "the login {login} {}; hotline migrate --roles mends it",
                parts("lacks: ", "has too much: ", "; ")
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
        format!(
            "{count} 件工单的个人信息已删除，数据文件{}",
            if is_gone { "已重写" } else { "尚未重写：请再次运行 hotline erase" }
        ),
        format!(
            "the persons of {count} cases are erased, and the files {}",
            if is_gone {
                "were written anew"
            } else {
                "were not written anew since: run `hotline erase` again"
            }
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
                "尚未启用规则库：hotline rulebook activate",
                "no rulebook is active: hotline rulebook activate",
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
        format!("规则库第 {seq} 版 {hash}，重算{}", if done { "已完成" } else { "未完成，通报暂不发布" }),
        format!(
            "rulebook {seq} {hash}, {}",
            if done { "all cases are folded by it" } else { "not all cases are folded by it yet" }
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
        findings.add(
            grade,
            "calendar",
            format!("日历 {id} 已公布至 {until}，其后的期限为暂定；国务院办公厅通知公布后加入新一年并启用规则库"),
            format!(
                "the calendar {id} is known until {until}: deadlines after it are provisional; add the next year when \
                 the State Council's notice is out (each November), and activate the rulebook"
            ),
        );
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
    findings.test(
        names.is_empty(),
        Grade::Wrong,
        "conservation",
        format!("{} 个来源共 {records} 条记录，缺口 {gaps}；不守恒：{}", positions.len(), names.len()),
        format!(
            "{records} records of {} origins, {gaps} gaps; not conserved: {}",
            positions.len(),
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        ),
    );
}

/// Every partition of the topic against its position.
async fn log(
    kafka: &KafkaConfig,
    master: &MasterKey,
    positions: &[Position],
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let cluster = broker::cluster(kafka)?;
    let topic = match admin::topic(&cluster, &kafka.topic, ANSWER_WAIT).await {
        Ok(Some(topic)) => topic,
        Ok(None) => {
            let name = &kafka.topic;
            findings.add(
                Grade::Wrong,
                "topic",
                format!("没有主题 {name}：hotline migrate"),
                format!("there is no topic {name}: hotline migrate"),
            );
            return Ok(());
        }
        Err(error) => {
            findings.add(
                Grade::Wrong,
                "broker",
                format!("消息集群：{error}"),
                format!("the broker: {error}"),
            );
            return Ok(());
        }
    };
    findings.test(
        topic.append_time,
        Grade::Wrong,
        "topic",
        format!(
            "主题 {} 有 {} 个分区，时间戳由{}记",
            kafka.topic,
            topic.partitions,
            if topic.append_time { "集群" } else { "发送方" }
        ),
        format!(
            "the topic {} has {} partitions, stamped by the {}",
            kafka.topic,
            topic.partitions,
            if topic.append_time { "broker" } else { "producers: receipts are when casework reads" }
        ),
    );
    against_positions(kafka, (&cluster, topic.partitions), master, positions, findings).await
}

/// Whether casework would read every partition on.
async fn against_positions(
    kafka: &KafkaConfig,
    (cluster, partitions): (&ClusterConfig, usize),
    master: &MasterKey,
    positions: &[Position],
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let id = cluster_id(cluster, ANSWER_WAIT).await?;
    let position_of = |partition: &Partition| {
        positions.iter().find(|position| position.claim.origin == partition.to_string())
    };
    let wanted = (0..partitions)
        .filter_map(|number| i32::try_from(number).ok())
        .map(|number| {
            let partition = Partition::new(&kafka.topic, number);
            let last = position_of(&partition).and_then(|position| position.last);
            (partition, last.map(|last| last.offset))
        })
        .collect();
    let seen = inspect(cluster, &kafka.group, wanted, ANSWER_WAIT).await?;
    let opener = broker::opener(master);
    let of_topic = format!("{}/", kafka.topic);
    for position in positions {
        let number =
            position.claim.origin.strip_prefix(&of_topic).and_then(|number| number.parse::<i32>().ok());
        if number.is_some_and(|number| usize::try_from(number).is_ok_and(|number| number >= partitions)) {
            let (origin, next) = (&position.claim.origin, position.claim.next_offset);
            findings.add(
                Grade::Wrong,
                "partition",
                format!("{origin} 曾读到 {next}，而主题只有 {partitions} 个分区：主题是否重建？"),
                format!("{origin} was read to {next}, and the topic has {partitions} partitions: was it made anew?"),
            );
        }
    }
    let mut lag = 0;
    for log in seen {
        let position = position_of(&log.partition);
        let next = position.map_or(log.low, |position| position.claim.next_offset);
        lag += (log.high - next).max(0);
        let Some(position) = position else {
            if log.low > 0 {
                let (origin, low) = (&log.partition, log.low);
                findings.add(
                    Grade::Wrong,
                    "partition",
                    format!("{origin} 从未读过，而日志始于 {low}：之前的记录已失，见 hotline partitions resume"),
                    format!(
                        "{origin} was never read and its log begins at {low}: what was before is gone, see hotline partitions resume"
                    ),
                );
            }
            continue;
        };
        let of_another = position.cluster_id.as_ref().is_some_and(|known| *known != id);
        let judged = if of_another {
            Err(Halted::OtherCluster)
        } else {
            hotline_casework::judge(&log, next, position.last, &opener)
        };
        if let Err(halted) = judged {
            let (origin, code) = (&log.partition, halted.code());
            findings.add(
                Grade::Wrong,
                "partition",
                format!(
                    "{origin} 停读（{code}）：读到 {next}，而日志为 {} 至 {}：hotline partitions resume",
                    log.low, log.high
                ),
                format!(
                    "{origin} is halted ({code}): it stands at {next}, its log goes from {} to {}: hotline partitions resume",
                    log.low, log.high
                ),
            );
        }
    }
    findings.add(
        Grade::Sound,
        "lag",
        format!("待读 {lag} 条"),
        format!("{lag} records are still to be read"),
    );
    Ok(())
}

/// Whether somebody looks at what falls due.
async fn overslept(store: &Store, findings: &mut Findings) -> anyhow::Result<()> {
    let mut by = clock::now() - OVERSLEPT_MAX;
    let (cases, since) =
        run_tx(&store.pool, "cases::overslept", &mut by, |tx, by| Box::pin(cases::overslept(tx, *by)))
            .await?;
    let since = since.map_or_else(String::new, |since| since.to_string());
    findings.test(
        cases == 0,
        Grade::Wrong,
        "timekeeper",
        if cases == 0 {
            "到期事项均已处理".to_owned()
        } else {
            format!("{cases} 件案件到期未处理，最早自 {since}：timekeeper 是否在运行？")
        },
        if cases == 0 {
            "what fell due was looked at".to_owned()
        } else {
            format!("{cases} cases wait for a timekeeper, the first since {since}: does one run?")
        },
    );
    Ok(())
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
            format!("通知接收方 {name}：待送 {waiting} 条，放弃 {given_up} 条"),
            format!("the receiver {name} waits for {waiting} notices, {given_up} were given up: hotline notices receivers"),
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
        format!("待处理异常数据 {open} 件"),
        format!("{open} dead letters are open: hotline dead-letters groups"),
    );
    for one in stopped {
        findings.add(
            Grade::Look,
            "source",
            format!("来源 {} 已停（{}，{}）：{}", one.source, one.stop.name(), one.since, one.why),
            format!("the source {} is {} since {}: {}", one.source, one.stop.name(), one.since, one.why),
        );
    }
    Ok(())
}

async fn skews(store: &Store, findings: &mut Findings) -> anyhow::Result<()> {
    let heard = run_tx(&store.pool, "health::heard", &mut (), |tx, ()| Box::pin(health::heard(tx))).await?;
    for one in heard {
        let (Some(least), Some(median)) = (one.least, one.median) else { continue };
        let (source, events) = (one.source, one.events);
        findings.test(
            least >= -AHEAD_MAX,
            Grade::Look,
            "skew",
            format!(
                "来源 {source} 近 {events} 条：到达比所称时间晚 {median:.0} 秒（中位数），最早 {least:.0} 秒"
            ),
            format!(
                "{source}: of its latest {events} events half came {median:.0} s after the time they claim, the earliest {least:.0} s"
            ),
        );
    }
    Ok(())
}

async fn sums(pool: &PgPool, findings: &mut Findings) -> anyhow::Result<()> {
    let name = "doctor::tallies";
    let differences =
        run_snapshot_tx(pool, name, &mut (), |tx, ()| Box::pin(tallies::check(tx))).await?.len();
    findings.test(
        differences == 0,
        Grade::Wrong,
        "tallies",
        format!("统计与案件不符 {differences} 处"),
        format!("{differences} tallies differ from the cases: hotline tallies check"),
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
            format!("{cases} 件诉求有 {code}：规则库中没有的代码，例如 hotline explain {example}"),
            format!(
                "{cases} cases have {code}: codes that the rulebook does not know: hotline explain {example}"
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
            format!("无法得知 {dir} 的剩余空间"),
            format!("how much is free in {dir} cannot be told"),
        );
        return;
    };
    findings.test(
        free >= FREE_MIB_MIN,
        Grade::Wrong,
        "disk",
        format!("{} 余 {free} MiB", dir.display()),
        format!("{free} MiB are free in {}", dir.display()),
    );
}
