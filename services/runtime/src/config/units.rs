//! Durations as `"5 s"`, sizes as `"4 MiB"`: `#[serde(with = "units::duration")]`.

/// A span of time: `"50 ms"`, `"1 min 30 s"`, `"24 h"`.
pub mod duration {
    use std::time::Duration;

    use jiff::SignedDuration;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        let signed = SignedDuration::try_from(*value).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&format!("{signed:#}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parsed = text.parse::<SignedDuration>().ok().and_then(|signed| Duration::try_from(signed).ok());
        parsed.ok_or_else(|| D::Error::custom("not a duration; write it like \"50 ms\" or \"10 min\""))
    }
}

/// A number of bytes: `"256 KiB"`, `"4 MiB"`, `"8 GiB"`, or a plain number of bytes.
pub mod bytes {
    use serde::de::{Error, Unexpected, Visitor};
    use serde::{Deserializer, Serializer};

    const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

    /// As text, in the largest unit that divides it.
    pub fn format(value: u64) -> String {
        let (unit, size) = UNITS
            .into_iter()
            .find(|(_, size)| value >= *size && value.is_multiple_of(*size))
            .unwrap_or(("B", 1));
        format!("{} {unit}", value / size)
    }

    pub fn parse(text: &str) -> Option<u64> {
        let (unit, size) = UNITS.into_iter().find(|(unit, _)| text.ends_with(unit)).unwrap_or(("", 1));
        text.strip_suffix(unit)?.trim().parse::<u64>().ok()?.checked_mul(size)
    }

    pub fn serialize<S: Serializer>(value: &usize, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format(*value as u64))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_any(Bytes)
    }

    struct Bytes;

    impl Visitor<'_> for Bytes {
        type Value = usize;

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("a size such as \"4 MiB\"")
        }

        fn visit_i64<E: Error>(self, value: i64) -> Result<usize, E> {
            usize::try_from(value).map_err(|_| E::invalid_value(Unexpected::Signed(value), &self))
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<usize, E> {
            parse(text)
                .and_then(|value| usize::try_from(value).ok())
                .ok_or_else(|| E::custom("not a size; write it like \"256 KiB\" or \"4 MiB\""))
        }
    }
}
