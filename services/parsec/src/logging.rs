//! Log lines, on stderr.

use std::io::{self, Write};

use parsec_measure::{escaped_json, shown};
use tracing_subscriber::EnvFilter;

use parsec_settings::{LogConfig, LogLevel, OutputFormat};

/// Our own crates, to which the level applies. Libraries log warnings and errors.
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

/// The crates of libp2p, and actix's reader of requests, report mistakes of strangers as warnings and errors. For us
/// these are as ordinary as the weather.
const WEATHER: [&str; 5] =
    ["libp2p=error", "libp2p_swarm=error", "libp2p_kad=error", "libp2p_quic=error", "actix_http::h1::dispatcher=off"];

/// The filters in `asked` come last and win. For a library that they mention, our own filters are left out.
fn filter(level: LogLevel, asked: Option<&str>) -> EnvFilter {
    let ours = OURS.map(|name| format!("{name}={}", directive(level))).join(",");
    let libraries = if level < LogLevel::Warn { "error" } else { "warn" };
    let asked = asked.unwrap_or_default();
    let about: Vec<_> = asked.split(',').filter_map(|part| part.split(['=', '[']).next()).map(str::trim).collect();
    let is_asked = |target: &str| about.iter().any(|asked| !asked.is_empty() && target.starts_with(asked));
    let quiet = if level < LogLevel::Trace { &WEATHER[..] } else { &["libp2p=info"] };
    let quiet: Vec<_> = quiet.iter().filter(|directive| !is_asked(directive)).copied().collect();
    EnvFilter::new(format!("{libraries},{},{ours},{asked}", quiet.join(",")))
}

/// Passes log lines on, without any terminal control sequences except our own colours, whoever wrote the text in them.
struct Clean<W> {
    out: W,
    format: OutputFormat,
    colour: bool,
}

impl<W: Write> Write for Clean<W> {
    /// Receives a whole line at a time, because tracing writes lines in one piece.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let clean = match self.format {
            OutputFormat::Text => shown(&text, self.colour),
            OutputFormat::Json => escaped_json(&text),
        };
        self.out.write_all(clean.as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Installs the logger.
pub(crate) fn init(config: &LogConfig, colour: bool) {
    let format = config.format;
    let writer = move || Clean { out: io::stderr(), format, colour };
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter(config.level, config.filter.as_deref())).with_writer(writer);
    match config.format {
        OutputFormat::Text => builder.with_ansi(colour).with_target(false).init(),
        OutputFormat::Json => builder.json().flatten_event(true).init(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the log has to say of words that steer a terminal.
    fn logged(format: OutputFormat, colour: bool) -> String {
        let lines = std::sync::Arc::new(parking_lot::Mutex::new(Vec::new()));
        let out = std::sync::Arc::clone(&lines);
        struct Shared(std::sync::Arc<parking_lot::Mutex<Vec<u8>>>);
        impl Write for Shared {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.lock().extend_from_slice(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let writer = move || Clean { out: Shared(std::sync::Arc::clone(&out)), format, colour };
        let builder = tracing_subscriber::fmt().with_writer(writer);
        let say = || tracing::warn!(agent = %HOSTILE, reason = HOSTILE, "{HOSTILE}");
        match format {
            OutputFormat::Text => tracing::subscriber::with_default(builder.with_ansi(colour).finish(), say),
            OutputFormat::Json => tracing::subscriber::with_default(builder.json().flatten_event(true).finish(), say),
        }
        String::from_utf8(lines.lock().clone()).unwrap()
    }

    const HOSTILE: &str = "a\u{1b}[2Jb\u{9b}31mc\u{7f}d\u{202e}e\u{200b}f";

    #[test]
    fn no_word_of_a_stranger_steers_the_terminal_that_shows_the_log() {
        let plain = logged(OutputFormat::Text, false);
        assert!(!plain.trim_end().chars().any(parsec_measure::is_harmful), "{plain:?}");
        // Our own colours are the only sequences left.
        let coloured = logged(OutputFormat::Text, true);
        assert!(coloured.contains("\u{1b}[33m WARN"), "{coloured:?}");
        let rest = coloured.split("\u{1b}[").skip(1).map(|rest| rest.find(|c: char| !c.is_ascii_digit()));
        assert!(rest.flatten().eq(coloured.split("\u{1b}[").skip(1).filter_map(|rest| rest.find('m'))), "{coloured:?}");
        let outside: String = coloured.split("\u{1b}[").collect();
        assert!(!outside.trim_end().chars().any(parsec_measure::is_harmful), "{coloured:?}");
    }

    #[test]
    fn a_log_in_json_says_what_was_said_without_a_raw_control_character() {
        let line = logged(OutputFormat::Json, false);
        assert!(!line.trim_end().chars().any(parsec_measure::is_harmful), "{line:?}");
        let event: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(event["reason"], HOSTILE);
    }

    #[test]
    fn the_level_is_for_our_crates_and_libraries_stay_quiet() {
        let text = filter(LogLevel::Debug, None).to_string();
        assert!(text.contains("parsec_actors=debug"), "{text}");
        assert!(text.split(',').any(|directive| directive == "warn"), "{text}");
    }

    #[test]
    fn a_filter_reaches_the_libraries_and_leaves_our_level_alone() {
        let text = filter(LogLevel::Info, Some("libp2p=debug")).to_string();
        let directives: Vec<_> = text.split(',').collect();
        assert!(directives.contains(&"libp2p=debug") && directives.contains(&"parsec_actors=info"), "{text}");
        assert!(!directives.iter().any(|directive| directive.starts_with("libp2p_")), "{text}");
        let text = filter(LogLevel::Info, Some("parsec_dht=trace,hyper=info")).to_string();
        assert!(text.contains("parsec_dht=trace") && text.contains("hyper=info"), "{text}");
        assert!(text.contains("libp2p_kad=error") && !text.contains("parsec_dht=info"), "{text}");
    }
}
