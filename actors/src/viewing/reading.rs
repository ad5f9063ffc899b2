//! How each answer is read and counted. What takes processor time runs on a thread for such work; the database is read page by page.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::{FutureExt, try_join};
use parsec_measure::{
    AttemptId, History, IdPart, NodeId, NotedAttempt, OperationKind, SampledOperation, SeenServer, StoredOperation,
    Trace, without_addresses,
};
use parsec_results::run::is_simulated;
use parsec_results::statistics::{Comparison, Sample};
use parsec_results::{Costs, Dimension, Sampling, Spending, UNKNOWN, incidents};
use parsec_show::chart::Times;
use parsec_show::compared::{Pairs, pairs};
use parsec_show::page::{Overview, SeenActor, SeenAttempt, SeenDatabase, SeenProcess, WaitingRows, answers, measured};
use parsec_show::peers::PeerTable;
use parsec_show::selected::{selected, used, without};
use parsec_show::spent::{SpentTable, not_asked, weighed};
use parsec_show::{incidents as happenings, perfetto, recorded};
use parsec_store::{Glance, Selection, StoreError, Stretch, each_stretch, each_traced};
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use super::attempts::{Attempts, Every, Places, Stretched, known};
use super::question::{Answer, Filter, Glimpse, Question, Unanswered};
use crate::supervision::ask::Ask;
use crate::telemetry::GetStatus;
use crate::telemetry::vitals::{ActorStatus, Status};

/// How far back is looked unless somebody says how far.
pub(super) const A_WEEK: Duration = Duration::from_secs(7 * 86_400);
const A_DAY: Duration = Duration::from_secs(86_400);

/// How many attempts are counted at once: a year of a large deployment. Each takes some thirty bytes, and some fifty more while its
/// group is counted.
pub(super) const MAX_ATTEMPTS: usize = 2_000_000;

/// How many attempts an overview has: more than it shows, so that those who listen miss none between two looks.
const GLIMPSED: u32 = 200;

/// How many rounds it has.
const ROUNDS: u32 = 24;

/// Attempts that began longer ago are no news: the longest round has ended by then.
const NEWS: TimeDelta = TimeDelta::hours(1);

/// How many attempts are looked through for incidents: days of three fleets in seven regions, and seventy megabytes. The command
/// line looks through more.
const MAX_HISTORY: usize = 200_000;

/// How many traces are read to find the peers that cost most: a minute's work.
const MAX_TRACES: u64 = 20_000;

/// How many peers are shown.
const WORST: usize = 25;

/// Periods up to this long are told hour by hour.
const BY_HOUR: TimeDelta = TimeDelta::days(3);

/// What is needed to find answers.
pub(super) struct Desk {
    pub(super) store: Arc<dyn Glance>,
    /// Asked how the process is in which it runs.
    pub(super) status: Option<Ask<GetStatus>>,
    /// For the attempts of one question.
    pub(super) room: Arc<Semaphore>,
}

/// Waits until nobody else has many attempts in memory, and keeps it so.
async fn alone(room: Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Unanswered> {
    room.acquire_owned().await.map_err(|error| Unanswered::Failed(error.to_string()))
}

/// Finds the answer to a question, with nobody waiting for anything else.
pub(super) async fn answer(desk: Desk, question: Question) -> Result<Answer, Unanswered> {
    let Desk { store, status, room } = desk;
    let now = Utc::now();
    let found = match question {
        Question::Overview => overview(&*store, status, now).await,
        Question::Measurements(filter) => measurements(&*store, room, filter, now).await,
        Question::Comparison { a, b, of } => comparison(&*store, room, (a, b), of, now).await,
        Question::Peers(filter) => peers(&*store, filter, now).await,
        Question::Incidents(filter) => happened(&*store, filter, now).await,
        Question::Operations { of, before, limit } => operations(&*store, (of, before, limit), now).await,
        Question::Operation(part) => operation(&*store, &part).await,
    };
    let took = (Utc::now() - now).to_std().unwrap_or_default();
    found.map(|answer| Answer { at: now, took, ..answer })
}

async fn counted<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Unanswered> {
    spawn_blocking(work).await.map_err(|error| Unanswered::Failed(error.to_string()))
}

fn seen(servers: &[SeenServer], found: Vec<NotedAttempt>, filter: &Filter) -> Vec<SeenAttempt> {
    let by_id: BTreeMap<NodeId, &SeenServer> = servers.iter().map(|server| (server.life.id, server)).collect();
    let place = |noted: NotedAttempt| {
        let server = by_id.get(&noted.operation.node)?;
        let [network, strategy] = [&server.network, &server.strategy].map(|name| name.as_deref().unwrap_or(UNKNOWN));
        let life = &server.life;
        let taken = filter.takes([network, &life.fleet, &life.region, strategy]);
        taken.then(|| SeenAttempt { noted, fleet: life.fleet.clone(), region: life.region.clone() })
    };
    found.into_iter().filter_map(place).collect()
}

async fn overview(
    store: &dyn Glance,
    status: Option<Ask<GetStatus>>,
    now: DateTime<Utc>,
) -> Result<Answer, Unanswered> {
    let servers = store.servers(Some(now - TimeDelta::days(1))).await?;
    let rounds = store.newest_rounds(ROUNDS).await?;
    let lately = Selection { since: Some(now - NEWS), ..Selection::default() };
    let mut found = store.newest_attempts(&lately, None, GLIMPSED).await?;
    if found.last.is_none() {
        found = store.newest_attempts(&Selection::default(), None, GLIMPSED).await?;
    }
    let is_listed = |noted: &NotedAttempt| servers.iter().any(|server| server.life.id == noted.operation.node);
    let unread = rounds.unread + found.unread;
    let attempts = if found.rows.iter().all(is_listed) {
        seen(&servers, found.rows, &Filter::default())
    } else {
        seen(&store.servers(None).await?, found.rows, &Filter::default())
    };
    // Without it, the page says everything else.
    let process = match status {
        Some(status) => status.ask(GetStatus).await.ok().map(|status| process(*status)),
        None => None,
    };
    let overview = Overview { at: now, servers, rounds: rounds.rows, attempts, unread, process };
    let news = overview.attempts.iter().rev().map(|attempt| (attempt.noted.operation.id, attempt.news())).collect();
    let glimpse = Some(Glimpse { attempts: news, mark: overview.mark() });
    Ok(Answer { html: overview.html(), document: overview.document(), glimpse, ..Answer::default() })
}

/// The process that shows the page, as people see it.
fn process(status: Status) -> SeenProcess {
    let Status { role, uptime, actors, recorder, database, .. } = status;
    SeenProcess {
        role: role.as_str(),
        uptime,
        database: database.map(|database| SeenDatabase {
            up: database.up,
            since: database.since,
            last_error: database.last_error,
        }),
        waiting: recorder.map(|recorder| WaitingRows {
            in_memory: recorder.rows_in_memory,
            on_disk: recorder.rows_on_disk,
            set_aside: recorder.rows_set_aside,
        }),
        actors: actors.into_iter().map(actor).collect(),
    }
}

fn actor(status: ActorStatus) -> SeenActor {
    let state = status.state().as_str();
    let ActorStatus { name, fate, .. } = status;
    SeenActor { name, state, restarts: fate.restarts, last_reason: fate.last_crash.map(|(reason, _)| reason) }
}

async fn operations(
    store: &dyn Glance,
    (filter, before, limit): (Filter, Option<AttemptId>, u32),
    now: DateTime<Utc>,
) -> Result<Answer, Unanswered> {
    let selection = filter.selection(now, A_WEEK);
    let servers = store.servers(None).await?;
    // What the database cannot narrow down is left out here, so a page may be shorter than asked for, and not be the last.
    let found = store.newest_attempts(&selection, before, limit).await?;
    let is_full = found.rows.len() + found.unread >= limit as usize;
    let next = found.last.filter(|_| is_full).map(|last| last.to_string());
    let attempts = seen(&servers, found.rows, &filter);
    let operations: Vec<_> = attempts.iter().map(SeenAttempt::document).collect();
    let document = json!({ "operations": operations, "next_cursor": next, "unread_rows": found.unread });
    Ok(Answer { document, ..Answer::default() })
}

/// All selected attempts, read in several stretches of time at once: while the database looks for a page, another one is taken in.
async fn attempts(
    store: &dyn Glance,
    servers: &[SeenServer],
    filter: &Filter,
    selection: &Selection,
    now: DateTime<Utc>,
) -> Result<Attempts, Unanswered> {
    let (places, mut all) = (Places::new(filter.clone(), servers), Stretched::default());
    let read = |stretch| stretched(store, &places, selection, stretch).boxed();
    let take = |later| {
        all.append(later);
        if all.len() > MAX_ATTEMPTS { Err(Unanswered::TooMany(MAX_ATTEMPTS)) } else { Ok(()) }
    };
    each_stretch(selection, now, read, take).await?;
    counted(move || Attempts::new(places, all)).await
}

async fn stretched(
    store: &dyn Glance,
    places: &Places,
    selection: &Selection,
    stretch: Stretch,
) -> Result<Stretched, Unanswered> {
    let (mut all, mut rest) = (Stretched::default(), Some(stretch));
    while let Some(stretch) = rest {
        let page = store.counted(selection, stretch).await?;
        all.add(places, &page.attempts, page.unread);
        if all.len() > MAX_ATTEMPTS {
            return Err(Unanswered::TooMany(MAX_ATTEMPTS));
        }
        rest = page.rest;
    }
    Ok(all)
}

/// Which attempts an answer is made of.
fn counted_ones(filter: &Filter, selection: &Selection, attempts: &Attempts) -> String {
    format!("{}{}", used(&told(filter, selection), attempts.looked()), without(attempts.unread()))
}

async fn measurements(
    store: &dyn Glance,
    room: Arc<Semaphore>,
    filter: Filter,
    now: DateTime<Utc>,
) -> Result<Answer, Unanswered> {
    let selection = filter.selection(now, A_WEEK);
    let servers = store.servers(None).await?;
    let room = alone(room).await?;
    let rounds = async { Ok(store.rounds(&selection).await?) };
    let (attempts, rounds) = try_join!(attempts(store, &servers, &filter, &selection, now), rounds)?;
    let known = known(&servers);
    counted(move || {
        let _until_counted = room;
        let used = counted_ones(&filter, &selection, &attempts);
        if attempts.len() == 0 {
            let names = if known.fleets.is_empty() { "none yet".to_owned() } else { known.fleets.join(", ") };
            let none = format!(
                "No measurement of these servers is recorded {}. Fleets that are known: {names}.",
                told(&filter, &selection)
            );
            let document = json!({ "used": used, "groups": [] });
            return Answer { html: measured::used(&none), document, known, ..Answer::default() };
        }
        let mut html = measured::used(&format!("{used}."));
        html += &measured::by_fleet(&attempts.by_fleet(), Times::FromZero);
        let every = match attempts.span() {
            Some((first, last)) if last - first <= BY_HOUR => Every::Hour,
            _ => Every::Day,
        };
        html += &measured::by_time(&attempts.by_time(every), TimeDelta::seconds(every.seconds().into()));
        let (regions, groups) = measured::by_region(attempts.by_region());
        html += &regions;
        html += &measured::rounds(&rounds);
        let document = json!({ "used": used, "groups": groups });
        Answer { html, document, known, ..Answer::default() }
    })
    .await
}

async fn comparison(
    store: &dyn Glance,
    room: Arc<Semaphore>,
    (a, b): (String, String),
    mut filter: Filter,
    now: DateTime<Utc>,
) -> Result<Answer, Unanswered> {
    let servers = store.servers(None).await?;
    let known = known(&servers);
    let unnamed = a.is_empty() || b.is_empty();
    // Whoever has not chosen yet sees the first two.
    let (a, b) = match &known.fleets[..] {
        [first, second, ..] if unnamed => {
            let a = if a.is_empty() { first.clone() } else { a };
            let other = if a == *second { first } else { second };
            let b = if b.is_empty() { other.clone() } else { b };
            (a, b)
        }
        _ if unnamed => {
            let html = measured::used("There are not two fleets to compare yet.");
            return Ok(Answer { html, document: json!({ "pairs": [] }), known, ..Answer::default() });
        }
        _ => (a, b),
    };
    if a == b {
        return Err(Unanswered::Unanswerable(format!("`{a}` stands on both sides; choose two fleets")));
    }
    filter.fleets = vec![a.clone(), b.clone()];
    let selection = filter.selection(now, A_WEEK);
    let room = alone(room).await?;
    let attempts = attempts(store, &servers, &filter, &selection, now).await?;
    counted(move || {
        let _until_counted = room;
        let samples = OperationKind::ALL.map(|kind| (kind, attempts.of_fleet(&a, kind), attempts.of_fleet(&b, kind)));
        let is_due = |(_, a, b): &&(OperationKind, Sample, Sample)| a.counts().due + b.counts().due > 0;
        let asked = samples.iter().filter(is_due).map(|(kind, a, b)| (String::new(), *kind, a, b)).collect();
        let pairs = Pairs { names: (a, b), by: String::new(), pairs: pairs(asked, Comparison::default()) };
        let used = counted_ones(&filter, &selection, &attempts);
        let html = measured::used(&format!("{used}.")) + &answers::comparison(&pairs);
        Answer { html, document: json!({ "used": used, "pairs": pairs.document() }), known, ..Answer::default() }
    })
    .await
}

async fn peers(store: &dyn Glance, filter: Filter, now: DateTime<Utc>) -> Result<Answer, Unanswered> {
    // The same rows are read twice.
    let selection = filter.selection(now, A_DAY);
    let selection = Selection { until: selection.until.or(Some(now)), ..selection };
    let servers = store.servers(None).await?;
    let (nodes, known) = (Places::new(filter.clone(), &servers), known(&servers));
    let (mut sampling, mut after, mut kept, mut unread) = (Sampling::default(), None, 0, 0);
    loop {
        let page = store.sampled(&selection, after).await?;
        let Some(last) = page.last else { break };
        after = Some(AttemptId(last));
        unread += page.unread;
        for sampled in page.rows.iter().filter(|sampled| nodes.takes(sampled.operation.node)) {
            sampling.count(sampled);
            kept += u64::from(sampled.why_kept.is_some());
        }
        if kept > MAX_TRACES {
            let sentence = format!("more than {MAX_TRACES} traces are selected; choose a shorter period, or a fleet");
            return Err(Unanswered::Unanswerable(sentence));
        }
    }
    let told = format!("{}{}", told(&filter, &selection), without(unread));
    let nothing = |why: &str, known| {
        let document = json!({ "used": told, "spent": [], "peers": [] });
        Ok(Answer { html: measured::used(&format!("{why} ({told}).")), document, known, ..Answer::default() })
    };
    if sampling.operations() == 0 {
        return nothing("No operation whose peers are known is recorded", known);
    }
    if let Err(error) = sampling.weigh() {
        return nothing(&format!("What the time went to is not known: {error}"), known);
    }
    let mut costs = Costs::new(&sampling);
    let mut spending = Spending::new(vec![Dimension::Fleet], store.nodes().await?);
    let each = |sampled: &SampledOperation, trace: Option<Option<Trace>>| {
        if !nodes.takes(sampled.operation.node) {
            return;
        }
        spending.count(sampled);
        if let Some(trace) = trace {
            spending.add(sampled, trace.as_ref());
            match trace {
                Some(trace) => costs.add(sampled, &trace),
                None => costs.missed(sampled),
            }
        }
    };
    each_traced(store, &selection, each).await?;
    let left_out = not_asked(spending.not_asked(), spending.unread());
    let (spent, table) = (spending.finish(), PeerTable { costs: costs.finish(WORST), addresses: false });
    let used = format!("{} operations {told}{left_out}", sampling.operations());
    let weighed = weighed(&sampling.stands_for());
    let html = measured::used(&format!("{used}. {weighed}")) + &answers::spent(&spent) + &answers::peers(&table);
    let spent = SpentTable { by: vec!["fleet"], groups: spent }.document();
    let document = json!({ "used": used, "weighed": weighed, "spent": spent, "peers": table.document() });
    Ok(Answer { html, document, known, ..Answer::default() })
}

async fn happened(store: &dyn Glance, filter: Filter, now: DateTime<Utc>) -> Result<Answer, Unanswered> {
    let selection = filter.selection(now, A_DAY);
    let history = store.history(&selection, MAX_HISTORY).await.map_err(|error| match error {
        StoreError::Refused(reason) => Unanswered::Unanswerable(reason),
        error => error.into(),
    })?;
    let servers = store.servers(None).await?;
    let (known, is_model) = (known(&servers), is_model(&history, &servers));
    let end = selection.until.map_or(now, |until| until.min(now));
    counted(move || {
        let end = if is_model { incidents::end_of_model(&history, end) } else { end };
        let (attempts, rounds) = (history.attempts.len(), history.rounds.len());
        let unread = happenings::unread(&history);
        let found = incidents::find(&history, end);
        let used = format!("{attempts} attempts and {rounds} rounds {}{unread}", told(&filter, &selection));
        let html = measured::used(&format!("{used}.")) + &answers::happened(&found);
        let document = json!({ "used": used, "incidents": happenings::document(&found) });
        Answer { html, document, known, ..Answer::default() }
    })
    .await
}

/// Whether a model played it.
fn is_model(history: &History, servers: &[SeenServer]) -> bool {
    let simulated = |server: &&SeenServer| server.network.as_deref().is_some_and(is_simulated);
    let models: BTreeSet<NodeId> = servers.iter().filter(simulated).map(|server| server.life.id).collect();
    history.servers.iter().any(|server| models.contains(&server.id))
}

async fn operation(store: &dyn Glance, part: &IdPart) -> Result<Answer, Unanswered> {
    let gone = || Unanswered::NotFound(format!("no operation {part} is recorded, or it has been pruned"));
    let meant = store.meant(part).await?;
    let id = match meant[..] {
        [] => return Err(gone()),
        [id] => id,
        _ => return Err(Unanswered::NotFound(format!("{part} can mean several operations; write more of the id"))),
    };
    let whole = anonymous(store.whole(id).await?.ok_or_else(gone)?);
    let events = perfetto::events(1, &whole);
    let trace = (!events.is_empty()).then(|| json!({ "displayTimeUnit": "ms", "traceEvents": events }));
    Ok(Answer { html: answers::operation(&whole), document: operation_document(&whole), trace, ..Answer::default() })
}

fn operation_document(whole: &StoredOperation) -> Value {
    let mut document = recorded::document(whole);
    document["explanation"] = recorded::explanation_document(whole)["explanation"].take();
    document
}

/// Where the peers of others are is nobody's business here.
fn anonymous(mut operation: StoredOperation) -> StoredOperation {
    let result = &mut operation.attempt.result;
    result.trace = result.trace.take().map(|trace| Arc::new(Trace::clone(&trace).without_addresses()));
    result.error = result.error.take().map(|error| without_addresses(&error).into_owned());
    operation
}

/// Which measurements these are, in words. Names that no fleet of ours can have are among them.
fn told(filter: &Filter, selection: &Selection) -> String {
    fn names(names: &[String]) -> Vec<&str> {
        names.iter().map(String::as_str).collect()
    }
    let Filter { networks, fleets, regions, strategies, kind, .. } = filter;
    let names = [
        ("network", names(networks)),
        ("fleet", names(fleets)),
        ("region", names(regions)),
        ("strategy", names(strategies)),
    ];
    selected((selection.since, selection.until), &names, *kind)
}
