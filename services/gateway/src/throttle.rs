//! How many events a source may bring: a bucket of tokens each.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use smol_str::SmolStr;
use tokio::time::Instant;

/// Buckets by source; only listed sources have one, so there are few.
#[derive(Debug)]
pub(crate) struct Throttle {
    per_second: f64,
    burst: f64,
    buckets: Mutex<HashMap<SmolStr, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    filled_at: Instant,
}

impl Throttle {
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        Self { per_second: per_second.into(), burst: burst.into(), buckets: Mutex::default() }
    }

    /// Takes as many tokens as there are events; a bucket that is not empty lets any number through and pays
    /// afterwards, so that a batch larger than the burst is slow and not impossible. Err: how long to wait.
    pub(crate) fn take(&self, source: &SmolStr, events: u32, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let full = Bucket { tokens: self.burst, filled_at: now };
        let bucket = buckets.entry(source.clone()).or_insert(full);
        let gained = now.saturating_duration_since(bucket.filled_at).as_secs_f64() * self.per_second;
        bucket.tokens = (bucket.tokens + gained).min(self.burst);
        bucket.filled_at = now;
        if bucket.tokens <= 0.0 {
            return Err(Duration::from_secs_f64((1.0 - bucket.tokens) / self.per_second));
        }
        bucket.tokens -= f64::from(events);
        Ok(())
    }
}
