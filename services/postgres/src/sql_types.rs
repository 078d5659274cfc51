//! Instants and days as PostgreSQL holds them: exact to the microsecond, without a detour through text.

use hotline_core::calendar::Day;
use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueFormat, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Type};

/// 2000-01-01T00:00:00Z, where PostgreSQL begins to count, in microseconds of Unix time.
const POSTGRES_EPOCH_MICROSECONDS: i64 = 946_684_800_000_000;
/// The same in days.
const POSTGRES_EPOCH_DAYS: i32 = 10_957;

/// A `timestamptz`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At(pub(crate) Timestamp);

/// A `date`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct On(pub(crate) Date);

impl At {
    /// What a binary `timestamptz` holds.
    pub(crate) fn postgres(self) -> i64 {
        self.0.as_microsecond() - POSTGRES_EPOCH_MICROSECONDS
    }
}

impl On {
    /// What a binary `date` holds.
    pub(crate) fn postgres(self) -> i32 {
        Day::of(self.0).0 - POSTGRES_EPOCH_DAYS
    }
}

/// Optional instants for a bound array.
pub(crate) fn ats(instants: impl Iterator<Item = Option<Timestamp>>) -> Vec<Option<At>> {
    instants.map(|at| at.map(At)).collect()
}

impl Type<Postgres> for At {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1184))
    }
}

impl PgHasArrayType for At {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1185))
    }
}

impl Encode<'_, Postgres> for At {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Postgres>::encode_by_ref(&self.postgres(), buffer)
    }
}

impl Decode<'_, Postgres> for At {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        let bytes = binary(&value)?;
        let microseconds = i64::from_be_bytes(bytes.try_into()?);
        let microseconds = microseconds.checked_add(POSTGRES_EPOCH_MICROSECONDS).ok_or("infinite instant")?;
        Ok(Self(Timestamp::from_microsecond(microseconds)?))
    }
}

impl Type<Postgres> for On {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1082))
    }
}

impl PgHasArrayType for On {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1182))
    }
}

impl Encode<'_, Postgres> for On {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Postgres>::encode_by_ref(&self.postgres(), buffer)
    }
}

impl Decode<'_, Postgres> for On {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        let days = i32::from_be_bytes(binary(&value)?.try_into()?);
        let days = days.checked_add(POSTGRES_EPOCH_DAYS).ok_or("infinite day")?;
        Ok(Self(Day(days).date()))
    }
}

fn binary<'v>(value: &PgValueRef<'v>) -> Result<&'v [u8], BoxDynError> {
    match value.format() {
        PgValueFormat::Binary => value.as_bytes(),
        PgValueFormat::Text => Err("expected a prepared statement, which answers in binary".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_and_days_count_from_2000() {
        let at = |text: &str| At(text.parse().unwrap()).postgres();
        assert_eq!(at("2000-01-01T00:00:00Z"), 0);
        assert_eq!(at("2000-01-01T00:00:00.000001Z"), 1);
        assert_eq!(at("1999-12-31T23:59:59Z"), -1_000_000);
        let on = |text: &str| On(text.parse().unwrap()).postgres();
        assert_eq!((on("1999-12-31"), on("2000-01-01"), on("2024-02-29")), (-1, 0, 8825));
    }
}
