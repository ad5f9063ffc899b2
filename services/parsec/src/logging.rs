//! Log lines, on stderr.

use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogLevel, OutputFormat};

/// Our own crates, which the level is for. Libraries speak up from warnings on.
const OURS: [&str; 5] = ["parsec", "parsec_actors", "parsec_api", "parsec_dht", "parsec_store"];

fn directive(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    }
}

fn filter(level: LogLevel) -> EnvFilter {
    let ours = OURS.map(|name| format!("{name}={}", directive(level))).join(",");
    let libraries = if level < LogLevel::Warn { "error" } else { "warn" };
    // The crates of libp2p, and actix's reader of requests, report what strangers do wrong as warnings and errors; to us it
    // is weather.
    let quiet = if level < LogLevel::Trace {
        "libp2p=error,libp2p_swarm=error,libp2p_kad=error,libp2p_quic=error,actix_http::h1::dispatcher=off"
    } else {
        "libp2p=info"
    };
    EnvFilter::new(format!("{libraries},{quiet},{ours}"))
}

/// Installs the logger.
pub(crate) fn init(config: &LogConfig, colour: bool) {
    let builder = tracing_subscriber::fmt().with_env_filter(filter(config.level)).with_writer(std::io::stderr);
    match config.format {
        OutputFormat::Text => builder.with_ansi(colour).with_target(false).init(),
        OutputFormat::Json => builder.json().flatten_event(true).init(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_is_for_our_crates_and_libraries_stay_quiet() {
        let text = filter(LogLevel::Debug).to_string();
        assert!(text.contains("parsec_actors=debug"), "{text}");
        assert!(text.split(',').any(|directive| directive == "warn"), "{text}");
    }
}
