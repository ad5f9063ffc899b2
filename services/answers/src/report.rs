//! `parsec report`: what a period comes to, as one page.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use anyhow::bail;
use chrono::{DateTime, TimeDelta, Utc};
use parsec_measure::{ArchivedNode, NodeId, OperationKind};
use parsec_results::statistics::{self, Comparison, Sample};
use parsec_results::{Dimension, Group, Grouping};
use parsec_settings::{ReportConfig, ReportFormat, Side};
use parsec_show::chart::Times;
use parsec_show::compared::{Pair, Pairs};
use parsec_show::report::{Measurements, report};
use parsec_show::words;
use parsec_store::Selection;

use crate::kept::Place;
use crate::measured::{Reader, selected, used};
use parsec_output as output;

/// What a report is about unless it is told otherwise: a week.
const PERIOD: TimeDelta = TimeDelta::days(7);

/// Writes a report.
///
/// # Errors
/// Says in one sentence why there is no answer.
pub async fn run(config: ReportConfig, version: &str) -> anyhow::Result<ExitCode> {
    let place = config.output.as_deref().map(|path| Place::at(path, "--output")).transpose()?;
    let reader = Reader::open(&config.database).await?;
    let now = Utc::now();
    let selection = selected(&config.selection, &Side::default(), now)?;
    let until = selection.until.unwrap_or(now);
    let since = selection.since.unwrap_or(until - PERIOD);
    let selection = Selection { since: Some(since), until: Some(until), ..selection };
    let measured = measurements(&config, &reader, selection, (now, version)).await?;
    let report = report(&measured);
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
    reader: &Reader,
    selection: Selection,
    (made, version): (DateTime<Utc>, &str),
) -> anyhow::Result<Measurements> {
    let (Some(since), Some(until)) = (selection.since, selection.until) else { bail!("a report is about a period") };
    let by = [&[Dimension::Fleet][..], &[Dimension::Fleet, Dimension::Region], &[Dimension::Fleet, Dimension::Day]];
    let mut groupings = by.map(|by| Grouping::new(by.to_vec(), reader.nodes.clone()));
    let mut measured = BTreeSet::new();
    reader
        .each(&selection, |operation| {
            measured.insert(operation.node);
            groupings.iter_mut().for_each(|grouping| grouping.add(operation));
        })
        .await?;
    let [(by_fleet, looked), (by_region, _), (by_day, _)] = groupings.map(Grouping::finish);
    let used = used(&selection, looked);
    if by_fleet.is_empty() {
        bail!("no measurement is recorded: {used}");
    }
    let period_before = Selection { since: Some(since - (until - since)), until: Some(since), ..selection.clone() };
    let mut grouping = Grouping::new(vec![Dimension::Fleet], reader.nodes.clone());
    reader.each(&period_before, |operation| grouping.add(operation)).await?;
    let (before, _) = grouping.finish();
    let margin = config.margin.get();
    let (fleets, before) = compared(&by_fleet, &before, margin);
    Ok(Measurements {
        since,
        until,
        made,
        version: version.to_owned(),
        used: vec![format!("{}: {used}.", config.database.target()?)],
        servers: servers(&measured, &reader.nodes),
        rounds: reader.rounds(&selection).await?,
        by_fleet,
        by_region,
        by_day,
        fleets,
        before,
        times: if config.log_axis { Times::ByDecades } else { Times::FromZero },
    })
}

/// How many servers measured, by fleet and region.
fn servers(measured: &BTreeSet<NodeId>, nodes: &BTreeMap<NodeId, ArchivedNode>) -> BTreeMap<(String, String), usize> {
    let mut servers = BTreeMap::new();
    for node in measured.iter().filter_map(|id| nodes.get(id)) {
        *servers.entry((node.fleet.clone(), node.region.clone())).or_default() += 1;
    }
    servers
}

/// Something that is compared: is `b` another than `a`?
struct Question {
    /// What both have in common.
    common: String,
    kind: OperationKind,
    a: Sample,
    b: Sample,
}

/// Every fleet against the first, and every fleet against itself in the period before: all at once, so that the number of questions is
/// accounted for.
fn compared(now: &[Group], before: &[Group], margin: f64) -> (Vec<Pairs>, Option<Pairs>) {
    let sample = |groups: &[Group], fleet: &str, kind: OperationKind| {
        groups.iter().find(|group| group.common[0] == fleet && group.kind == kind).map(|group| group.sample.clone())
    };
    let fleets: Vec<&String> = now.iter().map(|group| &group.common[0]).collect::<BTreeSet<_>>().into_iter().collect();
    let questions = |common: &str, a: (&[Group], &str), b: (&[Group], &str)| -> Vec<Question> {
        let both = |kind| Some((sample(a.0, a.1, kind)?, sample(b.0, b.1, kind)?));
        let question = |kind| both(kind).map(|(a, b)| Question { common: common.to_owned(), kind, a, b });
        [OperationKind::Provide, OperationKind::Retrieve].into_iter().filter_map(question).collect()
    };
    let first = fleets.first().map_or("", |fleet| fleet.as_str());
    let others =
        fleets.iter().skip(1).map(|other| ((first, other.as_str()), questions("", (now, first), (now, other))));
    let earlier = fleets.iter().flat_map(|fleet| questions(fleet, (before, fleet), (now, fleet))).collect();
    let mut answered = answer(others.chain([(("before", "now"), earlier)]).collect(), margin);
    let before = answered.pop().filter(|pairs| !pairs.pairs.is_empty());
    (answered, before)
}

/// The answers to all questions, which belong together by the names of their sides.
fn answer(asked: Vec<((&str, &str), Vec<Question>)>, margin: f64) -> Vec<Pairs> {
    let sides: Vec<_> = asked.iter().flat_map(|(_, questions)| questions).map(|asked| (&asked.a, &asked.b)).collect();
    let mut answers = statistics::compare(&sides, Comparison { margin, ..Comparison::default() }).into_iter();
    let mut pair = |Question { common, kind, a, b }| {
        let compared = answers.next().expect("each question has an answer").map_err(|error| error.to_string());
        let samples = (a.in_strata_of(&b), b.in_strata_of(&a));
        let due = |sample: &Sample| sample.counts().due;
        let left_out = due(&a) + due(&b) - due(&samples.0) - due(&samples.1);
        Pair { common, kind, samples, left_out, compared }
    };
    let named = |((a, b), questions): ((&str, &str), Vec<Question>)| Pairs {
        names: (a.to_owned(), b.to_owned()),
        pairs: questions.into_iter().map(&mut pair).collect(),
    };
    asked.into_iter().map(named).collect()
}
