//! Signed notes: checkpoints of the log, and what witnesses put under them (C2SP signed-note, tlog-checkpoint,
//! tlog-cosignature).
//!
//! A key is 32 bytes with a name; what is signed carries the name, so one key may have several. Ed25519 gives the same
//! signature every time: who signs a state twice has signed it once.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hotline_postgres::closure_log::Digest;
use jiff::Timestamp;
use signed_note::{Note, Signature, Verifier, VerifierList, is_key_name_valid, key_id};
use thiserror::Error as ThisError;
use tlog_tiles::{Checkpoint, Hash};

/// Bytes of a note that is read at all.
pub const NOTE_BYTES_MAX: usize = 16_384;
const PUBLIC_BYTES: usize = 32;
const TIME_BYTES: usize = 8;

/// Why a note is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum NoteFault {
    #[error("it is no signed note of a checkpoint")]
    Malformed,
    #[error("it is of the log {found}, not of {expected}")]
    OtherLog { expected: String, found: String },
    #[error("it is not signed by the key {key}")]
    NotSigned { key: String },
    #[error("a signature on it does not hold: {0}")]
    BadSignature(String),
    #[error("{text:?} is no verifier key, such as name+1a2b3c4d+AAAA")]
    Key { text: String },
}

/// What a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Checkpoints of its own log.
    Log = 1,
    /// That it has seen a checkpoint and everything before it.
    Witness = 4,
}

/// Somebody's public key with its name, as C2SP writes it: `name+id+base64`.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    name: String,
    id: u32,
    kind: Kind,
    public: [u8; PUBLIC_BYTES],
}

impl Key {
    /// Reads a verifier key.
    pub fn parse(text: &str) -> Result<Self, NoteFault> {
        let fault = || NoteFault::Key { text: text.to_owned() };
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(bytes)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(fault());
        };
        let bytes = BASE64.decode(bytes).map_err(|_| fault())?;
        let kind = match bytes.first() {
            Some(1) => Kind::Log,
            Some(4) => Kind::Witness,
            _ => return Err(fault()),
        };
        let public = bytes[1..].try_into().map_err(|_| fault())?;
        let key = Self::new(name, kind, public).ok_or_else(fault)?;
        if format!("{:08x}", key.id) == id { Ok(key) } else { Err(fault()) }
    }

    fn new(name: &str, kind: Kind, public: [u8; PUBLIC_BYTES]) -> Option<Self> {
        let tagged = [&[kind as u8], public.as_slice()].concat();
        is_key_name_valid(name).then(|| Self {
            name: name.to_owned(),
            id: key_id(name, &tagged),
            kind,
            public,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tagged = [&[self.kind as u8], self.public.as_slice()].concat();
        write!(formatter, "{}+{:08x}+{}", self.name, self.id, BASE64.encode(tagged))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Verifier for Key {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        self.id
    }

    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        let public = UnparsedPublicKey::new(&ED25519, self.public);
        match self.kind {
            Kind::Log => public.verify(text, signature).is_ok(),
            Kind::Witness => match signature.split_first_chunk::<TIME_BYTES>() {
                Some((time, signature)) => {
                    public.verify(&cosigned_text(u64::from_be_bytes(*time), text), signature).is_ok()
                }
                None => false,
            },
        }
    }
}

/// What a witness signs: when it saw the text.
fn cosigned_text(unix_seconds: u64, text: &[u8]) -> Vec<u8> {
    [format!("cosignature/v1\ntime {unix_seconds}\n").as_bytes(), text].concat()
}

/// A private key with its name.
pub struct Signer {
    key: Key,
    pair: Ed25519KeyPair,
}

impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Signer").field(&self.key).finish()
    }
}

impl Signer {
    /// None: the name has a space or a plus in it, or is empty.
    pub fn new(name: &str, kind: Kind, seed: &[u8; 32]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("any 32 bytes are a key");
        let public = pair.public_key().as_ref().try_into().expect("a public key has 32 bytes");
        Some(Self { key: Key::new(name, kind, public)?, pair })
    }

    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The note that says how large the log of this key is, and which root it has.
    pub fn checkpoint(&self, size: u64, root: &Digest) -> String {
        let text = Checkpoint::new(&self.key.name, size, Hash(*root), "")
            .expect("a name that signs is no empty line")
            .to_bytes();
        let signature = self.pair.sign(&text).as_ref().to_vec();
        let signature = self.signature(signature);
        let note = Note::new(&text, &[signature]).expect("a checkpoint is plain text");
        String::from_utf8(note.to_bytes()).expect("a note is text")
    }

    /// The line of a witness that has seen this checkpoint now.
    pub fn cosign(&self, checkpoint: &Opened, now: Timestamp) -> String {
        let unix_seconds = now.as_second().max(0).unsigned_abs();
        let signature = self.pair.sign(&cosigned_text(unix_seconds, checkpoint.text.as_bytes()));
        let signature = [unix_seconds.to_be_bytes().as_slice(), signature.as_ref()].concat();
        String::from_utf8(self.signature(signature).to_bytes()).expect("a signature line is text")
    }

    fn signature(&self, bytes: Vec<u8>) -> Signature {
        Signature::new(self.key.name.clone(), self.key.id, bytes).expect("the name was looked at")
    }
}

/// A checkpoint whose signature holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    pub origin: String,
    pub size: u64,
    pub root: Digest,
    /// Which of the witnesses that were asked for have cosigned it, and when by their own clock.
    pub witnesses: Vec<(String, Timestamp)>,
    /// What was signed.
    text: String,
}

/// Opens a checkpoint that must be of the log of `key`, and notes which of `witnesses` have cosigned it. A signature of one
/// of these that does not hold is a fault; those of others are passed over.
pub fn open(note: &str, key: &Key, witnesses: &[Key]) -> Result<Opened, NoteFault> {
    let (parsed, checkpoint) = parse(note)?;
    if checkpoint.origin() != key.name {
        return Err(NoteFault::OtherLog {
            expected: key.name.clone(),
            found: checkpoint.origin().to_owned(),
        });
    }
    let known = std::iter::once(key).chain(witnesses);
    let known = VerifierList::new(known.map(|key| Box::new(key.clone()) as Box<dyn Verifier>).collect());
    let not_signed = || NoteFault::NotSigned { key: key.to_string() };
    let (signatures, _) = parsed.verify(&known).map_err(|error| match error {
        signed_note::NoteError::UnverifiedNote => not_signed(),
        error => NoteFault::BadSignature(error.to_string()),
    })?;
    if !signatures.iter().any(|signature| signature.id() == key.id && signature.name() == key.name) {
        return Err(not_signed());
    }
    let cosigned = |witness: &Key| {
        let of = |signature: &&Signature| signature.id() == witness.id && signature.name() == witness.name;
        let time = signatures.iter().find(of)?.signature().first_chunk::<TIME_BYTES>()?;
        let at =
            i64::try_from(u64::from_be_bytes(*time)).ok().and_then(|at| Timestamp::from_second(at).ok())?;
        Some((witness.name.clone(), at))
    };
    Ok(Opened {
        origin: checkpoint.origin().to_owned(),
        size: checkpoint.size(),
        root: checkpoint.hash().0,
        witnesses: witnesses.iter().filter_map(cosigned).collect(),
        text: String::from_utf8(parsed.text().to_vec()).map_err(|_| NoteFault::Malformed)?,
    })
}

/// What a note says, whoever signed it.
pub fn said(note: &str) -> Result<(String, u64), NoteFault> {
    let (_, checkpoint) = parse(note)?;
    Ok((checkpoint.origin().to_owned(), checkpoint.size()))
}

fn parse(note: &str) -> Result<(Note, Checkpoint), NoteFault> {
    if note.len() > NOTE_BYTES_MAX {
        return Err(NoteFault::Malformed);
    }
    let parsed = Note::from_bytes(note.as_bytes()).map_err(|_| NoteFault::Malformed)?;
    let checkpoint = Checkpoint::from_bytes(parsed.text()).map_err(|_| NoteFault::Malformed)?;
    // Written in one way only: nobody can change a byte and leave it good.
    let is_exact = parsed.to_bytes() == note.as_bytes() && checkpoint.to_bytes() == parsed.text();
    if is_exact { Ok((parsed, checkpoint)) } else { Err(NoteFault::Malformed) }
}

/// A note with more signature lines under it.
pub fn with_lines<'l>(note: &str, lines: impl IntoIterator<Item = &'l str>) -> String {
    let mut note = note.to_owned();
    lines.into_iter().for_each(|line| note.push_str(line));
    note
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);

    fn signer(name: &str, kind: Kind) -> Signer {
        Signer::new(name, kind, &[7; 32]).unwrap()
    }

    #[test]
    fn a_key_reads_as_it_is_written() {
        for kind in [Kind::Log, Kind::Witness] {
            let key = signer("hotline/log1", kind).key().clone();
            assert_eq!(Key::parse(&key.to_string()), Ok(key));
        }
        // The key of the documentation of signed notes, which Go made.
        let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        assert_eq!(Key::parse(text).unwrap().to_string(), text);
        for bad in ["", "a+b", "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"] {
            assert!(Key::parse(bad).is_err(), "{bad}");
        }
        assert!(Signer::new("with space", Kind::Log, &[0; 32]).is_none());
    }

    #[test]
    fn a_checkpoint_opens_with_its_key_and_with_no_other() {
        let log = signer("hotline/log1", Kind::Log);
        let note = log.checkpoint(42, &[9; 32]);
        let opened = open(&note, log.key(), &[]).unwrap();
        assert_eq!((opened.origin.as_str(), opened.size, opened.root), ("hotline/log1", 42, [9; 32]));
        let other = Signer::new("hotline/log1", Kind::Log, &[8; 32]).unwrap();
        assert!(matches!(open(&note, other.key(), &[]), Err(NoteFault::NotSigned { .. })));
        let renamed = signer("hotline/log2", Kind::Log);
        assert!(matches!(open(&note, renamed.key(), &[]), Err(NoteFault::OtherLog { .. })));
    }

    #[test]
    fn the_library_verifies_what_is_signed_here() {
        let log = signer("hotline/log1", Kind::Log);
        let note = Note::from_bytes(log.checkpoint(42, &[9; 32]).as_bytes()).unwrap();
        let theirs = signed_note::StandardVerifier::new(&log.key().to_string()).unwrap();
        assert!(note.verify(&VerifierList::new(vec![Box::new(theirs)])).is_ok());
    }

    #[test]
    fn no_byte_of_a_note_can_be_changed() {
        let log = signer("hotline/log1", Kind::Log);
        let witness = signer("witness", Kind::Witness);
        let note = log.checkpoint(42, &[9; 32]);
        let opened = open(&note, log.key(), &[]).unwrap();
        let note = with_lines(&note, [witness.cosign(&opened, NOW).as_str()]);
        let witnesses = [witness.key().clone()];
        let opened = open(&note, log.key(), &witnesses).unwrap();
        assert_eq!(opened.witnesses, [("witness".to_owned(), NOW)]);
        for place in 0..note.len() {
            let mut bytes = note.clone().into_bytes();
            bytes[place] ^= 1;
            let changed = String::from_utf8(bytes).ok();
            // The name and the id of a witness may become those of one that nobody asked for.
            let opened = changed.and_then(|note| open(&note, log.key(), &witnesses).ok());
            assert!(opened.is_none_or(|opened| opened.witnesses.is_empty()), "byte {place}");
        }
    }
}
