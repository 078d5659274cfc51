//! Tokens of people who ask: how they look, and what each role may see.
//!
//! A token is `hl_`, 48 hexadecimal digits of randomness, and 8 of a checksum, so that a scanner of repositories knows one
//! and whoever mistypes one is told so. Only its SHA-256 is kept; what is compared are hashes, in constant time.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use hotline_postgres::seal::{hex, random};

const PREFIX: &str = "hl_";
const RANDOM_DIGITS: usize = 48;
const CHECK_DIGITS: usize = 8;

/// A token itself. It is printed once, by whoever made it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

impl Token {
    /// A new one.
    pub fn generate() -> Result<Self, hotline_postgres::Error> {
        let head = format!("{PREFIX}{}", hex(&random::<{ RANDOM_DIGITS / 2 }>()?));
        Ok(Self(format!("{head}{}", checksum(&head))))
    }

    /// Reads one that was sent; None: it is none, or mistyped.
    pub fn read(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX)?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if digits.len() != RANDOM_DIGITS + CHECK_DIGITS || !digits.bytes().all(is_digit) {
            return None;
        }
        let (head, check) = text.split_at(PREFIX.len() + RANDOM_DIGITS);
        (checksum(head) == check).then(|| Self(text.to_owned()))
    }

    /// What is kept of it.
    pub fn sha256(&self) -> [u8; 32] {
        digest(&SHA256, self.0.as_bytes()).as_ref().try_into().expect("SHA-256 has 32 bytes")
    }

    /// Whether it is the one of which this is kept.
    pub fn is_of(&self, sha256: &[u8]) -> bool {
        verify_slices_are_equal(&self.sha256(), sha256).is_ok()
    }

    /// The token, to be shown to whoever it is for.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

fn checksum(head: &str) -> String {
    hex(&digest(&SHA256, head.as_bytes()).as_ref()[..CHECK_DIGITS / 2])
}

/// What somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Sees every case and takes lists away; nobody's identity.
    Auditor,
    /// Sees lists and the cases of its departments.
    Supervisor,
    /// Asks who the people of a case are, with a reason; sees no list.
    Operator,
}

impl Role {
    pub const ALL: [Role; 3] = [Role::Auditor, Role::Supervisor, Role::Operator];

    pub fn name(self) -> &'static str {
        match self {
            Role::Auditor => "auditor",
            Role::Supervisor => "supervisor",
            Role::Operator => "operator",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// Pages of lists, and samples.
    Lists,
    /// The history of a case.
    Case,
    /// The bytes of closure records.
    Records,
    /// Lists as files, and how far these are.
    Exports,
    /// Who the people of a case are.
    Unmask,
    /// Who took what away.
    AccessLog,
}

impl Right {
    pub const ALL: [Right; 6] =
        [Right::Lists, Right::Case, Right::Records, Right::Exports, Right::Unmask, Right::AccessLog];
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// As the access log has it.
    pub name: String,
    pub role: Role,
    /// Of a supervisor the departments that it sees; None: all.
    pub departments: Option<Vec<String>>,
    /// Its token says so, whatever its role.
    pub may_unmask: bool,
}

impl Caller {
    /// Whether it may ask for this at all. Which cases and lists a supervisor sees is [`Caller::sees`]'s affair.
    pub fn may(&self, right: Right) -> bool {
        match (right, self.role) {
            (Right::Unmask, Role::Operator) => true,
            (Right::Unmask, _) => self.may_unmask,
            (_, Role::Auditor) | (Right::Lists | Right::Case, Role::Supervisor) => true,
            (_, Role::Supervisor | Role::Operator) => false,
        }
    }

    /// Whether it sees what concerns any of these departments.
    pub fn sees<'d>(&self, mut departments: impl Iterator<Item = &'d str>) -> bool {
        match (&self.departments, self.role) {
            (Some(own), Role::Supervisor) => departments.any(|of| own.iter().any(|one| one == of)),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_no_digit_of_it_may_be_mistyped() {
        let token = Token::generate().unwrap();
        let text = token.expose().to_owned();
        assert_eq!(text.len(), 59);
        assert_eq!(Token::read(&text), Some(token.clone()));
        assert!(token.is_of(&token.sha256()) && !token.is_of(&[0; 32]));
        assert_eq!(format!("{token:?}"), "Token(***)");
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'a' { b'b' } else { b'a' };
            assert_eq!(Token::read(&String::from_utf8(bytes).unwrap()), None, "byte {at}");
        }
        for wrong in ["", "hl_", &text[..58], &format!("{text}0"), &text.to_uppercase()] {
            assert_eq!(Token::read(wrong), None, "{}", wrong.len());
        }
        assert_ne!(Token::generate().unwrap(), token);
    }

    #[test]
    fn every_role_has_its_rights_and_no_other() {
        use Right::{AccessLog, Case, Exports, Lists, Records, Unmask};
        let caller = |role, may_unmask| Caller { name: "n".to_owned(), role, departments: None, may_unmask };
        let rights = |role, may_unmask| -> Vec<Right> {
            Right::ALL.into_iter().filter(|right| caller(role, may_unmask).may(*right)).collect()
        };
        assert_eq!(rights(Role::Auditor, false), [Lists, Case, Records, Exports, AccessLog]);
        assert_eq!(rights(Role::Auditor, true), [Lists, Case, Records, Exports, Unmask, AccessLog]);
        assert_eq!(rights(Role::Supervisor, false), [Lists, Case]);
        assert_eq!(rights(Role::Supervisor, true), [Lists, Case, Unmask]);
        assert_eq!(rights(Role::Operator, false), [Unmask]);
        assert_eq!(rights(Role::Operator, true), [Unmask]);
    }

    #[test]
    fn a_supervisor_sees_what_concerns_its_departments() {
        let of = |departments: Option<&[&str]>, role| Caller {
            name: "n".to_owned(),
            role,
            departments: departments.map(|list| list.iter().map(|one| (*one).to_owned()).collect()),
            may_unmask: false,
        };
        let sees = |caller: Caller, list: &[&str]| caller.sees(list.iter().copied());
        assert!(sees(of(None, Role::Supervisor), &["D1"]));
        assert!(sees(of(Some(&["D1", "D2"]), Role::Supervisor), &["D3", "D2"]));
        assert!(!sees(of(Some(&["D1"]), Role::Supervisor), &["D2"]));
        assert!(!sees(of(Some(&["D1"]), Role::Supervisor), &[]));
        assert!(!sees(of(Some(&[]), Role::Supervisor), &["D1"]));
        assert!(sees(of(Some(&[]), Role::Auditor), &["D1"]));
    }
}
