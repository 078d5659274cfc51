//! Keys, and what is sealed with them.
//!
//! One master key, held outside the database. From it, by HKDF-SHA256, a key for each purpose; per case a random
//! data key, kept wrapped: destroying that row erases the person. Nothing here prints a key or what it protects.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::rand;
use aws_lc_rs::{hkdf, hmac};

use crate::error::Error;

/// The layout of sealed bytes: this byte, 12 bytes of nonce, the ciphertext, 16 bytes of tag.
const LAYOUT: u8 = 1;
const NONCE_BYTES: usize = 12;
const SALT_BYTES: usize = 16;

/// Something about a person. It prints as a mask; whoever wants it asks for it by name.
#[derive(Clone, PartialEq, Eq)]
pub struct Personal<T>(T);

impl<T> Personal<T> {
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself, for those who may see it.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Personal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<T> fmt::Display for Personal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The installation's master key.
#[derive(Clone)]
pub struct MasterKey([u8; 32]);

/// The key of one case's personal data.
#[derive(Clone)]
pub struct DataKey([u8; 32]);

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(***)")
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(***)")
    }
}

impl MasterKey {
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A new one, for a first start.
    pub fn generate() -> Result<Self, Error> {
        random().map(Self)
    }

    /// The bytes, to be written where only this installation reads.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key of the content tags: what `hotline_events::Tagger::keyed` takes.
    pub fn tag_key(&self) -> [u8; 32] {
        self.derive(&[], b"content-tag")
    }

    /// Tells by which tag key facts are tagged, without telling the key.
    pub fn tag_key_id(&self) -> String {
        hex(&self.derive(&[], b"content-tag-id")[..8])
    }

    /// Tells whether a database was made with this key.
    pub(crate) fn check(&self) -> [u8; 32] {
        self.derive(&[], b"key-check")
    }

    /// Wraps a case's data key.
    pub fn wrap(&self, owner: &str, key: &DataKey) -> Vec<u8> {
        seal(&self.derive(&[], b"case-keys"), owner.as_bytes(), &key.0)
    }

    /// Unwraps a case's data key.
    pub fn unwrap(&self, owner: &str, wrapped: &[u8]) -> Result<DataKey, Error> {
        let what = "a case's key";
        let key = open(&self.derive(&[], b"case-keys"), owner.as_bytes(), wrapped, what)?;
        Ok(DataKey(key.try_into().map_err(|_| Error::Unsealable { what })?))
    }

    /// Seals the bytes of a dead letter under a key of their own; the salt stands first.
    pub fn seal_letter(&self, origin: &str, offset: i64, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let salt: [u8; SALT_BYTES] = random()?;
        let mut sealed = salt.to_vec();
        sealed.extend(seal(&self.derive(&salt, b"dead-letter"), &place(origin, offset), bytes));
        Ok(sealed)
    }

    /// Opens what [`MasterKey::seal_letter`] sealed.
    pub fn open_letter(&self, origin: &str, offset: i64, sealed: &[u8]) -> Result<Personal<Vec<u8>>, Error> {
        let what = "a dead letter";
        let (salt, sealed) = sealed.split_at_checked(SALT_BYTES).ok_or(Error::Unsealable { what })?;
        open(&self.derive(salt, b"dead-letter"), &place(origin, offset), sealed, what).map(Personal)
    }

    /// The key under which events travel through a broker.
    pub fn transit_key(&self) -> TransitKey {
        TransitKey(self.derive(&[], b"transit"))
    }

    fn derive(&self, salt: &[u8], label: &'static [u8]) -> [u8; 32] {
        expand(&hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(&self.0), label)
    }
}

fn expand(secret: &hkdf::Prk, label: &'static [u8]) -> [u8; 32] {
    let proof = "HKDF-SHA256 gives up to 8,160 bytes";
    let mut key = [0; 32];
    secret.expand(&[label], hkdf::HKDF_SHA256).and_then(|okm| okm.fill(&mut key)).expect(proof);
    key
}

/// The key under which events travel through a broker, from the role that takes them in to the one that keeps them.
#[derive(Clone)]
pub struct TransitKey([u8; 32]);

impl fmt::Debug for TransitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TransitKey(***)")
    }
}

impl TransitKey {
    /// Seals a record's value; it opens only under the record's own key.
    pub fn seal(&self, record_key: &[u8], value: &[u8]) -> Vec<u8> {
        seal(&self.0, record_key, value)
    }

    /// Opens what [`TransitKey::seal`] sealed.
    pub fn open(&self, record_key: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Error> {
        open(&self.0, record_key, sealed, "a record")
    }
}

impl DataKey {
    pub fn generate() -> Result<Self, Error> {
        random().map(Self)
    }

    /// Seals an event's personal members; they open only as those of this event of this case.
    pub fn seal(&self, owner: &str, event_key: &[u8; 16], members: &[u8]) -> Vec<u8> {
        seal(&self.0, &event(owner, event_key), members)
    }

    /// The key of the commitments to what this key seals. Where it is destroyed, nobody can guess what they are of.
    pub fn commitment_key(&self) -> CommitmentKey {
        // The data key is random already: RFC 5869, section 3.3, leaves extracting out.
        let secret = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, &self.0);
        CommitmentKey(hmac::Key::new(hmac::HMAC_SHA256, &expand(&secret, b"personal-commitment")))
    }

    /// Opens what [`DataKey::seal`] sealed.
    pub fn open(&self, owner: &str, event_key: &[u8; 16], sealed: &[u8]) -> Result<Personal<Vec<u8>>, Error> {
        open(&self.0, &event(owner, event_key), sealed, "personal data").map(Personal)
    }
}

/// Commits to personal data of a case without telling them: a hash that nobody can make without the case's key.
#[derive(Clone)]
pub struct CommitmentKey(hmac::Key);

impl fmt::Debug for CommitmentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CommitmentKey(***)")
    }
}

impl CommitmentKey {
    /// The commitment to an event's personal members, as they are sealed.
    pub fn commitment(&self, members: &[u8]) -> [u8; 32] {
        let tag = hmac::sign(&self.0, members);
        tag.as_ref().try_into().expect("HMAC-SHA256 has 32 bytes")
    }
}

/// Random bytes of the operating system.
pub fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| Error::NoRandomness)?;
    Ok(bytes)
}

/// As hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |text, byte| text + &format!("{byte:02x}"))
}

fn event(owner: &str, event_key: &[u8; 16]) -> Vec<u8> {
    [owner.as_bytes(), &[0], event_key].concat()
}

fn place(origin: &str, offset: i64) -> Vec<u8> {
    [origin.as_bytes(), &[0], &offset.to_be_bytes()].concat()
}

fn seal(key: &[u8; 32], context: &[u8], plain: &[u8]) -> Vec<u8> {
    let cipher = RandomizedNonceKey::new(&AES_256_GCM, key).expect("the key has 32 bytes");
    let mut body = plain.to_vec();
    let nonce = cipher
        .seal_in_place_append_tag(Aad::from(context), &mut body)
        .expect("a message under 64 GiB can be sealed");
    let mut sealed = Vec::with_capacity(1 + NONCE_BYTES + body.len());
    sealed.push(LAYOUT);
    sealed.extend_from_slice(nonce.as_ref());
    sealed.append(&mut body);
    sealed
}

fn open(key: &[u8; 32], context: &[u8], sealed: &[u8], what: &'static str) -> Result<Vec<u8>, Error> {
    let unsealable = || Error::Unsealable { what };
    let (&layout, rest) = sealed.split_first().ok_or_else(unsealable)?;
    let (nonce, body) = rest.split_at_checked(NONCE_BYTES).ok_or_else(unsealable)?;
    if layout != LAYOUT {
        return Err(unsealable());
    }
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| unsealable())?;
    let cipher = RandomizedNonceKey::new(&AES_256_GCM, key).expect("the key has 32 bytes");
    let mut body = body.to_vec();
    let length = cipher.open_in_place(nonce, Aad::from(context), &mut body).map_err(|_| unsealable())?.len();
    body.truncate(length);
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_only_in_its_own_place() {
        let master = MasterKey::new([7; 32]);
        let key = DataKey::generate().unwrap();
        let sealed = key.seal("12345:1", &[1; 16], b"name");
        assert!(!sealed.windows(4).any(|window| window == b"name"));
        assert_eq!(key.open("12345:1", &[1; 16], &sealed).unwrap().expose(), b"name");
        assert!(key.open("12345:2", &[1; 16], &sealed).is_err());
        assert!(key.open("12345:1", &[2; 16], &sealed).is_err());
        let wrapped = master.wrap("12345:1", &key);
        let unwrapped = master.unwrap("12345:1", &wrapped).unwrap();
        assert_eq!(unwrapped.open("12345:1", &[1; 16], &sealed).unwrap().expose(), b"name");
        assert!(master.unwrap("12345:2", &wrapped).is_err());
        assert!(MasterKey::new([8; 32]).unwrap("12345:1", &wrapped).is_err());
        let letter = master.seal_letter("http", 3, b"raw").unwrap();
        assert_eq!(master.open_letter("http", 3, &letter).unwrap().expose(), b"raw");
        assert!(master.open_letter("http", 4, &letter).is_err());
        for at in 0..letter.len() {
            let mut altered = letter.clone();
            altered[at] ^= 1;
            assert!(master.open_letter("http", 3, &altered).is_err(), "byte {at}");
        }
    }

    #[test]
    fn keys_and_personal_values_print_as_masks() {
        let master = MasterKey::new([7; 32]);
        let text = format!("{:?} {:?} {}", master, Personal::new("name"), Personal::new("name"));
        assert_eq!(text, "MasterKey(***) *** ***");
        assert_ne!(master.tag_key(), master.check());
    }
}
