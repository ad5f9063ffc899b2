//! `parsec results` and `parsec compare`: read the measurements, hand them to the statistics, show what comes of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;
use chrono::{DateTime, Utc};
use parsec_measure::{ArchivedCheck, ArchivedOperation, ArchivedPublication, OperationKind, Share};
use parsec_results::run::Run;
use parsec_results::statistics::{Comparison, Sample};
use parsec_results::{Dimension, Grouping, RecordGroup, Records};
use parsec_settings::{CompareConfig, Half, Place, ResultsConfig, Side};
use parsec_show::compared::{Pairs, pairs};
use parsec_show::failures;
use parsec_show::groups::Groups;
use parsec_show::selected::without;
use parsec_store::{Archive, Selection};

pub(crate) use crate::measured::{Reader, selected, told, used};
use crate::measured::{Source, Used, settled};
use crate::pages::Pages;
use crate::written::{Written, without_rows, written};
use parsec_output as output;

/// Shows what groups of measurements say.
///
/// # Errors
/// Says in one sentence why there is no answer.
pub async fn run(config: ResultsConfig) -> anyhow::Result<ExitCode> {
    let reader = Reader::open(&config.database).await?;
    let now = Utc::now();
    let asked = selected(&config.selection, &Side::default(), now)?;
    let selection = settled(&asked, now);
    let ground = reader.ground(&selection)?;
    let grouping = Grouping::new(config.by.clone(), reader.nodes.clone());
    let (groups, found) = reader.read(&selection, grouping).await?;
    let rounds = reader.rounds(&selection).await?;
    let records = match &reader.source {
        Source::Database(archive, _) => {
            let records = Records::new(config.by.clone(), reader.nodes.clone());
            self::records(archive.as_ref(), &selection, records).await?
        }
        Source::File(..) => vec![],
    };
    let groups = Groups { by: config.by.iter().map(|dimension| dimension.as_str()).collect(), groups, records };
    if groups.groups.is_empty() {
        bail!("no measurement is recorded {}{}", told(&asked), without(found.unread));
    }
    let remark = format!("{}\n{}{}", used(&asked, found), parsec_show::groups::rounds(&rounds), ground.line());
    let shown = |whole: fn(&Groups) -> String, failures: fn(&Groups) -> String| {
        if config.failures { failures(&groups) } else { whole(&groups) }
    };
    written(
        config.format,
        &remark,
        &Written {
            text: &|| shown(Groups::text, failures::text),
            markdown: &|| shown(Groups::markdown, failures::markdown),
            csv: &|| shown(Groups::csv, failures::csv),
            json: &|| if config.failures { failures::document(&groups) } else { groups.document() },
        },
    )
}

/// What became of the records of all selected publications.
pub(crate) async fn records(
    archive: &dyn Archive,
    selection: &Selection,
    mut records: Records,
) -> anyhow::Result<Vec<RecordGroup>> {
    let mut pages = Pages::new(|after| archive.publications(selection, after), |row: &ArchivedPublication| row.id);
    while let Some(page) = pages.next().await? {
        page.iter().for_each(|publication| records.add_publication(publication));
    }
    let mut pages = Pages::new(|after| archive.checks(selection, after), |row: &ArchivedCheck| row.id);
    while let Some(page) = pages.next().await? {
        page.iter().for_each(|check| records.add_check(check));
    }
    Ok(records.finish())
}

/// Compares two groups of measurements.
///
/// # Errors
/// Says in one sentence why there is no answer.
pub async fn compare(config: CompareConfig) -> anyhow::Result<ExitCode> {
    let now = Utc::now();
    let [a, b] = &config.halves;
    let readers = [open(&config, a).await?, open(&config, b).await?];
    same_schema(&readers).await?;
    let grounds = [(a, &readers[0]), (b, &readers[1])].map(|(half, reader)| {
        selected(&config.selection, &half.side, now).and_then(|selection| reader.ground(&selection))
    });
    let [ground_a, ground_b] = grounds;
    let (ground, other) = (ground_a?, ground_b?);
    ground.same(&other)?;
    let names = [name(a), name(b)];
    let (in_a, a_used) = half(&config, &readers[0], a, now).await?;
    let (in_b, b_used) = half(&config, &readers[1], b, now).await?;
    let how = Comparison {
        margin: config.margin.get(),
        success_margin: config.success_margin.get(),
        ..Comparison::default()
    };
    let pairs = paired(names, &by(&config), in_a, in_b, how)?;
    let percent = |share: Share| parsec_show::words::set_percent(share.get());
    let remark = format!(
        "a: {a_used}\nb: {b_used}{}{}\nIntervals: 95 %, by round. Equal: times within {}, success rates within {}.",
        conditions(&readers).map(|remark| format!("\n{remark}")).unwrap_or_default(),
        ground.line(),
        percent(config.margin),
        parsec_show::words::percentage_points(config.success_margin.get())
    );
    let forms = Written {
        text: &|| pairs.text(),
        markdown: &|| pairs.markdown(),
        csv: &String::new,
        json: &|| pairs.document(),
    };
    written(without_rows(config.format), &remark, &forms)
}

async fn open(config: &CompareConfig, half: &Half) -> anyhow::Result<Reader> {
    match &half.place {
        Place::Database => Reader::open(&config.database).await,
        Place::OtherDatabase(url) => Reader::of_database(url.expose().parse()?, config.database.wait_to_ask()).await,
        Place::File(path) => Reader::of_file(path),
    }
}

/// Two databases whose tables mean different things are not compared.
async fn same_schema([a, b]: &[Reader; 2]) -> anyhow::Result<()> {
    let (Source::Database(archive_a, target_a), Source::Database(archive_b, target_b)) = (&a.source, &b.source) else {
        return Ok(());
    };
    match (archive_a.schema_version().await?, archive_b.schema_version().await?) {
        (Some(a), Some(b)) if a != b => bail!(
            "database {target_a} has version {a} of the tables, and database {target_b} has version {b}: bring both up to date with \
             `parsec migrate` first"
        ),
        _ => Ok(()),
    }
}

/// What stands over a side's column.
fn name(Half { place, side }: &Half) -> String {
    let file = match place {
        Place::File(path) => path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        Place::Database | Place::OtherDatabase(_) => String::new(),
    };
    match (file.as_str(), side.name.as_str()) {
        ("", "") => "all".to_owned(),
        ("", name) => name.to_owned(),
        (file, "") => file.to_owned(),
        (file, name) => format!("{file}: {name}"),
    }
}

/// What a reader has to know of two runs that were not made under the same conditions.
pub(crate) fn conditions(readers: &[Reader; 2]) -> Option<String> {
    let (a, b) = (readers[0].run()?, readers[1].run()?);
    let differences: Vec<_> = a.differences(b).iter().map(|(name, a, b)| format!("{name} {a} and {b}")).collect();
    if !differences.is_empty() {
        return Some(format!("The two were measured under different configurations: {}.", differences.join(", ")));
    }
    let one_each = a.unit() == b.unit() && a.unit().as_str() == "operation";
    (a.command == "bench" && one_each && a.seed != b.seed).then(|| {
        format!(
            "The two were measured on one drawn network each (seeds {} and {}): what differs may be the networks.",
            a.seed, b.seed
        )
    })
}

/// Groups by what they have in common.
pub(crate) type Named = BTreeMap<(Vec<String>, OperationKind), Sample>;

/// Each group of one side with its like on the other; `by` is what groups are told apart by.
pub(crate) fn paired(
    [name_a, name_b]: [String; 2],
    by: &[Dimension],
    a: Named,
    mut b: Named,
    how: Comparison,
) -> anyhow::Result<Pairs> {
    let (mut both, mut alone) = (Vec::new(), Vec::new());
    for ((common, kind), a) in &a {
        match b.remove(&(common.clone(), *kind)) {
            Some(b) => both.push((common.join(" "), *kind, a, b)),
            None => alone.push(((common.clone(), *kind), &name_a)),
        }
    }
    alone.extend(b.into_keys().map(|name| (name, &name_b)));
    if both.is_empty() {
        bail!("the sides {name_a} and {name_b} have no group in common");
    }
    for ((common, kind), side) in alone {
        output::note(&format!("{} {kind}: only {side} has measured this; left out", common.join(" ")));
    }
    let asked = both.iter().map(|(common, kind, a, b)| (common.clone(), *kind, *a, b)).collect();
    let by = by.iter().map(|dimension| dimension.as_str()).collect::<Vec<_>>().join(" ");
    Ok(Pairs { names: (name_a.clone(), name_b.clone()), by, pairs: pairs(asked, how) })
}

/// What stands on one side of a comparison, and which rows that is.
async fn half(
    config: &CompareConfig,
    reader: &Reader,
    Half { place, side }: &Half,
    now: DateTime<Utc>,
) -> anyhow::Result<(Named, String)> {
    let selection = selected(&config.selection, side, now)?;
    let by = by(config);
    if let (Place::File(path), Some(run)) = (place, reader.run())
        && by.iter().any(|dimension| matches!(dimension, Dimension::Day | Dimension::Hour))
        && !run.has_times()
    {
        bail!("{}: a run on a clock of its own has no days and hours to compare by", path.display());
    }
    let grouping = Grouping::new(by, reader.nodes.clone());
    // Where regions are what is compared, they cannot be what is kept apart.
    let of_regions = config.halves.iter().any(|half| half.side.region.is_some());
    let mut grouping = if of_regions { grouping.across_regions() } else { grouping };
    let is_here = |operation: &ArchivedOperation| {
        let server = reader.nodes.get(&operation.node);
        side.servers().all(|(dimension, said)| dimension.of(server) == said)
    };
    let each = |operation: &_| {
        if is_here(operation) {
            grouping.add(operation);
        }
    };
    let unread = reader.each(&selection, each).await?;
    let (groups, looked) = grouping.finish();
    let of_servers: String = side.servers().map(|(dimension, said)| format!(", {dimension} {said}")).collect();
    if groups.is_empty() {
        let name = name(&Half { place: place.clone(), side: side.clone() });
        let without = without(unread);
        bail!(
            "no measurement is recorded {}{of_servers}{without}: nothing stands on the side {name}",
            told(&selection)
        );
    }
    let named = groups.into_iter().map(|group| ((group.common, group.kind), group.sample)).collect();
    let used = format!("{}{of_servers}", used(&selection, Used { looked, unread }));
    Ok((
        named,
        reader.run().zip(path(place)).map_or(used.clone(), |(run, path)| format!("{used} {}", of_run(run, path))),
    ))
}

fn path(place: &Place) -> Option<&Path> {
    match place {
        Place::File(path) => Some(path),
        Place::Database | Place::OtherDatabase(_) => None,
    }
}

/// Which run it is, in words.
pub(crate) fn of_run(run: &Run, path: &Path) -> String {
    let stopped = if run.complete { "" } else { ", stopped before its end" };
    let network = if run.is_simulated() { format!(", {}", run.network()) } else { String::new() };
    let (command, version, seed) = (&run.command, &run.version, run.seed);
    format!("of {} (`parsec {command}`{network}, version {version}, seed {seed}{stopped})", path.display())
}

/// Fleets are never mixed where nobody can have meant it: in files that hold several.
fn by(config: &CompareConfig) -> Vec<Dimension> {
    let files = config
        .halves
        .iter()
        .all(|half| matches!(half.place, Place::File(_)) && half.side.fleet.is_none() && half.side.strategy.is_none());
    config.by.clone().unwrap_or_else(|| if files { vec![Dimension::Fleet] } else { vec![] })
}
