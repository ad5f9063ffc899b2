//! The values that PostgreSQL has a type for and SQLite keeps as text, and what both do to every value.

use std::net::IpAddr;

use chrono::{DateTime, SubsecRound, Utc};
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{Array, Inet, Nullable, Text, Uuid as SqlUuid};
use diesel::sqlite::{Sqlite, SqliteValue};
use ipnetwork::IpNetwork;
use parsec_measure::Trace;
use serde_json::Value;
use uuid::Uuid;

/// Our own primary keys: UUID, or its usual text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, AsExpression, FromSqlRow)]
#[diesel(sql_type = SqlUuid)]
#[diesel(sql_type = Text)]
pub(crate) struct Key(pub(crate) Uuid);

/// An address: INET, or its usual text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, AsExpression)]
#[diesel(sql_type = Inet)]
#[diesel(sql_type = Text)]
pub(crate) struct Address(pub(crate) IpNetwork);

/// An address as somebody wrote it: the text, if that is none.
#[derive(Debug, Clone, PartialEq, Eq, FromSqlRow)]
pub(crate) struct RosterAddress(pub(crate) Result<IpAddr, String>);

/// How much of a text that is no address is shown.
const MAX_SHOWN_CHARS: usize = 64;

/// A list of names: TEXT[], or a JSON array.
#[derive(Debug, Clone, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Array<Nullable<Text>>)]
#[diesel(sql_type = Text)]
pub(crate) struct Names(pub(crate) Vec<String>);

impl ToSql<SqlUuid, Pg> for Key {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<SqlUuid, Pg>::to_sql(&self.0, out)
    }
}

impl FromSql<SqlUuid, Pg> for Key {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        <Uuid as FromSql<SqlUuid, Pg>>::from_sql(value).map(Self)
    }
}

impl ToSql<Text, Sqlite> for Key {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.to_string());
        Ok(IsNull::No)
    }
}

impl FromSql<Text, Sqlite> for Key {
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self(<String as FromSql<Text, Sqlite>>::from_sql(value)?.parse()?))
    }
}

impl ToSql<Inet, Pg> for Address {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<Inet, Pg>::to_sql(&self.0, out)
    }
}

impl FromSql<Inet, Pg> for RosterAddress {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        <IpNetwork as FromSql<Inet, Pg>>::from_sql(value).map(|network| Self(Ok(network.ip())))
    }
}

impl ToSql<Text, Sqlite> for Address {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.ip().to_string());
        Ok(IsNull::No)
    }
}

impl FromSql<Text, Sqlite> for RosterAddress {
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        let text = <String as FromSql<Text, Sqlite>>::from_sql(value)?;
        let network: Result<IpNetwork, _> = text.parse();
        Ok(Self(network.map(|network| network.ip()).map_err(|_| text.chars().take(MAX_SHOWN_CHARS).collect())))
    }
}

impl ToSql<Array<Nullable<Text>>, Pg> for Names {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<Array<Text>, Pg>::to_sql(&self.0, out)
    }
}

impl ToSql<Text, Sqlite> for Names {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(serde_json::to_string(&self.0)?);
        Ok(IsNull::No)
    }
}

/// What somebody else has written may have anything in it: what is no name is left out.
impl FromSql<Array<Nullable<Text>>, Pg> for Names {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let names = <Vec<Option<String>> as FromSql<Array<Nullable<Text>>, Pg>>::from_sql(value)?;
        Ok(Self(names.into_iter().flatten().collect()))
    }
}

impl FromSql<Text, Sqlite> for Names {
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        let text = <String as FromSql<Text, Sqlite>>::from_sql(value)?;
        Ok(Self(serde_json::from_str(&text).unwrap_or_default()))
    }
}

/// A time as the database can give it back: PostgreSQL keeps microseconds, and both must agree.
pub(crate) fn micros(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(6)
}

/// A count as the database can hold it: INT has a sign, and no count of ours comes near its end.
pub(crate) fn count(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// Text as the database can hold it: PostgreSQL refuses the character NUL, and error messages of strangers may have it.
pub(crate) fn text(value: &str) -> String {
    value.replace('\0', "\u{FFFD}")
}

/// A trace as the database can hold it: neither does JSONB take the character NUL.
pub(crate) fn document(trace: &Trace) -> Value {
    let mut document = serde_json::to_value(trace).expect("texts and numbers are always JSON");
    clean(&mut document);
    document
}

fn clean(value: &mut Value) {
    match value {
        Value::String(content) if content.contains('\0') => *content = text(content),
        Value::Array(items) => items.iter_mut().for_each(clean),
        Value::Object(members) => members.values_mut().for_each(clean),
        _ => {}
    }
}
