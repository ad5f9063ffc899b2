//! `parsec conformance`: checks whether any server, ours or another, keeps the HTTP contract.

use std::process::ExitCode;

use anyhow::Context as _;
use parsec_api::client::{HttpClient, Timeouts};
use parsec_conformance::{Limits, Verdict, inspect, report};
use parsec_measure::Endpoint;
use parsec_show::Look;

use parsec_output as output;
use parsec_settings::{ConformanceConfig, OutputFormat};

/// Runs every check and prints the results: 0 if nothing failed, else 1.
pub(crate) async fn run(config: ConformanceConfig, look: Look) -> anyhow::Result<ExitCode> {
    let place = &config.server.place;
    let address = place.resolve().with_context(|| format!("cannot find {place}"))?;
    let access = parsec_tls::to_server(&config.server, address.ip(), &config.access)?;
    let client = HttpClient::with_access(Timeouts::default(), access).context("cannot set up the HTTP client")?;
    let limits = Limits { answer: config.timeout, ready: config.ready_timeout };
    let checked = inspect(client, Endpoint::new(address.ip(), address.port()), limits).await;
    output::line(&match config.format {
        OutputFormat::Text => report::text(&checked, look),
        OutputFormat::Json => parsec_show::json(&report::document(&config.server.to_string(), &checked)),
    })?;
    let failed = checked.iter().any(|check| check.verdict() == Verdict::Fail);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
