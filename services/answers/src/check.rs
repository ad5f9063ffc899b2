//! `parsec check`: whether measurements keep limits, for CI.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use chrono::Utc;
use parsec_results::check::{Asked, Gathering, Judgement, LABELS, Subject, Threshold, judge};
use parsec_results::statistics::Comparison;
use parsec_results::{Dimension, Grouping};
use parsec_settings::{CheckConfig, Side};
use parsec_show::checked::Checked;
use parsec_show::compared::Pairs;
use parsec_show::selected::without;
use parsec_store::Selection;

use crate::Unanswerable;
use crate::kept;
use crate::measured::{Reader, Used, selected, settled, told, used};
use crate::results::{Named, conditions, of_run, paired};
use crate::written::{Written, without_rows, written};
use parsec_output as output;

/// A limit is crossed. As of k6, so that scripts need not learn another code.
const CROSSED: u8 = 99;

/// No limit is crossed, and of some nobody can say.
const INCONCLUSIVE: u8 = 3;

/// Checks the limits. The exit code says what became of them.
///
/// # Errors
/// Says in one sentence why there is no answer.
pub async fn run(config: CheckConfig) -> anyhow::Result<ExitCode> {
    let junit = config.junit.as_deref().map(|path| kept::Place::at(path, "--junit")).transpose()?;
    let reader = match &config.file {
        Some(path) => Reader::of_file(path)?,
        None => Reader::open(&config.database).await?,
    };
    let now = Utc::now();
    let asked = selected(&config.selection, &Side::default(), now)?;
    let selection = if reader.run().is_some() { asked.clone() } else { settled(&asked, now) };
    let limits = &config.limits.0;
    let Measured { subjects, fleets, mut remark } =
        measured(limits, &reader, (&asked, &selection), config.baseline.is_some()).await?;
    if let (Some(run), Some(path)) = (reader.run(), &config.file) {
        remark += &format!(" {}", of_run(run, path));
    }
    let baseline = match &config.baseline {
        Some(path) => Some(Baseline::read(&config, path, (reader, fleets), &selection).await?),
        None => None,
    };
    let asked: Vec<_> = (limits.iter().zip(&subjects).enumerate())
        .map(|(at, (threshold, subject))| {
            let baseline = baseline.as_ref().and_then(|baseline| baseline.subjects[at].as_ref());
            Asked { threshold, subject, baseline: baseline.map(|baseline| &baseline.sample) }
        })
        .collect();
    let checked = Checked { limits: judge(&asked) };
    checked.mixed().iter().for_each(|line| output::note(line));
    print(&config, &checked, &remark, baseline.as_ref())?;
    if let Some(junit) = junit {
        junit.write(&checked.junit())?;
    }
    Ok(match checked.judgement() {
        Judgement::Passed => ExitCode::SUCCESS,
        Judgement::Crossed => CROSSED.into(),
        Judgement::Inconclusive => INCONCLUSIVE.into(),
    })
}

fn print(config: &CheckConfig, checked: &Checked, remark: &str, baseline: Option<&Baseline>) -> anyhow::Result<()> {
    let (against, said) = baseline.map_or((None, ""), |baseline| (Some(&baseline.pairs), &baseline.remark));
    let beside = |checked: String, pairs: fn(&Pairs) -> String| match against {
        Some(against) => format!("{checked}\n\n{}", pairs(against)),
        None => checked,
    };
    let forms = Written {
        text: &|| beside(checked.text(), Pairs::text),
        markdown: &|| beside(checked.markdown(), Pairs::markdown),
        csv: &String::new,
        json: &|| checked.document(),
    };
    written(without_rows(config.format), &format!("{remark}{said}"), &forms)?;
    if config.annotations {
        checked.annotations().iter().for_each(|line| output::note(line));
    }
    Ok(())
}

/// What was measured, read at one go.
struct Measured {
    /// What each limit is about.
    subjects: Vec<Subject>,
    /// Each fleet and kind, to be shown beside a baseline.
    fleets: Named,
    /// Which rows those are out of.
    remark: String,
}

async fn measured(
    limits: &[Threshold],
    reader: &Reader,
    (asked, selection): (&Selection, &Selection),
    beside: bool,
) -> anyhow::Result<Measured> {
    let (gathering, fleets, unread) = read(limits, reader, selection, beside).await?;
    let there: Vec<_> = LABELS
        .into_iter()
        .map(|label| {
            let values: Vec<_> = gathering.values(label).into_iter().map(str::to_owned).collect();
            format!("{} {}", label.as_str(), if values.is_empty() { "none".to_owned() } else { values.join(", ") })
        })
        .collect();
    let (subjects, looked) = gathering.finish();
    let subject = |(limit, subject): (&Threshold, Option<Subject>)| {
        let nothing = || {
            let there = there.join("; ");
            Unanswerable(format!(
                "--fail-if `{limit}`: no attempt like this was measured {}{}; measured were: {there}",
                told(asked),
                without(unread)
            ))
        };
        subject.ok_or_else(nothing)
    };
    let subjects = limits.iter().zip(subjects).map(subject).collect::<Result<_, _>>()?;
    // The settings of a kept run say it themselves.
    let ground = if reader.run().is_some() { String::new() } else { reader.ground(selection)?.line() };
    Ok(Measured { subjects, fleets, remark: format!("{}{ground}", used(asked, Used { looked, unread })) })
}

/// What each limit is about and, if there is something beside which to show them, each fleet and kind; and how many rows cannot be read.
async fn read(
    limits: &[Threshold],
    reader: &Reader,
    selection: &Selection,
    beside: bool,
) -> anyhow::Result<(Gathering, Named, usize)> {
    let metrics = limits.iter().map(|limit| limit.metric.clone()).collect();
    let mut gathering = Gathering::new(metrics, reader.nodes.clone());
    let mut fleets = Grouping::new(vec![Dimension::Fleet], reader.nodes.clone());
    let each = |operation: &_| {
        gathering.add(operation);
        if beside {
            fleets.add(operation);
        }
    };
    let unread = reader.each(selection, each).await?;
    let (groups, _) = fleets.finish();
    let named = groups.into_iter().map(|group| ((group.common, group.kind), group.sample)).collect();
    Ok((gathering, named, unread))
}

/// What the measurements are compared with.
struct Baseline {
    /// What each limit is about, if it is there.
    subjects: Vec<Option<Subject>>,
    /// Each fleet and kind beside its like.
    pairs: Pairs,
    /// What to say of it.
    remark: String,
}

impl Baseline {
    async fn read(
        config: &CheckConfig,
        path: &Path,
        (reader, fleets): (Reader, Named),
        selection: &Selection,
    ) -> anyhow::Result<Self> {
        let base = Reader::of_file(path)?;
        let readers = [base, reader];
        let [base, reader] = &readers;
        base.ground(&Selection::default())?.same(&reader.ground(selection)?)?;
        let unlike = match (base.run(), reader.run()) {
            (Some(_), Some(_)) => conditions(&readers),
            _ => Some("It is not known under which configuration the database was measured.".to_owned()),
        };
        let comparable = base.run().zip(reader.run()).is_some_and(|(a, b)| a.differences(b).is_empty());
        if let (false, false, Some(why)) = (comparable, config.other_configuration, &unlike) {
            let why = why.trim_end_matches('.');
            return Err(
                Unanswerable(format!("--baseline {}: {why}; --other-configuration allows it", path.display())).into()
            );
        }
        // What the baseline measured, it measured at another time.
        let earlier = Selection { since: None, until: None, ..selection.clone() };
        let limits = &config.limits.0;
        let (gathering, before, _) = self::read(limits, base, &earlier, true).await?;
        let (subjects, _) = gathering.finish();
        for (limit, subject) in limits.iter().zip(&subjects) {
            if limit.limit.needs_baseline() && subject.is_none() {
                return Err(Unanswerable(format!(
                    "--fail-if `{limit}`: the baseline {} has no attempt like this",
                    path.display()
                ))
                .into());
            }
        }
        let run = base.run().map(|run| of_run(run, path)).unwrap_or_default();
        let unlike = unlike.map(|unlike| format!("\n{unlike}")).unwrap_or_default();
        let pairs = pairs(path, [before, fleets]).context("baseline")?;
        Ok(Self { subjects, pairs, remark: format!("\nBaseline {run}{unlike}") })
    }
}

fn pairs(path: &Path, [base, now]: [Named; 2]) -> anyhow::Result<Pairs> {
    let name = path.file_name().map_or_else(|| "baseline".to_owned(), |name| name.to_string_lossy().into_owned());
    paired([name, "now".to_owned()], &[Dimension::Fleet], base, now, Comparison::default())
}
