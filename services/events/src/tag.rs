//! Content tags: how a second content under one (source, id) is noticed without keeping the first.

use aws_lc_rs::hmac;
use foldhash::quality::FixedState;

use crate::canonical::{self, Part};
use crate::tree::Member;

/// Attributes that do not belong to the content: when the source recorded it, and the one media type there is.
const OUTSIDE: [&str; 4] = ["recordedtime", "datacontenttype", "traceparent", "tracestate"];

/// Makes the tags of events.
#[derive(Clone, Debug)]
pub struct Tagger(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Keyed(Box<hmac::Key>),
    Unkeyed(FixedState),
}

impl Tagger {
    /// Tags that may be stored: the first 8 bytes of HMAC-SHA256 over the canonical content. The key keeps anybody
    /// who reads a tag from guessing short personal contents.
    pub fn keyed(key: &[u8]) -> Self {
        Self(Kind::Keyed(Box::new(hmac::Key::new(hmac::HMAC_SHA256, key))))
    }

    /// Tags for files without an installation's key. They tell contents apart within one process; they are quick,
    /// differ from every keyed tag, and must not be stored.
    pub fn unkeyed() -> Self {
        Self(Kind::Unkeyed(FixedState::default()))
    }

    pub(crate) fn tag(&self, members: &[Member<'_>]) -> u64 {
        let keep = |name: &str| !OUTSIDE.contains(&name);
        match &self.0 {
            Kind::Unkeyed(state) => canonical::fingerprint(members, keep, state),
            Kind::Keyed(key) => {
                let mut content = Vec::with_capacity(512);
                canonical::write_object(members, Part::All, keep, &mut content);
                let tag = hmac::sign(key, &content);
                let mut first = [0; 8];
                first.copy_from_slice(&tag.as_ref()[..8]);
                u64::from_be_bytes(first)
            }
        }
    }
}
