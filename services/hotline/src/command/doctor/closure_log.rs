//! How the closure log stands.

use hotline_audit::log::standing::standing;
use hotline_audit::{Error, Halt};
use hotline_postgres::{closure_log, closure_records, run_read_tx, run_tx};
use hotline_runtime::clock;
use hotline_runtime::config::Config;

use super::{Findings, Grade};
use crate::command::audit;
use crate::store::Store;

/// A witness that answers has cosigned within this time.
const COSIGNED_WITHIN_SECONDS: i64 = 3_600;

pub(super) async fn look(store: &Store, config: &Config, findings: &mut Findings) -> anyhow::Result<()> {
    let (audit, parts) = audit::parts(config, store);
    let code = "closure_log";
    let standing = match standing(&audit, &parts).await {
        Ok(standing) => standing,
        Err(Error::NoLog) => {
            let last = run_tx(&store.pool, "closure_records::last_id", &mut (), |tx, ()| {
                Box::pin(closure_records::last_id(tx))
            })
            .await?;
            findings.test(
                last == 0,
                Grade::Look,
                code,
                (
                    "还没有办结留痕日志，也没有要封存的办结记录".to_owned(),
                    "there is no closure log yet, and no closure record that it should hold".to_owned(),
                ),
                (
                    "还没有办结留痕日志，办结记录在等待封存，封存之前无人能核验；启动 hotline audit（或 hotline all）".to_owned(),
                    "there is no closure log yet, and closure records wait for it: nobody can check them before; start hotline audit (or \
                     hotline all)"
                        .to_owned(),
                ),
            );
            return Ok(());
        }
        Err(Error::Store(error)) => return Err(error.into()),
        Err(error) => {
            let zh = format!("办结留痕日志停止封存，新的办结记录暂时无人能核验，收件和统计照常：{error}");
            let en = format!(
                "the closure log stands still, and nobody can check newer closure records; events and figures go on: {error}"
            );
            // Another machine than the one that seals has neither the key nor the file.
            let elsewhere =
                matches!(error, Error::Halted(Halt::KeyMissing { .. } | Halt::FileMissing { .. }));
            findings.add(if elsewhere { Grade::Look } else { Grade::Wrong }, code, zh, en);
            return Ok(());
        }
    };
    let now = clock::now();
    let age = |at| now.duration_since(at).as_secs();
    left_out(store, findings).await?;
    let is_behind = standing.is_behind(now);
    let (origin, signed, waiting) = (&standing.origin, standing.signed, standing.waiting);
    findings.test(
        !is_behind,
        Grade::Wrong,
        code,
        (
            format!("办结留痕日志 {origin}：已签名 {signed} 条，与检查点文件一致；等待封存 {waiting} 条"),
            format!("the closure log {origin}: {signed} records are signed, as the checkpoint file says; {waiting} wait"),
        ),
        (
            format!(
                "办结留痕日志 {origin}：有 {waiting} 条办结记录等待封存超过 5 分钟，封存之前无人能核验；启动 hotline audit（或 hotline all），\
                 已在运行的看它的日志"
            ),
            format!(
                "the closure log {origin}: {waiting} closure records have waited for more than 5 minutes, and nobody can check them before they \
                 are sealed; start hotline audit (or hotline all), and where it runs look into its log"
            ),
        ),
    );
    for witness in audit.witness_keys() {
        let last = standing.cosigned.iter().find(|cosigned| cosigned.witness == witness.name());
        let (seen, silent) = last.map_or((0, i64::MAX), |last| (last.size, age(last.cosigned_at)));
        let name = witness.name();
        findings.test(
            seen >= signed || silent < COSIGNED_WITHIN_SECONDS,
            Grade::Look,
            "witness",
            (
                format!("见证方 {name} 已见证 {seen} 条"),
                format!("the witness {name} has cosigned {seen} records"),
            ),
            (
                format!(
                    "见证方 {name} 只见证了 {seen} 条，已签名的有 {signed} 条，且一小时没有动静：其余的没有外人作证；请对方查看 hotline witness 是否在\
                     运行，并核对 [[audit.witnesses]] 中的地址和公钥（对方用 hotline witness key 打印）"
                ),
                format!(
                    "the witness {name} has cosigned {seen} of {signed} records, and nothing for an hour: nobody outside vouches for the rest; have \
                     whoever runs it see whether hotline witness runs, and compare its address and key in [[audit.witnesses]] with what \
                     hotline witness key prints there"
                ),
            ),
        );
    }
    Ok(())
}

/// A record that was kept out of the log is at or below what is settled, so that it is not among those that wait.
async fn left_out(store: &Store, findings: &mut Findings) -> anyhow::Result<()> {
    let found = run_read_tx(&store.pool, "closure_log::left_out", &mut (), |tx, ()| {
        Box::pin(async move {
            match closure_log::state(tx).await? {
                Some(state) => closure_log::left_out(tx, &state, 1).await,
                None => Ok(Vec::new()),
            }
        })
    })
    .await?;
    if let Some(record) = found.first() {
        findings.add(
            Grade::Wrong,
            "closure_log",
            format!(
                "办结记录 {record} 本应在办结留痕日志中，却不在：有人把它排除在外，封存因此停止；保留数据库现状，运行 hotline audit check，并通知监督部门"
            ),
            format!(
                "closure record {record} should be in the closure log and is not: somebody kept it out, and sealing stands still for it; keep \
                 the database as it is, run hotline audit check, and tell the supervising authority"
            ),
        );
    }
    Ok(())
}
