//! `parsec doctor`: what a server or a scheduler with these settings would find. It changes nothing in the database, and lets go of
//! each port as soon as it knows that it could have it.

mod disk;
mod ports;
mod registry;
mod swarm;

use std::process::ExitCode;

use parsec_settings::{DoctorConfig, OutputFormat};
use parsec_show::findings::{self, Finding, Level};

use parsec_dht::NodeConfig;
use parsec_host::files;
use parsec_output as output;

/// Looks at everything and says what it found: 1 if something has to be mended. `node` is what a server with these settings would start.
///
/// # Errors
/// If the findings cannot be written.
pub async fn run(config: DoctorConfig, node: anyhow::Result<NodeConfig>) -> anyhow::Result<ExitCode> {
    let server = &config.server;
    let mut found = ports::look(server).await;
    match server.database.target() {
        Ok(target) => {
            found.extend(registry::look(&target, &config.fleets).await);
            found.extend(disk::look(server, &target));
        }
        Err(error) => found.push(Finding::error("database", format!("{error:#}"), "mend the setting")),
    }
    found.push(open_files());
    found.extend(swarm::look(node).await);
    output::line(&match config.format {
        OutputFormat::Text => findings::text(&found),
        OutputFormat::Json => parsec_show::json(&findings::document(&found)),
    })?;
    let is_bad = found.iter().any(|finding| finding.level == Level::Error);
    Ok(if is_bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Each connection is an open file.
fn open_files() -> Finding {
    let enough = files::ENOUGH;
    match files::limit() {
        Ok(limit) if limit >= enough => Finding::ok("open files", format!("{limit} may be open")),
        Ok(limit) => Finding::warning(
            "open files",
            format!("{limit} may be open, each connection being one; {enough} are enough for everything"),
            "raise the hard limit (ulimit -Hn, LimitNOFILE= of systemd, --ulimit nofile= of docker)",
        ),
        Err(error) => Finding::warning("open files", format!("the limit is not known: {error}"), "ask `ulimit -Hn`"),
    }
}
