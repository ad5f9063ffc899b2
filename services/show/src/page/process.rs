//! How the process is that shows the page.

use std::time::Duration;

use chrono::{DateTime, Utc};
use maud::{Markup, html};
use parsec_measure::harmless;
use serde_json::{Value, json};

use super::times::{shown, told};
use crate::words;

/// How much of an error or of the reason of a crash is shown.
const MAX_REASON_CHARS: usize = 256;

/// The process that shows the page, which may measure besides.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenProcess {
    /// What it does.
    pub role: &'static str,
    /// For how long it has run.
    pub uptime: Duration,
    /// The database, if the process writes to one.
    pub database: Option<SeenDatabase>,
    /// Rows that are not in the database yet, likewise.
    pub waiting: Option<WaitingRows>,
    /// Its actors, in the order in which they were started.
    pub actors: Vec<SeenActor>,
}

/// A database that is written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenDatabase {
    /// Whether it takes what is written.
    pub up: bool,
    /// Since when that is so.
    pub since: DateTime<Utc>,
    /// The last error, and when that was.
    pub last_error: Option<(String, DateTime<Utc>)>,
}

/// Rows that are not in the database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WaitingRows {
    /// Those that wait in memory.
    pub in_memory: usize,
    /// Those that wait in the spool.
    pub on_disk: usize,
    /// Those that it has refused.
    pub set_aside: usize,
}

/// An actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenActor {
    /// Its name, which others may share.
    pub name: String,
    /// Whether it runs.
    pub state: &'static str,
    /// How often it was restarted.
    pub restarts: u64,
    /// Why it crashed last.
    pub last_reason: Option<String>,
}

impl SeenProcess {
    /// What people see.
    pub(super) fn html(&self) -> Markup {
        let restarts: u64 = self.actors.iter().map(|actor| actor.restarts).sum();
        html! {
            p { "This page is served by " (self.named()) "; it has run for " (words::long(self.uptime.as_secs_f64())) "." }
            @if let Some(database) = &self.database {
                p class=(if database.up { "ok" } else { "bad" }) {
                    "The database " (if database.up { "takes what is written" } else { "is away" }) " since " (shown(database.since)) "."
                    @if let Some((error, at)) = &database.last_error {
                        " Its last error, at " (shown(*at)) ": " (harmless(error, MAX_REASON_CHARS))
                    }
                }
            }
            @if let Some(WaitingRows { in_memory, on_disk, set_aside }) = self.waiting {
                p class=(if set_aside > 0 { "bad" } else { "ok" }) {
                    (words::count(in_memory + on_disk, "row waits", "rows wait")) " for the database, " (on_disk) " of them in the spool on disk; "
                    (set_aside) " were refused."
                }
            }
            details open[restarts > 0] {
                summary { (words::count(self.actors.len(), "actor", "actors")) ", " (words::count(restarts as usize, "restart", "restarts")) }
                div class="wide" tabindex="0" role="region" aria-label="Actors" {
                    table {
                        caption { "Actors of this process, in the order in which they were started" }
                        thead { tr { @for head in ["Actor", "State", "Restarts", "Last crash"] { th scope="col" { (head) } } } }
                        tbody {
                            @for actor in &self.actors {
                                tr {
                                    th scope="row" { (actor.name) }
                                    td { (actor.state) }
                                    td class="n" { (actor.restarts) }
                                    td { (actor.last_reason.as_deref().map_or_else(|| "–".to_owned(), |reason| harmless(reason, MAX_REASON_CHARS))) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn named(&self) -> &'static str {
        match self.role {
            "page" => "a process of its own",
            "scheduler" => "a scheduler",
            _ => "a process that has servers and schedulers",
        }
    }

    /// The same for programs.
    pub(super) fn document(&self) -> Value {
        let database = |database: &SeenDatabase| {
            json!({
                "up": database.up,
                "since": told(database.since),
                "last_error": database.last_error.as_ref().map(|(error, _)| error),
                "last_error_at": database.last_error.as_ref().map(|(_, at)| told(*at)),
            })
        };
        let waiting = |rows: WaitingRows| json!({ "in_memory": rows.in_memory, "on_disk": rows.on_disk, "set_aside": rows.set_aside });
        let actor = |actor: &SeenActor| json!({ "name": actor.name, "state": actor.state, "restarts": actor.restarts, "last_reason": actor.last_reason });
        json!({
            "role": self.role,
            "uptime_seconds": self.uptime.as_secs_f64(),
            "database": self.database.as_ref().map(database),
            "rows_waiting": self.waiting.map(waiting),
            "actors": self.actors.iter().map(actor).collect::<Vec<_>>(),
        })
    }

    /// Changes when something happened that is worth a look.
    pub(super) fn mark(&self) -> String {
        let actors: Vec<_> = self.actors.iter().map(|actor| (actor.state, actor.restarts)).collect();
        let set_aside = self.waiting.map(|rows| rows.set_aside);
        format!("{:?} {actors:?} {set_aside:?}", self.database.as_ref().map(|database| database.up))
    }
}
