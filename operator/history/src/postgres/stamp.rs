//! Points in time on the wire: timestamptz is microseconds since 2000.

use hearth_crds::time::Time;
use sqlx::{
    Decode, Encode, Postgres, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef, types::Oid},
};

/// Milliseconds from 1970 to 2000.
const EPOCH: i64 = 946_684_800_000;
const TIMESTAMPTZ: Oid = Oid(1184);
const TIMESTAMPTZ_ARRAY: Oid = Oid(1185);

/// A timestamptz.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp(i64);

impl Stamp {
    /// Before every other.
    pub const EVER: Self = Self(i64::MIN);
    /// After every other.
    pub const NEVER: Self = Self(i64::MAX);
}

impl From<Time> for Stamp {
    fn from(at: Time) -> Self {
        Self(at.millis().saturating_sub(EPOCH).saturating_mul(1000))
    }
}

impl From<Stamp> for Time {
    fn from(stamp: Stamp) -> Self {
        Self::from_millis(stamp.0.div_euclid(1000).saturating_add(EPOCH))
    }
}

impl Type<Postgres> for Stamp {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ)
    }
}

impl PgHasArrayType for Stamp {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ_ARRAY)
    }
}

impl Encode<'_, Postgres> for Stamp {
    fn encode_by_ref(&self, buf: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        <i64 as Encode<Postgres>>::encode_by_ref(&self.0, buf)
    }
}

impl<'r> Decode<'r, Postgres> for Stamp {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        <i64 as Decode<Postgres>>::decode(value).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_the_wire() {
        for ms in [0, 1, -1, 946_684_800_000, 946_684_799_999, 1_795_257_015_123, -62_135_596_800_000] {
            let at = Time::from_millis(ms);
            assert_eq!(Time::from(Stamp::from(at)), at, "{ms}");
        }
    }
}
