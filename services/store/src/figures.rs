//! The figures of an operation, in each form that they have here: columns that are written, columns that are read, and a
//! line of the spool. Whoever adds a figure to [`Measured`] adds it in this file, and in no other of this crate.

use diesel::prelude::Queryable;
use parsec_measure::{Effort, Measured};
use serde::{Deserialize, Serialize};

use crate::columns::{count, text};

/// The columns of `operations` that hold figures.
#[derive(Debug, Clone, PartialEq, Queryable)]
pub(crate) struct FigureColumns {
    pub(crate) routing_table_size: i32,
    pub(crate) rpcs: Option<i32>,
    pub(crate) rpcs_failed: Option<i32>,
    pub(crate) dials: Option<i32>,
    pub(crate) dials_failed: Option<i32>,
    pub(crate) holders_stored: Option<i32>,
    pub(crate) holders_confirmed: Option<i32>,
    pub(crate) holders_failed: Option<i32>,
    pub(crate) holders_pending: Option<i32>,
    pub(crate) network_size: Option<i32>,
    pub(crate) fallback: Option<String>,
    pub(crate) from_own_records: bool,
    pub(crate) found_publisher: Option<bool>,
}

/// The columns to select, in the order of [`FigureColumns`].
macro_rules! figure_columns {
    ($operations:ident) => {
        (
            $operations::routing_table_size,
            $operations::rpcs,
            $operations::rpcs_failed,
            $operations::dials,
            $operations::dials_failed,
            $operations::holders_stored,
            $operations::holders_confirmed,
            $operations::holders_failed,
            $operations::holders_pending,
            $operations::network_size,
            $operations::fallback,
            $operations::from_own_records,
            $operations::found_publisher,
        )
    };
}

/// The values to insert.
macro_rules! figure_values {
    ($operations:ident, $figures:expr) => {
        (
            $operations::routing_table_size.eq($figures.routing_table_size),
            $operations::rpcs.eq($figures.rpcs),
            $operations::rpcs_failed.eq($figures.rpcs_failed),
            $operations::dials.eq($figures.dials),
            $operations::dials_failed.eq($figures.dials_failed),
            $operations::holders_stored.eq($figures.holders_stored),
            $operations::holders_confirmed.eq($figures.holders_confirmed),
            $operations::holders_failed.eq($figures.holders_failed),
            $operations::holders_pending.eq($figures.holders_pending),
            $operations::network_size.eq($figures.network_size),
            $operations::fallback.eq(&$figures.fallback),
            $operations::from_own_records.eq($figures.from_own_records),
            $operations::found_publisher.eq($figures.found_publisher),
        )
    };
}

pub(crate) use {figure_columns, figure_values};

impl From<&Measured> for FigureColumns {
    fn from(result: &Measured) -> Self {
        let effort = &result.effort;
        Self {
            routing_table_size: count(result.routing_table_size),
            rpcs: effort.rpcs.map(count),
            rpcs_failed: effort.rpcs_failed.map(count),
            dials: effort.dials.map(count),
            dials_failed: effort.dials_failed.map(count),
            holders_stored: effort.holders_stored.map(count),
            holders_confirmed: effort.holders_confirmed.map(count),
            holders_failed: effort.holders_failed.map(count),
            holders_pending: effort.holders_pending.map(count),
            network_size: result.network_size.map(count),
            fallback: result.fallback.as_deref().map(text),
            from_own_records: result.from_own_records,
            found_publisher: result.found_publisher,
        }
    }
}

impl FigureColumns {
    /// The result with these figures.
    pub(crate) fn of(self, result: Measured) -> Measured {
        Measured {
            routing_table_size: read(self.routing_table_size),
            effort: Effort {
                rpcs: self.rpcs.map(read),
                rpcs_failed: self.rpcs_failed.map(read),
                dials: self.dials.map(read),
                dials_failed: self.dials_failed.map(read),
                holders_stored: self.holders_stored.map(read),
                holders_confirmed: self.holders_confirmed.map(read),
                holders_failed: self.holders_failed.map(read),
                holders_pending: self.holders_pending.map(read),
            },
            network_size: self.network_size.map(read),
            fallback: self.fallback,
            from_own_records: self.from_own_records,
            found_publisher: self.found_publisher,
            ..result
        }
    }
}

/// Counts are not negative in any of the tables.
pub(crate) fn read(value: i32) -> u32 {
    u32::try_from(value).unwrap_or_default()
}

/// The figures in a line of the spool, among its other members.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SpooledFigures {
    routing_table_size: u32,
    #[serde(default, with = "SpooledEffort")]
    effort: Effort,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    network_size: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fallback: Option<String>,
    #[serde(default)]
    from_own_records: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    found_publisher: Option<bool>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Effort")]
struct SpooledEffort {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rpcs: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rpcs_failed: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dials: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dials_failed: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    holders_stored: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    holders_confirmed: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    holders_failed: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    holders_pending: Option<u32>,
}

impl From<&Measured> for SpooledFigures {
    fn from(result: &Measured) -> Self {
        Self {
            routing_table_size: result.routing_table_size,
            effort: result.effort,
            network_size: result.network_size,
            fallback: result.fallback.clone(),
            from_own_records: result.from_own_records,
            found_publisher: result.found_publisher,
        }
    }
}

impl SpooledFigures {
    /// The result with these figures.
    pub(crate) fn of(self, result: Measured) -> Measured {
        Measured {
            routing_table_size: self.routing_table_size,
            effort: self.effort,
            network_size: self.network_size,
            fallback: self.fallback,
            from_own_records: self.from_own_records,
            found_publisher: self.found_publisher,
            ..result
        }
    }
}
