//! `parsec check`: whether measurements keep limits, for CI.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use chrono::Utc;
use parsec_results::check::{Against, Gathering, Judgement, LABELS, Threshold, judge};
use parsec_results::statistics::{Comparison, Sample};
use parsec_results::{Dimension, Grouping};
use parsec_settings::{CheckConfig, CompareFormat, Side};
use parsec_show::checked::Checked;
use parsec_store::Selection;

use crate::Unanswerable;
use crate::kept;
use crate::measured::{Reader, selected, settled, told, used};
use crate::results::{Named, conditions, of_run, paired, same_ground};
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
    let selection = if reader.run().is_some() { asked } else { settled(&asked, now) };
    let limits = &config.limits.0;
    let (samples, mut remark) = gathered(limits, &reader, &selection).await?;
    remark = match (reader.run(), &config.file) {
        (Some(run), Some(path)) => format!("{remark} {}", of_run(run, path)),
        _ => remark,
    };
    let baseline = match &config.baseline {
        Some(path) => Some(Baseline::read(&config, path, reader, &selection).await?),
        None => None,
    };
    let judged = limits.iter().zip(&samples).enumerate().map(|(at, (limit, sample))| {
        let against = baseline.as_ref().and_then(|baseline| baseline.samples[at].as_ref());
        judge(limit, sample, against.map_or(Against::Nothing, Against::Baseline))
    });
    let checked = Checked { limits: judged.collect() };
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
    let remark = format!("{remark}{said}");
    match config.format {
        CompareFormat::Text => {
            let pairs = against.map(|pairs| format!("\n\n{}", pairs.text())).unwrap_or_default();
            output::line(&format!("{}{pairs}\n\n{remark}", checked.text()))?;
        }
        CompareFormat::Markdown => {
            let pairs = against.map(|pairs| format!("\n\n{}", pairs.markdown())).unwrap_or_default();
            output::line(&format!("{}{pairs}\n\n{remark}", checked.markdown()))?;
        }
        CompareFormat::Json => {
            output::note(&remark);
            output::line(&parsec_show::json(&checked.document()))?;
        }
    }
    if config.annotations {
        checked.annotations().iter().for_each(|line| output::note(line));
    }
    Ok(())
}

/// The attempts that each limit is about, and which rows those are out of.
async fn gathered(
    limits: &[Threshold],
    reader: &Reader,
    selection: &Selection,
) -> anyhow::Result<(Vec<Sample>, String)> {
    let metrics = limits.iter().map(|limit| limit.metric.clone()).collect();
    let mut gathering = Gathering::new(metrics, reader.nodes.clone());
    reader.each(selection, |operation| gathering.add(operation)).await?;
    let there: Vec<_> = LABELS
        .into_iter()
        .map(|label| {
            let values: Vec<_> = gathering.values(label).into_iter().map(str::to_owned).collect();
            format!("{} {}", label.as_str(), if values.is_empty() { "none".to_owned() } else { values.join(", ") })
        })
        .collect();
    let (samples, looked) = gathering.finish();
    let sample = |(limit, sample): (&Threshold, Option<Sample>)| {
        let nothing = || {
            let there = there.join("; ");
            Unanswerable(format!(
                "--fail-if `{limit}`: no attempt like this was measured {}; measured were: {there}",
                told(selection)
            ))
        };
        sample.ok_or_else(nothing)
    };
    let samples = limits.iter().zip(samples).map(sample).collect::<Result<_, _>>()?;
    Ok((samples, used(selection, looked)))
}

/// What the measurements are compared with.
struct Baseline {
    /// What each limit is about, if it is there.
    samples: Vec<Option<Sample>>,
    /// Each fleet and kind beside its like.
    pairs: parsec_show::compared::Pairs,
    /// What to say of it.
    remark: String,
}

impl Baseline {
    async fn read(config: &CheckConfig, path: &Path, reader: Reader, selection: &Selection) -> anyhow::Result<Self> {
        let base = Reader::of_file(path)?;
        let readers = [base, reader];
        same_ground(&readers)?;
        let [base, reader] = &readers;
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
        let mut gathering =
            Gathering::new(limits.iter().map(|limit| limit.metric.clone()).collect(), base.nodes.clone());
        base.each(&earlier, |operation| gathering.add(operation)).await?;
        let (samples, _) = gathering.finish();
        for (limit, sample) in limits.iter().zip(&samples) {
            if limit.limit.needs_baseline() && sample.is_none() {
                return Err(Unanswerable(format!(
                    "--fail-if `{limit}`: the baseline {} has no attempt like this",
                    path.display()
                ))
                .into());
            }
        }
        let run = base.run().map(|run| of_run(run, path)).unwrap_or_default();
        let unlike = unlike.map(|unlike| format!("\n{unlike}")).unwrap_or_default();
        let named = [named(base, &earlier).await?, named(reader, selection).await?];
        let pairs = pairs(path, named).context("baseline")?;
        Ok(Self { samples, pairs, remark: format!("\nBaseline {run}{unlike}") })
    }
}

/// Each fleet and kind.
async fn named(reader: &Reader, selection: &Selection) -> anyhow::Result<Named> {
    let (groups, _) = reader.read(selection, Grouping::new(vec![Dimension::Fleet], reader.nodes.clone())).await?;
    Ok(groups.into_iter().map(|group| ((group.common, group.kind), group.sample)).collect())
}

fn pairs(path: &Path, [base, now]: [Named; 2]) -> anyhow::Result<parsec_show::compared::Pairs> {
    let name = path.file_name().map_or_else(|| "baseline".to_owned(), |name| name.to_string_lossy().into_owned());
    paired([name, "now".to_owned()], base, now, Comparison::default())
}
