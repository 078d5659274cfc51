//! A record of the topic as casework takes it.

use hotline_events::intake::{Reason, Record, RecordContent};
use hotline_events::{Keep, Tagger, decode, decode_binary, is_binary, structured};
use hotline_kafka::RawRecord;
use hotline_postgres::TransitKey;
use jiff::Timestamp;

/// The `content-type` of a record that a gateway sealed: its value opens to an event in structured mode.
pub const SEALED: &str = "application/vnd.hotline.sealed";

/// What it takes to read records.
#[derive(Clone, Debug)]
pub struct Opener {
    /// With the installation's key: what it tags is stored.
    pub tagger: Tagger,
    pub transit: TransitKey,
}

impl Opener {
    /// The record's events. Its receipt is when the broker appended it; where producers stamp records, when it is
    /// read here.
    pub(crate) fn open(&self, raw: &RawRecord, now: Timestamp) -> Record {
        let stamped = raw.timestamp_ms.filter(|_| raw.append_time);
        let received_at = stamped.and_then(|at| Timestamp::from_millisecond(at).ok()).unwrap_or(now);
        let (bytes, content) = self.content(raw);
        Record { raw: bytes, received_at, offset: Some(raw.offset), content }
    }

    /// The bytes by which the record is known: what a dead letter keeps, and what tells a replaced log.
    pub(crate) fn bytes(&self, raw: &RawRecord) -> Vec<u8> {
        self.content(raw).0
    }

    fn content(&self, raw: &RawRecord) -> (Vec<u8>, RecordContent) {
        let value = raw.payload.as_deref().unwrap_or_default();
        let headers =
            || raw.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref().unwrap_or_default()));
        if content_type(raw) == Some(SEALED.as_bytes()) {
            return match self.transit.open(raw.key.as_deref().unwrap_or_default(), value) {
                Ok(opened) => {
                    let content = RecordContent::of(&opened, decode(&opened, &self.tagger, Keep::All));
                    (opened, content)
                }
                // Another master key, or altered on its way: no waiting helps.
                Err(_) => (value.to_vec(), RecordContent::Refused(Reason::Undecodable)),
            };
        }
        if is_binary(raw.headers.iter().map(|(name, _)| name.as_str())) {
            let event = decode_binary(headers(), value, &self.tagger, Keep::All);
            let bytes = structured(headers(), value);
            let content = RecordContent::of(&bytes, event);
            return (bytes, content);
        }
        (value.to_vec(), RecordContent::of(value, decode(value, &self.tagger, Keep::All)))
    }
}

fn content_type(raw: &RawRecord) -> Option<&[u8]> {
    let header = raw.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    header.and_then(|(_, value)| value.as_deref())
}

#[cfg(test)]
mod tests {
    use hotline_events::Event;
    use hotline_postgres::MasterKey;

    use super::*;

    const EVENT: &str = r#"{"specversion":"1.0","type":"hotline.case.received.v1","source":"/hotline/12345","id":"1","subject":"12345:1","time":"2026-03-02T00:10:00Z","data":{"case_type":"complaint","content":"planted words"}}"#;

    fn opener() -> Opener {
        let master = MasterKey::new([9; 32]);
        Opener { tagger: Tagger::keyed(&master.tag_key()), transit: master.transit_key() }
    }

    fn raw(payload: Option<&[u8]>, headers: &[(&str, &[u8])]) -> RawRecord {
        RawRecord {
            offset: 7,
            timestamp_ms: Some(1_772_410_200_000),
            append_time: true,
            key: Some(b"12345:1".to_vec()),
            payload: payload.map(<[u8]>::to_vec),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), Some(value.to_vec()))).collect(),
        }
    }

    fn tag(record: &Record) -> u64 {
        match &record.content {
            RecordContent::Events(events) => match &events[0] {
                Event::Case(case) => case.fact.tag,
                Event::Figure(figure) => figure.tag,
            },
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_event_is_the_same_in_all_three_modes() {
        let opener = opener();
        let open = |record: RawRecord| opener.open(&record, Timestamp::UNIX_EPOCH);
        let structured = open(raw(Some(EVENT.as_bytes()), &[]));
        let sealed = opener.transit.seal(b"12345:1", EVENT.as_bytes());
        assert!(!sealed.windows(7).any(|bytes| bytes == b"planted"), "sealed");
        let sealed = open(raw(Some(&sealed), &[("content-type", SEALED.as_bytes())]));
        let headers: [(&str, &[u8]); 7] = [
            ("ce_specversion", b"1.0"),
            ("ce_type", b"hotline.case.received.v1"),
            ("ce_source", b"/hotline/12345"),
            ("ce_id", b"1"),
            ("ce_subject", b"12345:1"),
            ("ce_time", b"2026-03-02T00:10:00Z"),
            ("content-type", b"application/json"),
        ];
        let binary = open(raw(Some(br#"{"case_type":"complaint","content":"planted words"}"#), &headers));
        assert_eq!(tag(&structured), tag(&sealed));
        assert_eq!(tag(&structured), tag(&binary));
        assert_eq!(sealed.raw, EVENT.as_bytes(), "a dead letter shows what was sent");
        assert_eq!(structured.received_at.as_millisecond(), 1_772_410_200_000);
    }

    #[test]
    fn what_does_not_open_or_is_empty_is_undecodable_and_a_producers_stamp_is_no_receipt() {
        let opener = opener();
        let now: Timestamp = "2026-03-02T01:00:00Z".parse().expect("an instant");
        let sealed = opener.transit.seal(b"12345:2", EVENT.as_bytes());
        let moved = opener.open(&raw(Some(&sealed), &[("content-type", SEALED.as_bytes())]), now);
        assert!(matches!(moved.content, RecordContent::Refused(Reason::Undecodable)), "under another key");
        let empty = opener.open(&raw(None, &[]), now);
        assert!(matches!(empty.content, RecordContent::Fault { .. }), "a tombstone");
        let created = RawRecord { append_time: false, ..raw(Some(EVENT.as_bytes()), &[]) };
        assert_eq!(opener.open(&created, now).received_at, now);
    }
}
