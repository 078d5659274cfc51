//! Events to a topic: sealed, and acknowledged when the brokers have them.

use hotline_events::Event;
use hotline_kafka::{Outgoing, Producer};
use hotline_postgres::TransitKey;

use crate::intake::source_of;

/// Where events go when casework reads them from a broker.
#[derive(Clone)]
pub struct Topic {
    pub producer: Producer,
    pub name: String,
    pub transit: TransitKey,
    /// The `content-type` by which casework knows what is sealed.
    pub content_type: &'static str,
}

impl std::fmt::Debug for Topic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Topic").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The key of an event's record: its case, so that all of a case reach one partition; of a figure its source.
fn key_of(event: &Event) -> &str {
    match event {
        Event::Case(decoded) => decoded.subject.as_str(),
        Event::Figure(_) => source_of(event).as_str(),
    }
}

impl Topic {
    /// Sends events, each with its bytes, and waits until all of them are durable. Of a failure only the first is
    /// told: whatever the others came to, the sender sends all again, and casework knows duplicates.
    pub(crate) async fn send(&self, events: &[(Vec<u8>, Event)]) -> Result<(), hotline_kafka::Error> {
        let sealed: Vec<Vec<u8>> =
            events.iter().map(|(raw, event)| self.transit.seal(key_of(event).as_bytes(), raw)).collect();
        let headers = [("content-type", self.content_type.as_bytes())];
        let outgoing: Vec<Outgoing<'_>> = events
            .iter()
            .zip(&sealed)
            .map(|((_, event), payload)| Outgoing {
                topic: &self.name,
                key: key_of(event).as_bytes(),
                payload,
                headers: &headers,
            })
            .collect();
        self.producer.send_all(&outgoing).await.into_iter().try_for_each(|sent| sent.map(|_| ()))
    }
}
