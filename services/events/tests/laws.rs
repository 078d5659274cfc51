//! Laws: what is encoded is decoded the same, and no bytes make the decoder panic.

use hotline_core::fact::*;
use hotline_events::{Event, Identity, Keep, Tagger, canonical, decode, encode, encode_data};
use jiff::Timestamp;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use smol_str::SmolStr;

const SOURCE: &str = "/hotline/12345/411200";
const TARGET: (&str, &str) = (SOURCE, "target");

/// In tables `*` and `-` mean all and nobody: no code is one of them.
fn code() -> BoxedStrategy<Code> {
    prop_oneof!["[a-z_]{1,12}", "[ -~]{1,64}", "[一-龥]{1,21}"]
        .prop_filter("a mark of tables", |code| !["*", "-"].contains(&code.as_str()))
        .prop_map(Code::from)
        .boxed()
}

fn one_of(list: &'static [&'static str]) -> impl Strategy<Value = Code> {
    select(list).prop_map(Code::new_static)
}

fn subject() -> impl Strategy<Value = SmolStr> {
    "[A-Za-z0-9._-]{1,20}:[A-Za-z0-9._:-]{1,75}".prop_map(SmolStr::from)
}

fn instant() -> impl Strategy<Value = Timestamp> {
    (0..7_258_118_400_000_000_i64).prop_map(|micros| Timestamp::from_microsecond(micros).unwrap())
}

fn unit() -> impl Strategy<Value = Unit> {
    select(&[Unit::Hour, Unit::WorkingHour, Unit::RoundClockHour, Unit::CalendarDay, Unit::WorkingDay][..])
}

fn limit() -> impl Strategy<Value = (u32, Unit)> {
    (1..=100_000_u32, unit())
}

fn own_limit() -> BoxedStrategy<Option<OwnLimit>> {
    of(prop_oneof![
        limit().prop_map(|(n, unit)| OwnLimit::Limit(n, unit)),
        instant().prop_map(OwnLimit::DueAt)
    ])
    .boxed()
}

fn grant() -> BoxedStrategy<Grant> {
    prop_oneof![limit().prop_map(|(n, unit)| Grant::Limit(n, unit)), instant().prop_map(Grant::Until)].boxed()
}

fn sorted<T: Clone + std::fmt::Debug + 'static>(value: BoxedStrategy<T>) -> BoxedStrategy<Vec<(Code, T)>> {
    proptest::collection::btree_map("[a-z]{1,9}", value, 0..4)
        .prop_map(|map| map.into_iter().map(|(name, value)| (Code::from(name), value)).collect())
        .boxed()
}

fn amounts() -> BoxedStrategy<Amounts> {
    sorted((0..=1_000_000_000_000_000_i64).boxed())
}

fn category() -> BoxedStrategy<Category> {
    vec(code(), 1..=4).boxed()
}

fn urgency() -> impl Strategy<Value = Code> {
    one_of(&["normal", "urgent", "critical"])
}

fn received() -> BoxedStrategy<Body> {
    let codes = (of(code()), of(code()), of(code()), of((code(), of(code()))), of(code()), of(code()));
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (
        code(),
        category(),
        codes,
        1..=100_000_000_u32,
        urgency(),
        flags,
        vec(code(), 0..5),
        amounts(),
        own_limit(),
    )
        .prop_map(|(case_type, category, codes, persons, urgency, flags, tags, amounts, own_limit)| {
            let (region, number, channel, origin, contact, reporter_tag) = codes;
            let (origin_hotline, origin_number) =
                origin.map_or((None, None), |(hotline, number)| (Some(hotline), number));
            Body::Received(Box::new(Received {
                case_type,
                category,
                region,
                number,
                channel,
                origin_hotline,
                origin_number,
                contact,
                persons,
                urgency,
                anonymous: flags.0,
                confidential: flags.1,
                reply_wanted: flags.2,
                tags,
                reporter_tag,
                amounts,
                own_limit,
            }))
        })
        .boxed()
}

fn amended() -> BoxedStrategy<Body> {
    (of(code()), of(category()), of(code()), of(urgency()), of(vec(code(), 0..4)), of(any::<bool>()))
        .prop_map(|(case_type, category, region, urgency, tags, confidential)| {
            Body::Amended(Box::new(Amended { case_type, category, region, urgency, tags, confidential }))
        })
        .boxed()
}

fn dispatched() -> BoxedStrategy<Body> {
    let role = select(&[Role::Lead, Role::Co, Role::Sub][..]);
    let reason = of(one_of(&["first", "redispatch", "reorganisation"]));
    (code(), of(code()), role, reason, of(code()), own_limit())
        .prop_map(|(department, from, role, reason, basis, own_limit)| {
            Body::Dispatched(Box::new(Dispatched {
                department,
                from,
                role,
                reason,
                basis,
                own_limit,
                pin: None,
            }))
        })
        .boxed()
}

fn rated() -> BoxedStrategy<Body> {
    let method = of(one_of(&["call", "sms", "app", "paper", "default"]));
    let solved = of(select(&[Solved::Yes, Solved::Partly, Solved::No][..]));
    (any::<bool>(), method, of(1..=5_u8), sorted((1..=5_u8).boxed()), solved, 1..=1000_u32)
        .prop_map(|(reached, method, satisfaction, aspects, solved, attempt)| {
            Body::Rated(Box::new(Rated { reached, method, satisfaction, aspects, solved, attempt }))
        })
        .boxed()
}

fn ruled() -> BoxedStrategy<Body> {
    let effect =
        select(&[RulingEffect::Exclude, RulingEffect::Met, RulingEffect::Failed, RulingEffect::Restore][..]);
    (code(), effect, code(), code(), of(code()), of(1..=1000_u32), of(code()))
        .prop_map(|(indicator, effect, reason, document, by, round, department)| {
            Body::Ruled(Box::new(Ruled { indicator, effect, reason, document, by, round, department }))
        })
        .boxed()
}

/// A body of one kind, snapshots and corrections apart.
fn simple(kind: Kind) -> BoxedStrategy<Body> {
    match kind {
        Kind::Received => received(),
        Kind::Amended => amended(),
        Kind::Dispatched => dispatched(),
        Kind::Rated => rated(),
        Kind::Ruled => ruled(),
        Kind::Supplemented => any::<bool>().prop_map(|new_facts| Body::Supplemented { new_facts }).boxed(),
        Kind::Linked => (
            one_of(&["same_contact", "handed_over", "repeat", "urge", "follow_up", "review", "incident"]),
            subject(),
        )
            .prop_map(|(kind, case)| Body::Linked { kind, case })
            .boxed(),
        Kind::Signed => (code(), any::<bool>())
            .prop_map(|(department, automatic)| Body::Signed { department, automatic })
            .boxed(),
        Kind::Contacted => (code(), of(any::<bool>()))
            .prop_map(|(department, reached)| Body::Contacted { department, reached })
            .boxed(),
        Kind::Replied => (code(), any::<bool>())
            .prop_map(|(department, preliminary)| Body::Replied { department, preliminary })
            .boxed(),
        Kind::Accepted => of(code()).prop_map(|department| Body::Accepted { department }).boxed(),
        Kind::Refused => {
            (of(code()), code()).prop_map(|(department, ground)| Body::Refused { department, ground }).boxed()
        }
        Kind::ReturnRequested => (code(), of(code()))
            .prop_map(|(department, reason)| Body::ReturnRequested { department, reason })
            .boxed(),
        Kind::ReturnRefused => (code(), of(code()), any::<bool>())
            .prop_map(|(department, reason, is_final)| Body::ReturnRefused { department, reason, is_final })
            .boxed(),
        Kind::Returned => (code(), of(code()))
            .prop_map(|(department, reason)| Body::Returned { department, reason })
            .boxed(),
        other => later(other),
    }
}

fn later(kind: Kind) -> BoxedStrategy<Body> {
    match kind {
        Kind::ExtensionRequested => (code(), grant(), of(code()))
            .prop_map(|(stage, grant, by)| Body::ExtensionRequested { stage, grant, by })
            .boxed(),
        Kind::ExtensionRefused => {
            (code(), of(code())).prop_map(|(stage, by)| Body::ExtensionRefused { stage, by }).boxed()
        }
        Kind::Extended => (code(), grant(), of(code()))
            .prop_map(|(stage, grant, by)| Body::Extended { stage, grant, by })
            .boxed(),
        Kind::Held => (code(), vec(code(), 0..4), of(instant()))
            .prop_map(|(reason, stages, until)| Body::Held { reason, stages, until })
            .boxed(),
        Kind::Released => code().prop_map(|reason| Body::Released { reason }).boxed(),
        Kind::Verified => (one_of(&["filed", "not_filed", "unfounded", "transferred"]), amounts())
            .prop_map(|(result, amounts)| Body::Verified { result, amounts })
            .boxed(),
        Kind::Notified => {
            one_of(&["acceptance", "refusal", "extension", "termination", "decision", "result"])
                .prop_map(|of| Body::Notified { of })
                .boxed()
        }
        Kind::Submitted => (code(), of(code()), amounts())
            .prop_map(|(department, outcome, amounts)| Body::Submitted { department, outcome, amounts })
            .boxed(),
        Kind::CloseRefused => code().prop_map(|department| Body::CloseRefused { department }).boxed(),
        Kind::Closed => (code(), of(code()), of(code()), amounts())
            .prop_map(|(department, by, outcome, amounts)| Body::Closed { department, by, outcome, amounts })
            .boxed(),
        Kind::Merged => (subject(), of(one_of(&["duplicate", "incident", "renumbered"])))
            .prop_map(|(into, reason)| Body::Merged { into, reason })
            .boxed(),
        Kind::Split => vec(subject(), 2..5).prop_map(|into| Body::Split { into }).boxed(),
        Kind::Withdrawn => of(code()).prop_map(|by| Body::Withdrawn { by }).boxed(),
        Kind::Reopened => one_of(&["dissatisfied", "review", "repeat", "supervision"])
            .prop_map(|reason| Body::Reopened { reason })
            .boxed(),
        Kind::Urged => {
            of(one_of(&["caller", "office", "supervisor"])).prop_map(|by| Body::Urged { by }).boxed()
        }
        Kind::Supervised => (of(code()), of(code()), own_limit())
            .prop_map(|(kind, by, own_limit)| Body::Supervised { kind, by, own_limit })
            .boxed(),
        Kind::SupervisionAnswered => {
            (of(code()), of(code())).prop_map(|(kind, by)| Body::SupervisionAnswered { kind, by }).boxed()
        }
        Kind::Acknowledged => code().prop_map(|alarm| Body::Acknowledged { alarm }).boxed(),
        Kind::Appealed => code().prop_map(|indicator| Body::Appealed { indicator }).boxed(),
        Kind::Milestone => {
            (code(), of(code())).prop_map(|(name, result)| Body::Milestone { name, result }).boxed()
        }
        other => unreachable!("{other:?} is in `simple` or `composite`"),
    }
}

fn any_simple() -> BoxedStrategy<Body> {
    let simple_kinds: Vec<Kind> =
        Kind::ALL.iter().copied().filter(|kind| !matches!(kind, Kind::Snapshot | Kind::Corrected)).collect();
    select(simple_kinds).prop_flat_map(simple).boxed()
}

fn precision() -> impl Strategy<Value = Precision> {
    select(&[Precision::Second, Precision::Day][..])
}

fn inner_fact() -> impl Strategy<Value = InnerFact> {
    (any_simple(), instant(), precision()).prop_map(|(body, claimed_at, precision)| {
        let data = canonical(&encode_data(&body, None).unwrap());
        let key = EventKey::of_inner(SOURCE, &body.kind().event_type(), &claimed_at.to_string(), &data);
        InnerFact { key, claimed_at, precision, body }
    })
}

fn corrected() -> BoxedStrategy<Body> {
    let replace = (of(any_simple()), of(instant()), instant()).prop_map(|(body, time, other)| {
        let kind = body.as_ref().map_or(Kind::Snapshot, Body::kind);
        // A correction says at least one of the two.
        let time = if body.is_none() { time.or(Some(other)) } else { time };
        (kind, Change::Replace { body: body.map(Box::new), time })
    });
    prop_oneof![select(Kind::ALL).prop_map(|kind| (kind, Change::Void)), replace]
        .prop_map(|(target_kind, change)| {
            let target = EventKey::of(TARGET.0, TARGET.1);
            Body::Corrected(Box::new(Corrected { target, target_kind, change }))
        })
        .boxed()
}

fn body() -> BoxedStrategy<Body> {
    prop_oneof![8 => any_simple(), 1 => vec(inner_fact(), 1..5).prop_map(Body::Snapshot), 1 => corrected()]
        .boxed()
}

fn fact() -> impl Strategy<Value = Fact> {
    (body(), instant(), precision(), of(instant()), 0..=9_223_372_036_854_775_807_u64).prop_map(
        |(body, claimed_at, precision, recorded_at, sequence)| Fact {
            key: EventKey::of(SOURCE, "id"),
            source: SOURCE.into(),
            body,
            claimed_at,
            precision,
            received_at: None,
            recorded_at,
            sequence,
            tag: 0,
            ledger_seq: 0,
        },
    )
}

fn identity(subject: &str) -> Identity<'_> {
    Identity { subject, id: "id", corrects: Some(TARGET) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_encoded_fact_is_decoded_the_same(fact in fact(), subject in subject()) {
        let event = encode(identity(&subject), &fact).unwrap();
        let decoded = decode(event.to_string().as_bytes(), &Tagger::keyed(b"key"), Keep::All);
        let Ok(Event::Case(mut case)) = decoded else { panic!("{event}: {decoded:?}") };
        prop_assert_eq!(&case.subject, &subject);
        prop_assert_eq!(&case.personal, &None);
        prop_assert_eq!(&case.public, &canonical(&event));
        case.fact.tag = 0;
        prop_assert_eq!(case.fact, fact);
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes, &Tagger::unkeyed(), Keep::All);
    }

    #[test]
    fn no_mutation_of_a_valid_event_makes_the_decoder_panic(
        fact in fact(),
        changes in vec((any::<Index>(), select(&b"\"{}[]:,0-1e\\u\0\xff"[..]), 0..3_u8), 1..6),
    ) {
        let mut bytes = encode(identity("12345:1"), &fact).unwrap().to_string().into_bytes();
        for (at, byte, how) in changes {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => { bytes.remove(at); }
            }
        }
        if let Err(error) = decode(&bytes, &Tagger::unkeyed(), Keep::All) {
            prop_assert!(!error.faults().is_empty());
        }
    }

    #[test]
    fn an_event_with_a_member_replaced_is_refused_with_a_fault_or_accepted(
        fact in fact(),
        member in any::<Index>(),
        value in select(vec![serde_json::json!(null), serde_json::json!(1e300), serde_json::json!({}), serde_json::json!([[]]), serde_json::json!("")]),
    ) {
        let mut event = encode(identity("12345:1"), &fact).unwrap();
        let data = event["data"].as_object_mut().unwrap();
        let Some(name) = data.keys().nth(member.index(data.len().max(1))).cloned() else { return Ok(()) };
        data.insert(name, value);
        if let Err(error) = decode(event.to_string().as_bytes(), &Tagger::unkeyed(), Keep::All) {
            prop_assert!(error.faults().iter().all(|fault| fault.pointer.starts_with("/data")));
        }
    }
}
