//! What a connection that was not made means, and what to do about it.

use std::error::Error;

use super::tls::advice;
use super::verdict::Verdict;
use crate::StoreError;
use crate::error::{causes, chain};

/// What a failed connection to PostgreSQL at `target` means: an answer is a refusal, unless it says "not now".
pub(super) fn explain(error: &tokio_postgres::Error, target: &str) -> StoreError {
    let reason = chain(error);
    let tls = causes(error).find_map(of_rustls);
    let refused = match error.code() {
        // Whatever a pooler has to say for itself, it says as a violation of the protocol: that its server is away, or that it is full.
        Some(code) => Verdict::of(code) != Verdict::Lost,
        None => tls.is_some() || reason.contains("server does not support TLS"),
    };
    let message = match tls.and_then(advice) {
        Some(advice) => format!("{target}: {advice} ({reason})"),
        None => format!("{target}: {reason}"),
    };
    if refused { StoreError::Refused(message) } else { StoreError::Unavailable(message) }
}

/// The error of rustls that a connection failed for: the two did not agree on TLS. tokio-postgres keeps its kinds of errors
/// private.
fn of_rustls<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    error.downcast_ref::<std::io::Error>()?.get_ref()?.downcast_ref()
}
