//! Values on their way into a statement and out of a row, the same for each database.

use rusqlite::types::{ToSqlOutput, ValueRef};
use std::error::Error;
use tokio_postgres::types as postgres;

/// A row, or a column of it, that no version of this program writes. Never a guess.
#[derive(Debug, thiserror::Error)]
#[error("damaged: {0}")]
pub(in crate::store) struct Damaged(pub String);

/// What reading a row gives.
pub(in crate::store) type Read<T> = Result<T, Damaged>;

/// What the columns of the tables hold, and what `NULL` stands in for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::store) enum Kind {
    Int,
    Text,
    Bytes,
}

/// One value, in a statement or in a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::store) enum Value<'a> {
    /// Of what kind it would be, which PostgreSQL asks; in a row it is not known.
    Null(Kind),
    Int(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// What can be written to a column. What is not there has its kind all the same.
pub(in crate::store) trait Bind {
    fn value(&self) -> Value<'_>;
}

/// The values of a statement, in order.
pub(in crate::store) type Params<'a> = &'a [&'a (dyn Bind + Sync)];

/// Values as [`Params`].
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$(&$value as &(dyn $crate::store::sql::value::Bind + Sync)),*] as $crate::store::sql::Params<'_>
    };
}
pub(in crate::store) use params;

/// Written as `$value`, an expression of `$self`.
macro_rules! bind {
    ($($type:ty, $kind:ident, |$self:ident| $value:expr;)+) => {
        $(impl Bind for $type {
            fn value(&self) -> Value<'_> {
                let $self = self;
                Value::$kind($value)
            }
        }

        impl Bind for Option<$type> {
            fn value(&self) -> Value<'_> {
                self.as_ref().map_or(Value::Null(Kind::$kind), Bind::value)
            }
        })+
    };
}

bind! {
    i64, Int, |number| *number;
    u32, Int, |number| i64::from(*number);
    bool, Int, |yes| i64::from(*yes);
    &str, Text, |text| text;
    String, Text, |text| text;
    Vec<u8>, Bytes, |bytes| bytes;
    &[u8], Bytes, |bytes| bytes;
    [u8; 16], Bytes, |bytes| bytes;
    [u8; 32], Bytes, |bytes| bytes;
}

macro_rules! borrowed {
    ($($type:ty),+) => {
        $(impl Bind for &$type {
            fn value(&self) -> Value<'_> {
                (**self).value()
            }
        })+
    };
}

borrowed!(i64, u32, bool, &str, String, Vec<u8>, [u8; 16], [u8; 32], Option<String>);

impl postgres::ToSql for Value<'_> {
    fn to_sql(
        &self,
        _: &postgres::Type,
        out: &mut bytes::BytesMut,
    ) -> Result<postgres::IsNull, Box<dyn Error + Sync + Send>> {
        match *self {
            Value::Null(_) => return Ok(postgres::IsNull::Yes),
            Value::Int(number) => out.extend_from_slice(&number.to_be_bytes()),
            Value::Text(text) => out.extend_from_slice(text.as_bytes()),
            Value::Bytes(bytes) => out.extend_from_slice(bytes),
        }
        Ok(postgres::IsNull::No)
    }

    fn accepts(found: &postgres::Type) -> bool {
        [postgres::Type::INT8, postgres::Type::TEXT, postgres::Type::BYTEA].contains(found)
    }

    postgres::to_sql_checked!();
}

impl<'a> postgres::FromSql<'a> for Value<'a> {
    fn from_sql(found: &postgres::Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(match *found {
            postgres::Type::INT8 => Value::Int(i64::from_be_bytes(raw.try_into()?)),
            postgres::Type::INT4 => Value::Int(i32::from_be_bytes(raw.try_into()?).into()),
            postgres::Type::BOOL => Value::Int(raw.first().copied().unwrap_or(0).into()),
            postgres::Type::TEXT => Value::Text(std::str::from_utf8(raw)?),
            _ => Value::Bytes(raw),
        })
    }

    fn accepts(found: &postgres::Type) -> bool {
        [postgres::Type::INT8, postgres::Type::INT4, postgres::Type::BOOL, postgres::Type::TEXT, postgres::Type::BYTEA]
            .contains(found)
    }
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Value::Null(_) => ValueRef::Null,
            Value::Int(number) => ValueRef::Integer(number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// A row of a result.
pub(in crate::store) enum Row<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

impl Row<'_> {
    /// Reads a column.
    pub(in crate::store) fn get<T: Field>(&self, column: usize) -> Read<T> {
        T::read(self.value(column)?).ok_or_else(|| Damaged(format!("column {column} is of another kind")))
    }

    /// Reads a column's text in place.
    pub(in crate::store) fn text(&self, column: usize) -> Read<&str> {
        match self.value(column)? {
            Value::Text(text) => Ok(text),
            other => Err(Damaged(format!("column {column} is no text but {:?}", other.kind()))),
        }
    }

    /// Whether a column holds nothing.
    pub(in crate::store) fn is_null(&self, column: usize) -> Read<bool> {
        Ok(matches!(self.value(column)?, Value::Null(_)))
    }

    fn value(&self, column: usize) -> Read<Value<'_>> {
        match self {
            Self::Sqlite(row) => of_sqlite(row.get_ref(column).map_err(|fault| Damaged(fault.to_string()))?),
            Self::Postgres(row) => {
                let found: Option<Value<'_>> = row.try_get(column).map_err(|fault| Damaged(fault.to_string()))?;
                Ok(found.unwrap_or(Value::Null(Kind::Int)))
            }
        }
    }
}

fn of_sqlite(value: ValueRef<'_>) -> Read<Value<'_>> {
    Ok(match value {
        ValueRef::Null => Value::Null(Kind::Int),
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Text(text) => Value::Text(std::str::from_utf8(text).map_err(|fault| Damaged(fault.to_string()))?),
        ValueRef::Blob(bytes) => Value::Bytes(bytes),
        ValueRef::Real(_) => return Err(Damaged("a number with a fraction".to_owned())),
    })
}

/// What can be read from a column; `None` when it holds another kind of thing.
pub(in crate::store) trait Field: Sized {
    fn read(value: Value<'_>) -> Option<Self>;
}

impl Field for i64 {
    fn read(value: Value<'_>) -> Option<Self> {
        if let Value::Int(number) = value { Some(number) } else { None }
    }
}

impl Field for u32 {
    fn read(value: Value<'_>) -> Option<Self> {
        i64::read(value)?.try_into().ok()
    }
}

impl Field for bool {
    fn read(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Int(number) => Some(number != 0),
            _ => None,
        }
    }
}

impl Field for String {
    fn read(value: Value<'_>) -> Option<Self> {
        if let Value::Text(text) = value { Some(text.to_owned()) } else { None }
    }
}

impl Field for Vec<u8> {
    fn read(value: Value<'_>) -> Option<Self> {
        if let Value::Bytes(bytes) = value { Some(bytes.to_vec()) } else { None }
    }
}

impl<const N: usize> Field for [u8; N] {
    fn read(value: Value<'_>) -> Option<Self> {
        if let Value::Bytes(bytes) = value { bytes.try_into().ok() } else { None }
    }
}

impl<T: Field> Field for Option<T> {
    fn read(value: Value<'_>) -> Option<Self> {
        if matches!(value, Value::Null(_)) { Some(None) } else { T::read(value).map(Some) }
    }
}

impl Value<'_> {
    pub(in crate::store) fn kind(self) -> Kind {
        match self {
            Self::Null(kind) => kind,
            Self::Int(_) => Kind::Int,
            Self::Text(_) => Kind::Text,
            Self::Bytes(_) => Kind::Bytes,
        }
    }
}
