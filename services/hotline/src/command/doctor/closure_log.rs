//! How the closure log stands.

use hotline_audit::log::standing::standing;
use hotline_audit::{Error, Halt};
use hotline_postgres::{closure_records, run_tx};
use hotline_runtime::clock;
use hotline_runtime::config::Config;

use super::{Findings, Grade};
use crate::command::audit;
use crate::store::Store;

/// Records wait no longer where the role audit runs.
const SEALED_WITHIN_SECONDS: i64 = 300;
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
            findings.add(
                if last == 0 { Grade::Sound } else { Grade::Look },
                code,
                "还没有办结留痕日志：运行 hotline audit",
                "there is no closure log yet: run hotline audit",
            );
            return Ok(());
        }
        Err(Error::Store(error)) => return Err(error.into()),
        Err(error) => {
            let (zh, en) =
                (format!("办结留痕日志停止封存：{error}"), format!("the closure log stands still: {error}"));
            // Another machine than the one that seals has neither the key nor the file.
            let elsewhere =
                matches!(error, Error::Halted(Halt::KeyMissing { .. } | Halt::FileMissing { .. }));
            findings.add(if elsewhere { Grade::Look } else { Grade::Wrong }, code, zh, en);
            return Ok(());
        }
    };
    let now = clock::now();
    let age = |at| now.duration_since(at).as_secs();
    let is_behind =
        standing.waiting > 0 && standing.signed_at.is_none_or(|at| age(at) > SEALED_WITHIN_SECONDS);
    let (origin, signed, waiting) = (&standing.origin, standing.signed, standing.waiting);
    findings.test(
        !is_behind,
        Grade::Wrong,
        code,
        format!("办结留痕日志 {origin}：已签名 {signed} 条，与检查点文件一致；等待封存 {waiting} 条"),
        format!("the closure log {origin}: {signed} leaves signed, as the checkpoint file says; {waiting} records wait"),
    );
    for witness in audit.witness_keys() {
        let last = standing.cosigned.iter().find(|cosigned| cosigned.witness == witness.name());
        let (seen, silent) = last.map_or((0, i64::MAX), |last| (last.size, age(last.cosigned_at)));
        let name = witness.name();
        findings.test(
            seen >= signed || silent < COSIGNED_WITHIN_SECONDS,
            Grade::Look,
            "witness",
            format!("见证方 {name} 已见证 {seen} 条"),
            format!("the witness {name} has cosigned {seen} leaves"),
        );
    }
    Ok(())
}
