//! What records say, made again: deadlines and verdicts from the facts and the rulebook that they name, published rates from
//! all records of the log.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use hotline_core::rulebook::Rulebook;
use hotline_events::closure::{
    BulletinRecord, CaseRecord, Part, ReadError, ReadRecord, RecomputeError, RulebookRecord, join, read,
    recompute,
};
use hotline_rates::Error as Rates;
use hotline_rates::recount::{Recount, Recounted};
use serde::Serialize;
use smol_str::SmolStr;

use super::Verified;
use crate::log::note::said;

/// Numbers that are named where they are not as they should be.
const NUMBERS_SHOWN_MAX: usize = 20;

/// Where rulebooks are had by their hash.
pub trait Rulebooks {
    /// None: there is none. An error is in words: it cannot be read, or has another hash.
    fn find(&mut self, hash: &str) -> Result<Option<Arc<Rulebook>>, String>;
}

/// What was made again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Remade {
    /// Records of cases that were folded again.
    pub records: u64,
    /// Rulebooks that records name and that were at hand: their files were compared with the hash that is recorded.
    pub rulebooks: u64,
    /// Records whose rulebook is not at hand, by its hash: nothing of them was made again.
    pub without_rulebook: BTreeMap<String, u64>,
    /// Records of another version of the program's rules, by that version: it takes that program.
    pub other_program: BTreeMap<u32, u64>,
    /// Records that a newer program wrote.
    pub unknown: u64,
    /// Records of which not all parts are there.
    pub incomplete: u64,
    pub bulletins: Vec<BulletinRemade>,
    /// What operators did with the log, in its order.
    pub steps: Vec<StepTold>,
}

/// A log that was begun after another stood still, or went on without its checkpoint file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepTold {
    /// `relog`, `adopt`.
    pub kind: String,
    pub at: String,
    pub reason: String,
    /// The log before it, and how many leaves of it were signed.
    pub before: Option<(String, u64)>,
}

/// A published bulletin that was come across.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BulletinRemade {
    pub id: i64,
    pub form: String,
    /// As it was asked for: `2026-09`.
    pub period: String,
    pub outcome: Outcome,
    /// Cases whose records were looked at.
    pub cases: usize,
}

/// What came of counting a bulletin again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Same,
    Different,
    /// Only a mirror has the records of all cases.
    NotWhole,
    WithoutRulebook,
    OtherProgram,
}

impl Remade {
    /// All that is there was made again.
    pub fn is_whole(&self) -> bool {
        self.without_rulebook.is_empty()
            && self.other_program.is_empty()
            && (self.unknown, self.incomplete) == (0, 0)
            && self.bulletins.iter().all(|bulletin| bulletin.outcome == Outcome::Same)
    }
}

pub(super) struct Remake<'r> {
    rulebooks: &'r mut dyn Rulebooks,
    found: HashMap<SmolStr, Option<Arc<Rulebook>>>,
    parts: HashMap<SmolStr, Vec<Part>>,
    /// The numbers of the records of each case.
    numbers: HashMap<SmolStr, Vec<u32>>,
    bulletins: Vec<BulletinRecord>,
    remade: Remade,
}

impl<'r> Remake<'r> {
    pub(super) fn new(rulebooks: &'r mut dyn Rulebooks) -> Self {
        Self {
            rulebooks,
            found: HashMap::new(),
            parts: HashMap::new(),
            numbers: HashMap::new(),
            bulletins: Vec::new(),
            remade: Remade::default(),
        }
    }

    /// Takes a leaf whose place in the log is proven.
    pub(super) fn take(&mut self, name: &str, leaf: &[u8], verified: &mut Verified) {
        match read_whole(leaf, &mut self.parts) {
            // What was done with the log or seen of cases decides nothing.
            Ok(
                None
                | Some(
                    ReadRecord::Part(_)
                    | ReadRecord::Erased(_)
                    | ReadRecord::Export(_)
                    | ReadRecord::Unmask(_),
                ),
            ) => {}
            Ok(Some(ReadRecord::Log(record))) => self.remade.steps.push(StepTold {
                kind: record.kind.to_string(),
                at: record.at.to_string(),
                reason: record.reason,
                before: record.checkpoint.as_deref().and_then(|note| said(note).ok()),
            }),
            Ok(Some(ReadRecord::Case(record))) => self.case(name, &record, verified),
            Ok(Some(ReadRecord::Rulebook(record))) => self.rulebook_record(name, &record, verified),
            Ok(Some(ReadRecord::Bulletin(record))) => {
                self.remade.bulletins.push(BulletinRemade {
                    id: record.id,
                    form: record.form.id.to_string(),
                    period: record.period.clone(),
                    outcome: Outcome::NotWhole,
                    cases: 0,
                });
                self.bulletins.push(*record);
            }
            Err(
                ReadError::UnknownVersion { .. }
                | ReadError::UnknownSuite { .. }
                | ReadError::UnknownKind { .. },
            ) => self.remade.unknown += 1,
            Err(fault) => verified.add(format!("{name}: {fault}")),
        }
    }

    fn case(&mut self, name: &str, record: &CaseRecord, verified: &mut Verified) {
        if let Some(seq) = record.seq {
            self.numbers.entry(record.case.clone()).or_default().push(seq);
        }
        let Some(rulebook) = self.rulebook(&record.rulebook.hash, verified) else {
            *self.remade.without_rulebook.entry(record.rulebook.hash.to_string()).or_default() += 1;
            return;
        };
        match recompute(record, &rulebook) {
            Ok(differences) => {
                self.remade.records += 1;
                for difference in differences {
                    verified.add(format!(
                        "{name}, {}: {} is {}, and its facts come to {}",
                        record.case, difference.pointer, difference.recorded, difference.recomputed
                    ));
                }
            }
            Err(RecomputeError::OtherFold { wanted }) => {
                *self.remade.other_program.entry(wanted).or_default() += 1;
            }
            Err(fault @ RecomputeError::OtherRulebook { .. }) => verified.add(format!("{name}: {fault}")),
        }
    }

    /// A rulebook that is at hand must have the files that were recorded.
    fn rulebook_record(&mut self, name: &str, record: &RulebookRecord, verified: &mut Verified) {
        let Some(rulebook) = self.rulebook(&record.rulebook.hash, verified) else { return };
        let recorded: BTreeMap<&str, &str> =
            record.files.iter().map(|file| (file.path.as_str(), file.sha256.as_str())).collect();
        let found: BTreeMap<&str, &str> =
            rulebook.files.iter().map(|(path, hash)| (path.as_str(), hash.as_str())).collect();
        if recorded != found {
            verified.add(format!(
                "{name}: the files of the rulebook {} are not those recorded",
                record.rulebook.hash
            ));
        }
    }

    fn rulebook(&mut self, hash: &SmolStr, verified: &mut Verified) -> Option<Arc<Rulebook>> {
        if let Some(known) = self.found.get(hash) {
            return known.clone();
        }
        let found = self.rulebooks.find(hash).unwrap_or_else(|fault| {
            verified.add(fault);
            None
        });
        self.remade.rulebooks += u64::from(found.is_some());
        self.found.insert(hash.clone(), found.clone());
        found
    }

    /// Copies bring rulebooks along: one that is not there was taken out.
    pub(super) fn needs_rulebooks(&self, verified: &mut Verified) {
        for (hash, count) in &self.remade.without_rulebook {
            verified.add(format!("the rulebook {hash}, which {count} records name, is not in the copy"));
        }
    }

    /// All records of the log were taken: none of a case may be missing.
    pub(super) fn whole(&mut self, verified: &mut Verified) {
        let mut odd: Vec<(&SmolStr, &[u32])> = Vec::new();
        for (case, numbers) in &mut self.numbers {
            numbers.sort_unstable();
            if !numbers.iter().copied().eq(1..=u32::try_from(numbers.len()).unwrap_or(u32::MAX)) {
                odd.push((case, numbers));
            }
        }
        odd.sort_unstable();
        for (case, numbers) in odd {
            let shown: Vec<String> = numbers.iter().take(NUMBERS_SHOWN_MAX).map(u32::to_string).collect();
            verified.add(format!(
                "{case}: its records must be numbered from 1 on, each once; there are {}",
                shown.join(", ")
            ));
        }
        self.numbers.clear();
    }

    pub(super) fn bulletins(&self) -> usize {
        self.bulletins.len()
    }

    /// Counts a bulletin again: all records of the log are given to it.
    pub(super) fn recount(&mut self, nth: usize) -> Counting {
        let bulletin = self.bulletins[nth].clone();
        let rulebook = self.found.get(&bulletin.rulebook.hash).cloned().flatten();
        Counting {
            recount: rulebook.is_some().then(|| Recount::new(bulletin)),
            rulebook,
            parts: HashMap::new(),
        }
    }

    pub(super) fn counted(
        &mut self,
        nth: usize,
        counted: Option<Result<Recounted, Rates>>,
        verified: &mut Verified,
    ) {
        let bulletin = &mut self.remade.bulletins[nth];
        bulletin.outcome = match counted {
            None => Outcome::WithoutRulebook,
            Some(Err(Rates::OtherFold { .. })) => Outcome::OtherProgram,
            Some(Err(fault)) => {
                verified.add(format!("bulletin {}: {fault}", bulletin.id));
                Outcome::Different
            }
            Some(Ok(recounted)) => {
                bulletin.cases = recounted.cases;
                if recounted.is_same { Outcome::Same } else { Outcome::Different }
            }
        };
        if bulletin.outcome == Outcome::Different {
            verified.add(format!(
                "bulletin {} ({} {}): the records of {} cases come to other figures",
                bulletin.id, bulletin.form, bulletin.period, bulletin.cases
            ));
        }
    }

    pub(super) fn end(mut self) -> Remade {
        self.remade.incomplete = self.parts.len() as u64;
        self.remade
    }
}

/// A bulletin that is counted again.
pub(super) struct Counting {
    recount: Option<Recount>,
    rulebook: Option<Arc<Rulebook>>,
    parts: HashMap<SmolStr, Vec<Part>>,
}

impl Counting {
    pub(super) fn take(&mut self, leaf: &[u8]) {
        let Some(recount) = &mut self.recount else { return };
        if let Ok(Some(ReadRecord::Case(record))) = read_whole(leaf, &mut self.parts) {
            recount.take(&record);
        }
    }

    /// None: its rulebook is not at hand.
    pub(super) fn end(self) -> Option<Result<Recounted, Rates>> {
        let rulebook = self.rulebook?;
        Some(self.recount?.figures(&rulebook))
    }
}

/// The record of a leaf; None: it is a part, and others are still to come.
fn read_whole(leaf: &[u8], parts: &mut HashMap<SmolStr, Vec<Part>>) -> Result<Option<ReadRecord>, ReadError> {
    let part = match read(leaf)? {
        ReadRecord::Part(part) => part,
        whole => return Ok(Some(whole)),
    };
    let of = part.of.clone();
    let known = parts.entry(of.clone()).or_default();
    known.push(part);
    if known.len() < usize::try_from(known[0].parts).unwrap_or(usize::MAX) {
        return Ok(None);
    }
    let known = parts.remove(&of).unwrap_or_default();
    read(&join(&known)?).map(Some)
}
