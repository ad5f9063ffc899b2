//! Log lines, on stderr. Nobody waits until they are written, and nobody fails if they cannot be
//! ([`parsec_host::log`]).

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write};
use std::panic::PanicHookInfo;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use parsec_host::log::{Log, install, of_process};
use parsec_measure::{escaped_json, harmless, shown};
use serde_json::{Map, Value};
use tracing::{Dispatch, dispatcher, error, warn};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

use parsec_settings::{LogConfig, LogLevel, OutputFormat};

/// How long the last lines of a process may take to be written: whatever reads them may have stopped reading.
pub const LAST_WORDS: Duration = Duration::from_secs(1);

/// The same after a panic, which may be the end of the process. The thread that panicked waits.
const PANIC_FLUSH: Duration = Duration::from_millis(100);

/// The longest line that is written as it is. Whatever strangers send is cut where it is received; this is the bound for
/// what was overlooked.
const MAX_LINE_BYTES: usize = 16 << 10;

/// How much of each text and how many fields a longer line keeps.
const MAX_TEXT_CHARS: usize = 1_000;
const MAX_FIELDS: usize = 24;

/// Our own crates, to which the level applies. Libraries log warnings and errors.
const OURS: [&str; 5] = ["parsec", "parsec_actors", "parsec_api", "parsec_dht", "parsec_store"];

/// The crates of libp2p, and actix's reader of requests, report mistakes of strangers as warnings and errors. For us
/// these are as ordinary as the weather.
const WEATHER: [&str; 5] =
    ["libp2p=error", "libp2p_swarm=error", "libp2p_kad=error", "libp2p_quic=error", "actix_http::h1::dispatcher=off"];

/// The filters in `asked` come last and win. For a library that they mention, our own filters are left out.
fn filter(level: LogLevel, asked: Option<&str>) -> EnvFilter {
    let ours = OURS.map(|name| format!("{name}={}", level.as_str())).join(",");
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
        let text = if line.len() > MAX_LINE_BYTES { shortened(&text, self.format).into() } else { text };
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

/// A line that is too long, with less of its texts.
fn shortened(line: &str, format: OutputFormat) -> String {
    if format == OutputFormat::Json
        && let Ok(Value::Object(mut fields)) = serde_json::from_str(line)
    {
        for (_, value) in fields.iter_mut().take(MAX_FIELDS) {
            cut_texts(value);
        }
        let kept: Map<String, Value> = fields.into_iter().take(MAX_FIELDS).collect();
        return format!("{}\n", Value::Object(kept));
    }
    let kept = line.floor_char_boundary(MAX_LINE_BYTES - MAX_TEXT_CHARS);
    format!("{}… ({} bytes more)\n", &line[..kept], line.len() - kept)
}

fn cut_texts(value: &mut Value) {
    match value {
        Value::String(text) => *text = harmless(text, MAX_TEXT_CHARS),
        Value::Object(fields) => fields.iter_mut().for_each(|(_, value)| cut_texts(value)),
        Value::Array(values) => values.iter_mut().for_each(cut_texts),
        _ => {}
    }
}

/// Hands lines to the log, which never fails.
struct Lines(Log);

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Installs the logger, also for panics.
///
/// # Errors
/// If the system grants no thread.
pub fn init(config: &LogConfig, colour: bool) -> io::Result<()> {
    let format = config.format;
    let log = Log::start(io::stderr(), Box::new(move |lines, reason| lost(lines, reason, format, colour)))?;
    install(log.clone());
    let writer = move || Clean { out: Lines(log.clone()), format, colour };
    subscriber(filter(config.level, config.filter.as_deref()), format, colour, writer).init();
    std::panic::set_hook(Box::new(tell_of_panic));
    Ok(())
}

fn subscriber<W>(filter: EnvFilter, format: OutputFormat, colour: bool, writer: W) -> Dispatch
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    match format {
        OutputFormat::Text => builder.with_ansi(colour).with_target(false).finish().into(),
        OutputFormat::Json => builder.json().flatten_event(true).finish().into(),
    }
}

/// The line that says how many lines are missing here.
fn lost(lines: u64, reason: &str, format: OutputFormat, colour: bool) -> Vec<u8> {
    let (to, from) = mpsc::channel();
    let writer = move || Clean { out: Sent(to.clone()), format, colour };
    let subscriber = subscriber(EnvFilter::new("warn"), format, colour, writer);
    dispatcher::with_default(&subscriber, || warn!(lines, reason, "log lines were lost"));
    from.try_iter().flatten().collect()
}

struct Sent(mpsc::Sender<Vec<u8>>);

impl Write for Sent {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // Whoever made the channel still has its other end.
        let _ = self.0.send(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What Rust prints of a panic by itself, as a line of the log. It may be the last one.
fn tell_of_panic(info: &PanicHookInfo<'_>) {
    let thread = thread::current();
    let location = info.location().map(ToString::to_string);
    // Taken only if RUST_BACKTRACE asks for it.
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    let message = info.payload_as_str().unwrap_or("no message");
    error!(thread = thread.name(), location, backtrace, "panicked: {message}");
    flush(PANIC_FLUSH);
}

/// Waits for the lines so far to be written, as long as that may take. Call this before the process ends.
pub fn flush(limit: Duration) {
    if let Some(log) = of_process() {
        log.flush(limit);
    }
}

/// Logs the reason for the end of the process. Before there is a log, it is one line on stderr.
pub fn last_line(reason: &str) {
    match of_process() {
        Some(_) => error!("{reason}"),
        None => note(&format!("error: {reason}")),
    }
}

/// Writes a line for the user among those of the log: with our own colours, and nothing else that a terminal obeys.
pub fn note(text: &str) {
    let line = format!("{}\n", shown(text, true));
    match of_process() {
        Some(log) => log.write(line.into_bytes()),
        // Nobody can be told that nobody can be told.
        None => drop(io::stderr().write_all(line.as_bytes())),
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
        let event: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(event["reason"], HOSTILE);
    }

    #[test]
    fn what_was_lost_is_said_as_the_log_says_everything() {
        let line = String::from_utf8(lost(3, "no space", OutputFormat::Json, false)).unwrap();
        let event: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&event["message"], &event["lines"]), (&"log lines were lost".into(), &3.into()));
        assert_eq!((&event["level"], &event["reason"]), (&"WARN".into(), &"no space".into()));
        let line = String::from_utf8(lost(3, "no space", OutputFormat::Text, false)).unwrap();
        assert!(line.ends_with("WARN log lines were lost lines=3 reason=\"no space\"\n"), "{line}");
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_and_still_one_line_in_its_format() {
        let long = "ü".repeat(100_000);
        let text = shortened(&format!("INFO {long}\n"), OutputFormat::Text);
        assert!(text.len() <= MAX_LINE_BYTES && text.ends_with(" bytes more)\n"), "{} bytes", text.len());
        let json = format!("{{\"message\":\"hello\",\"span\":{{\"name\":\"{long}\"}},\"list\":[\"{long}\"]}}\n");
        let json = shortened(&json, OutputFormat::Json);
        assert!(json.len() <= MAX_LINE_BYTES && json.ends_with("}\n"), "{} bytes", json.len());
        let event: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(event["message"], "hello");
        assert_eq!(event["span"]["name"].as_str().map(|name| name.chars().count()), Some(MAX_TEXT_CHARS + 1));
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
