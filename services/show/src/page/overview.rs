//! Who is there, what is under way, and what came last.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};
use parsec_measure::{ACTIVE_WITHIN, NotedAttempt, OutcomeClass, Round, RoundOutcome, SeenServer, harmless};
use serde_json::{Value, json};

use super::process::SeenProcess;
use super::section;
use super::times::{shown, time, told};
use crate::words;

/// How many attempts the page lists. The script has the same number.
const ATTEMPTS: usize = 20;

/// How many rounds it lists.
const ROUNDS: usize = 12;

/// How many servers it lists, those in service first.
const SERVERS: usize = 200;

/// How much of a name is shown.
const MAX_NAME_CHARS: usize = 128;

/// An attempt with the place where it was made.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenAttempt {
    /// The attempt.
    pub noted: NotedAttempt,
    /// The fleet of its server.
    pub fleet: String,
    /// The region of its server.
    pub region: String,
}

/// What is to be seen at a glance.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overview {
    /// When it was read.
    pub at: DateTime<Utc>,
    /// The servers that were heard of lately, the newest first.
    pub servers: Vec<SeenServer>,
    /// The newest rounds, the newest first.
    pub rounds: Vec<Round>,
    /// The newest attempts, the newest first.
    pub attempts: Vec<SeenAttempt>,
    /// How many rows of rounds and attempts this version cannot read.
    pub unread: usize,
    /// The process that shows it.
    pub process: Option<SeenProcess>,
}

/// How a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    InService,
    Starting,
    Silent,
    Offline,
}

impl State {
    fn of(server: &SeenServer, now: DateTime<Utc>) -> Self {
        let life = &server.life;
        let within = TimeDelta::from_std(ACTIVE_WITHIN).unwrap_or_default();
        match (life.offline_since, life.last_heartbeat) {
            (Some(_), _) => Self::Offline,
            (None, None) => Self::Starting,
            (None, Some(heard)) if now - heard <= within => Self::InService,
            (None, Some(_)) => Self::Silent,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::InService => "in_service",
            Self::Starting => "starting",
            Self::Silent => "silent",
            Self::Offline => "offline",
        }
    }

    fn told(self) -> (&'static str, &'static str) {
        match self {
            Self::InService => ("ok", "in service"),
            Self::Starting => ("idle", "not ready yet"),
            Self::Silent => ("bad", "silent"),
            Self::Offline => ("idle", "offline"),
        }
    }
}

impl Overview {
    /// Its content as HTML.
    pub fn html(&self) -> String {
        html! {
            (section("rounds", "Rounds", &self.rounds()))
            (section("servers", "Servers", &self.servers()))
            (section("latest", "Last attempts", &self.latest()))
            @if self.unread > 0 {
                p { (words::count(self.unread, "row is", "rows are")) " left out that this version cannot read." }
            }
            @if let Some(process) = &self.process { (section("process", "This process", &process.html())) }
        }
        .into_string()
    }

    /// The same for programs.
    pub fn document(&self) -> Value {
        json!({
            "at": told(self.at),
            "servers": self.servers.iter().map(|server| self.server(server)).collect::<Vec<_>>(),
            "rounds": self.rounds.iter().map(round).collect::<Vec<_>>(),
            "operations": self.attempts.iter().map(SeenAttempt::document).collect::<Vec<_>>(),
            "unread_rows": self.unread,
            "process": self.process.as_ref().map(SeenProcess::document),
        })
    }

    /// Servers and rounds as a text that is another one when something has changed; heartbeats alone are no change.
    pub fn mark(&self) -> String {
        let state = |server: &SeenServer| (server.life.id, State::of(server, self.at));
        let process = self.process.as_ref().map(SeenProcess::mark);
        format!("{:?} {:?} {process:?}", self.servers.iter().map(state).collect::<Vec<_>>(), self.rounds)
    }

    fn rounds(&self) -> Markup {
        let mut due: BTreeMap<String, Vec<DateTime<Utc>>> = BTreeMap::new();
        for round in &self.rounds {
            due.entry(round.fleets.to_string()).or_default().push(round.due);
        }
        // A loop that plays rounds at an interval has shown it between the last two.
        let next = |due: &[DateTime<Utc>]| match due {
            [last, before, ..] if *last > *before && *last + (*last - *before) * 2 > self.at => {
                Some(*last + (*last - *before))
            }
            _ => None,
        };
        let under_way = self.rounds.iter().filter(|round| is_under_way(round, self.at)).count();
        html! {
            @if self.rounds.is_empty() { p { "No round is recorded yet." } } @else {
                p {
                    (words::count(under_way, "round is", "rounds are")) " under way."
                    @for (fleets, due) in &due {
                        @if let Some(next) = next(due) { " The next of " (named(fleets)) " is due at " (time(next)) "." }
                    }
                }
                div class="wide" tabindex="0" role="region" aria-label="The last rounds" {
                    table {
                        caption { "The last rounds" }
                        thead { tr { @for head in ["Fleets", "Due", "Started late by", "How it ended", "Took", "Servers ready", "Left out before"] { th scope="col" { (head) } } } }
                        tbody { @for round in self.rounds.iter().take(ROUNDS) { (self.row_of_round(round)) } }
                    }
                }
            }
        }
    }

    fn row_of_round(&self, round: &Round) -> Markup {
        let late = (round.started - round.due).to_std().unwrap_or_default();
        let (class, outcome) = match round.ended {
            Some((_, RoundOutcome::Complete)) => ("ok", "complete"),
            Some((_, outcome)) => ("bad", outcome.as_str()),
            None if is_under_way(round, self.at) => ("idle", "under way"),
            None => ("bad", "without an end"),
        };
        let took = round.ended.and_then(|(ended, _)| (ended - round.started).to_std().ok());
        html! {
            tr {
                th scope="row" { (named(&round.fleets.to_string())) }
                td { (time(round.due)) }
                td { (words::duration(late)) }
                td class=(class) { (outcome.replace('_', " ")) }
                td { (took.map_or_else(|| "–".to_owned(), words::duration)) }
                td class="n" { (round.nodes_ready) " of " (round.nodes_listed) }
                td class="n" { (round.skipped_before) }
            }
        }
    }

    fn servers(&self) -> Markup {
        let mut sorted: Vec<_> = self.servers.iter().map(|server| (State::of(server, self.at), server)).collect();
        let place = |server: &SeenServer| (server.life.fleet.clone(), server.life.region.clone(), server.life.id);
        sorted.sort_by_key(|(state, server)| (*state, place(server)));
        let count = |state| sorted.iter().filter(|(found, _)| *found == state).count();
        html! {
            @if sorted.is_empty() { p { "No server was heard of in the last day." } } @else {
                p { (count(State::InService)) " in service, " (count(State::Starting)) " not ready yet, " (count(State::Silent)) " silent, " (count(State::Offline)) " offline." }
                div class="wide" tabindex="0" role="region" aria-label="Servers of the last day" {
                    table {
                        caption { "Servers of the last day" }
                        thead { tr { @for head in ["Server", "Fleet", "Region", "State", "Last heartbeat", "Strategy", "Network", "Version"] { th scope="col" { (head) } } } }
                        tbody { @for (state, server) in sorted.iter().take(SERVERS) { (self.row_of_server(*state, server)) } }
                    }
                }
                @if sorted.len() > SERVERS { p { (sorted.len() - SERVERS) " more are not listed." } }
            }
        }
    }

    fn row_of_server(&self, state: State, server: &SeenServer) -> Markup {
        let (class, told) = state.told();
        let life = &server.life;
        let ago = |at: DateTime<Utc>| format!("{} ago", words::long((self.at - at).num_seconds().max(0) as f64));
        html! {
            tr {
                th scope="row" title=(life.peer_id) { (life.id) " …" (words::peer(&life.peer_id)) }
                td { (named(&life.fleet)) }
                td { (named(&life.region)) }
                td class=(class) { (told) @if let Some(since) = life.offline_since { ", " (ago(since)) } }
                td { (life.last_heartbeat.map_or_else(|| "never".to_owned(), ago)) }
                @for text in [&server.strategy, &server.network, &server.version] { td { (text.as_deref().map_or_else(|| "–".to_owned(), named)) } }
            }
        }
    }

    fn server(&self, server: &SeenServer) -> Value {
        let SeenServer { life, strategy, network, version } = server;
        json!({
            "id": life.id.0,
            "peer_id": life.peer_id,
            "fleet": life.fleet,
            "region": life.region,
            "state": State::of(server, self.at).as_str(),
            "created_at": told(life.created),
            "last_heartbeat_at": life.last_heartbeat.map(told),
            "offline_since": life.offline_since.map(told),
            "strategy": strategy,
            "network": network,
            "version": version,
        })
    }

    fn latest(&self) -> Markup {
        let heads = ["Operation", "Started", "Kind", "Outcome", "Took", "Fleet", "Region"];
        html! {
            div class="wide" tabindex="0" role="region" aria-label="The last attempts" {
                table id="attempts" {
                    caption { "The last attempts, the newest first; an operation leads to what it did" }
                    thead { tr { @for head in heads { th scope="col" { (head) } } } }
                    tbody { @for attempt in self.attempts.iter().take(ATTEMPTS) { (attempt.row()) } }
                }
            }
            @if self.attempts.is_empty() { p { "No attempt is recorded yet." } }
            template id="attempt" {
                tr {
                    th scope="row" { a href="/" data-of="name" {} }
                    @for of in ["started", "kind", "outcome", "took", "fleet", "region"] { td data-of=(of) {} }
                }
            }
        }
    }
}

/// Longer than a round takes: a lookup has minutes, and may be tried several times.
const LONGEST_ROUND: TimeDelta = TimeDelta::hours(1);

fn is_under_way(round: &Round, now: DateTime<Utc>) -> bool {
    round.ended.is_none() && now - round.started < LONGEST_ROUND
}

impl SeenAttempt {
    fn name(&self) -> String {
        let id = self.noted.operation.id.0.to_string();
        id.get(id.len() - 8..).unwrap_or_default().to_owned()
    }

    fn row(&self) -> Markup {
        let operation = &self.noted.operation;
        let id = operation.id.0.to_string();
        html! {
            tr id=(format!("a-{id}")) {
                th scope="row" { a href=(format!("/operations/{id}")) { (self.name()) } }
                td { (time(operation.started)) }
                td { (operation.kind) }
                td class=(if operation.class == OutcomeClass::Ok { "ok" } else { "bad" }) { (operation.class) }
                td { (words::duration(operation.duration)) }
                td { (named(&self.fleet)) }
                td { (named(&self.region)) }
            }
        }
    }

    /// For programs.
    pub fn document(&self) -> Value {
        let operation = &self.noted.operation;
        json!({
            "id": operation.id.0.to_string(),
            "round_id": operation.round.0.to_string(),
            "server_id": operation.node.0,
            "kind": operation.kind.as_str(),
            "probe": operation.probe,
            "outcome": operation.class.as_str(),
            "started_at": told(operation.started),
            "ended_at": told(self.noted.ended),
            "recorded_at": told(self.noted.written),
            "duration_seconds": operation.duration.as_secs_f64(),
            "from_own_records": operation.from_own_records,
            "fleet": self.fleet,
            "region": self.region,
        })
    }

    /// For the script of the page: what its row says.
    pub fn news(&self) -> Value {
        let operation = &self.noted.operation;
        json!({
            "id": operation.id.0.to_string(),
            "name": self.name(),
            "started": shown(operation.started),
            "kind": operation.kind.as_str(),
            "outcome": operation.class.as_str(),
            "took": words::duration(operation.duration),
            "fleet": named(&self.fleet),
            "region": named(&self.region),
        })
    }
}

fn round(round: &Round) -> Value {
    json!({
        "id": round.id.0.to_string(),
        "scheduler_id": round.scheduler.0,
        "fleets": round.fleets.fleets().iter().map(|fleet| fleet.as_str()).collect::<Vec<_>>(),
        "provider_server_id": round.provider.map(|node| node.0),
        "servers_listed": round.nodes_listed,
        "servers_ready": round.nodes_ready,
        "skipped_before": round.skipped_before,
        "due_at": told(round.due),
        "started_at": told(round.started),
        "ended_at": round.ended.map(|(at, _)| told(at)),
        "outcome": round.ended.map(|(_, outcome)| outcome.as_str()),
    })
}

/// A name as far as it can be shown, whoever has written it; a fleet that was given none has none.
fn named(name: &str) -> String {
    if name.is_empty() { "(no name)".to_owned() } else { harmless(name, MAX_NAME_CHARS) }
}
