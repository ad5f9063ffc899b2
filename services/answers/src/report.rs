//! `parsec report`: what a period comes to, as one page.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use chrono::{DateTime, TimeDelta, Utc};
use parsec_measure::{ArchivedNode, NodeId, OperationKind, SampledOperation, StoredOperation};
use parsec_results::incidents::Incidents;
use parsec_results::statistics::Comparison;
use parsec_results::{Dimension, Group, Grouping, MeasuredWith, Records, Spending, Uses};
use parsec_settings::{ReportConfig, ReportFormat, Side};
use parsec_show::chart::Times;
use parsec_show::compared::{Pairs, Question, pairs};
use parsec_show::report::{Measurements, report};
use parsec_show::spent::not_asked;
use parsec_show::words;
use parsec_store::{Listing, Order, Selection, StoreConfig, StoreError};
use tokio::try_join;

use crate::ground::Ground;
use crate::incidents;
use crate::kept::Place;
use crate::measured::{Reader, Used, selected, used};
use crate::reading::Kept;
use crate::results;
use parsec_output as output;

/// What a report is about unless it is told otherwise: a week.
const PERIOD: TimeDelta = TimeDelta::days(7);

/// How many operations of each kind are drawn request by request.
const SLOWEST: u32 = 2;

/// Writes a report.
///
/// # Errors
/// Says in one sentence why there is no answer.
pub async fn run(config: ReportConfig, version: &str) -> anyhow::Result<ExitCode> {
    let place = config.output.as_deref().map(|path| Place::at(path, "--output")).transpose()?;
    let kept = Kept::open(&config.database).await?;
    let reader = Reader::of_kept(&kept).await?;
    let now = Utc::now();
    let selection = selected(&config.selection, &Side::default(), now)?;
    let until = selection.until.unwrap_or(now);
    let since = selection.since.unwrap_or(until - PERIOD);
    let report = report(&measurements(&config, (&kept, &reader), (selection, since, until), (now, version)).await?);
    let written = match config.format {
        ReportFormat::Html => report.html(),
        ReportFormat::Markdown => report.markdown(),
    };
    match place {
        None => output::line(written.trim_end())?,
        Some(place) => {
            let told = format!("{}: {}", place.path().display(), words::bytes(written.len() as u64));
            place.write(&written)?;
            output::note(&told);
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn measurements(
    config: &ReportConfig,
    (kept, reader): (&Kept, &Reader),
    (selection, since, until): (Selection, DateTime<Utc>, DateTime<Utc>),
    (made, version): (DateTime<Utc>, &str),
) -> anyhow::Result<Measurements> {
    let selection = Selection { since: Some(since), until: Some(until), ..selection };
    let ground = reader.ground(&selection)?;
    // First, and by itself: all attempts are in memory for it, and for nothing else.
    let happened = happened(kept, &selection, made, &ground).await;
    let by = [&[Dimension::Fleet][..], &[Dimension::Fleet, Dimension::Region], &[Dimension::Fleet, Dimension::Day]];
    let mut groupings = by.map(|by| Grouping::new(by.to_vec(), reader.nodes.clone()));
    let mut measured = BTreeSet::new();
    let mut uses = Uses::default();
    let spending = Spending::new(vec![Dimension::Fleet], reader.nodes.clone());
    let each = |sampled: &SampledOperation| {
        measured.insert(sampled.operation.node);
        uses.add(sampled);
        groupings.iter_mut().for_each(|grouping| grouping.add(&sampled.operation));
    };
    let records = Records::new(vec![Dimension::Fleet], reader.nodes.clone());
    let records = results::records(kept.traces.as_ref(), &selection, records);
    let ((spending, unread), records) = try_join!(kept.spent(&selection, spending, each), records)?;
    let [(by_fleet, looked), (by_region, _), (by_day, _)] = groupings.map(Grouping::finish);
    let used = used(&selection, Used { looked, unread });
    if by_fleet.is_empty() {
        bail!("no measurement is recorded: {used}");
    }
    let compared_since = since - (until - since);
    let period_before = Selection { since: Some(compared_since), until: Some(since), ..selection.clone() };
    let mut grouping = Grouping::new(vec![Dimension::Fleet], reader.nodes.clone());
    let each = |sampled: &SampledOperation| {
        uses.add(sampled);
        grouping.add(&sampled.operation);
    };
    let unread_before = kept.operations(&period_before, each).await?;
    let (before, _) = grouping.finish();
    let how = Comparison { margin: config.margin.get(), ..Comparison::default() };
    let (fleets, before) = compared(&by_fleet, &before, how);
    let (slowest, slowest_unread) = slowest(kept, &selection).await?;
    Ok(Measurements {
        since,
        until,
        made,
        version: version.to_owned(),
        used: [format!("{}: {used}.", config.database.target()?)]
            .into_iter()
            .chain(before_without(unread_before))
            .chain(ground.remark())
            .collect(),
        servers: servers(&measured, &reader.nodes),
        with: with(&kept.target, &uses, since, compared_since).await?,
        spent_without: not_asked(spending.not_asked(), spending.unread()),
        spent: spending.finish(),
        slowest,
        slowest_unread,
        records,
        rounds: reader.rounds(&selection).await?,
        incidents: happened.map_err(|error| format!("{error:#}")),
        by_fleet,
        by_region,
        by_day,
        fleets,
        before,
        margins: (how.margin, how.success_margin),
        times: if config.log_axis { Times::ByDecades } else { Times::FromZero },
    })
}

/// With which versions and configuration it was measured, and what changed since what it is compared with began.
async fn with(
    target: &StoreConfig,
    uses: &Uses,
    since: DateTime<Utc>,
    compared_since: DateTime<Utc>,
) -> anyhow::Result<MeasuredWith> {
    let named = || format!("database {target}");
    let setups = parsec_store::open_setups(target).await.with_context(named)?;
    let servers = setups.servers(&uses.servers()).await.with_context(named)?;
    let schedulers = setups.schedulers(&uses.schedulers()).await.with_context(named)?;
    Ok(uses.with(&servers, &schedulers, since, compared_since))
}

async fn happened(
    kept: &Kept,
    selection: &Selection,
    made: DateTime<Utc>,
    ground: &Ground,
) -> anyhow::Result<Incidents> {
    let history = incidents::history(&kept.target, selection).await?;
    incidents::judged(history, selection, made, ground).await
}

/// What could not be read of the period before, if anything.
fn before_without(unread: usize) -> Option<String> {
    let rows = words::count(unread, "row is", "rows are");
    (unread > 0).then(|| format!("Of the period before, {rows} left out that this version cannot read."))
}

/// The slowest operations of each kind with their traces, and how many of them cannot be read.
async fn slowest(kept: &Kept, selection: &Selection) -> anyhow::Result<(Vec<StoredOperation>, usize)> {
    let (mut slowest, mut unread) = (Vec::new(), 0);
    for kind in OperationKind::ALL.into_iter().filter(|kind| selection.kind.is_none_or(|only| only == *kind)) {
        let listing = Listing {
            selection: Selection { kind: Some(kind), ..selection.clone() },
            outcomes: Vec::new(),
            order: Order::Slowest,
            limit: SLOWEST,
        };
        let listed = kept.traces.list(&listing).await?;
        unread += listed.unread;
        for listed in listed.rows {
            match kept.traces.whole(listed.attempt.id).await {
                Err(StoreError::BadRow(_)) => unread += 1,
                // One that was pruned meanwhile is not drawn.
                whole => slowest.extend(whole?),
            }
        }
    }
    Ok((slowest, unread))
}

/// How many servers measured, by fleet and region.
fn servers(measured: &BTreeSet<NodeId>, nodes: &BTreeMap<NodeId, ArchivedNode>) -> BTreeMap<(String, String), usize> {
    let mut servers = BTreeMap::new();
    for node in measured.iter().filter_map(|id| nodes.get(id)) {
        *servers.entry((node.fleet.clone(), node.region.clone())).or_default() += 1;
    }
    servers
}

/// Every fleet against the first, and every fleet against itself in the period before: all at once, so that the number of questions is
/// accounted for.
fn compared(now: &[Group], before: &[Group], how: Comparison) -> (Vec<Pairs>, Option<Pairs>) {
    let fleets: Vec<&str> =
        now.iter().map(|group| group.common[0].as_str()).collect::<BTreeSet<_>>().into_iter().collect();
    let first = fleets.first().copied().unwrap_or_default();
    let mut names: Vec<(&str, &str)> = fleets.iter().skip(1).map(|other| (first, *other)).collect();
    let mut asked: Vec<Vec<Question<'_>>> =
        fleets.iter().skip(1).map(|other| questions("", (now, first), (now, other))).collect();
    names.push(("before", "now"));
    asked.push(fleets.iter().flat_map(|fleet| questions(fleet, (before, fleet), (now, fleet))).collect());
    let counts: Vec<usize> = asked.iter().map(Vec::len).collect();
    let mut answers = pairs(asked.into_iter().flatten().collect(), how).into_iter();
    let named = names.into_iter().zip(counts).map(|((a, b), count)| Pairs {
        names: (a.to_owned(), b.to_owned()),
        by: "fleet".to_owned(),
        pairs: answers.by_ref().take(count).collect(),
    });
    let mut answered: Vec<Pairs> = named.collect();
    let before = answered.pop().filter(|pairs| !pairs.pairs.is_empty());
    (answered, before)
}

/// Whether a fleet of one period is another than one of another, of each kind that both have.
fn questions<'a>(common: &str, a: (&'a [Group], &str), b: (&'a [Group], &str)) -> Vec<Question<'a>> {
    let sample = |(groups, fleet): (&'a [Group], &str), kind: OperationKind| {
        groups.iter().find(|group| group.common[0] == fleet && group.kind == kind).map(|group| &group.sample)
    };
    let question = |kind| Some((common.to_owned(), kind, sample(a, kind)?, sample(b, kind)?));
    OperationKind::ALL.into_iter().filter_map(question).collect()
}
