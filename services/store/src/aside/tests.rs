use chrono::Utc;
use parsec_measure::{Round, RoundId, SchedulerId};

use super::*;
use crate::spool::synced;

fn round() -> Row {
    let now = Utc::now();
    Row::Round(Round {
        id: RoundId::fresh(),
        scheduler: SchedulerId(1),
        fleets: "default".parse().unwrap(),
        provider: None,
        nodes_listed: 0,
        nodes_ready: 0,
        nodes_without_heartbeat: 0,
        skipped_before: 0,
        due: now,
        started: now,
        ended: None,
    })
}

fn refused(why: &str, in_part: bool) -> Refused {
    Refused { row: round(), why: why.to_owned(), in_part }
}

struct Scene {
    directory: tempfile::TempDir,
    database: StoreConfig,
}

impl Scene {
    fn new() -> Self {
        let database = "postgres://ann:secret@db/parsec".parse().unwrap();
        Self { directory: tempfile::tempdir().unwrap(), database }
    }

    fn file(&self) -> SetAside {
        SetAside::of(self.directory.path(), &self.database, 1 << 20)
    }

    fn report(&self) -> SetAsideReport {
        let [report] = &set_aside(self.directory.path()).unwrap()[..] else { panic!("not one file") };
        report.clone()
    }
}

/// Every row that is taken, and every line that cannot be read.
fn taken(aside: &mut Aside) -> (Vec<Row>, Vec<Vec<u8>>) {
    let (mut rows, mut unreadable) = (Vec::new(), Vec::new());
    loop {
        let (some, others) = aside.next(2).unwrap();
        if some.is_empty() && others.is_empty() {
            return (rows, unreadable);
        }
        rows.extend(some);
        unreadable.extend(others);
    }
}

#[test]
fn what_is_set_aside_is_listed_with_its_reasons_and_taken_as_it_was() {
    let scene = Scene::new();
    let rows =
        [refused("no right to \"traces\"", true), refused("node 7 is gone", false), refused("node 7 is gone", false)];
    scene.file().keep(&rows[..2]).unwrap();
    scene.file().keep(&rows[2..]).unwrap();
    let report = scene.report();
    assert_eq!((report.rows, report.in_part, report.unreadable, report.is_of(&scene.database)), (3, 1, 0, true));
    assert_eq!(report.database.as_deref(), Some("postgres://db:5432/parsec"));
    let reasons = [("no right to \"traces\"".to_owned(), 1), ("node 7 is gone".to_owned(), 2)];
    assert_eq!(report.reasons, reasons.into());

    let mut aside = scene.file().take().unwrap().unwrap();
    assert_eq!(taken(&mut aside).0, rows.map(|refused| refused.row));
    aside.done().unwrap();
    assert_eq!(set_aside(scene.directory.path()).unwrap(), []);
    assert!(scene.file().take().unwrap().is_none());
}

#[test]
fn rows_that_are_refused_during_a_replay_stay_and_a_replay_that_was_killed_loses_none() {
    let scene = Scene::new();
    let (first, second) = (refused("a", false), refused("b", false));
    scene.file().keep(std::slice::from_ref(&first)).unwrap();
    let aside = scene.file().take().unwrap().unwrap();
    let again = scene.file().take().unwrap_err().to_string();
    assert!(again.contains("another `parsec spool replay` is at work on it"), "{again}");
    scene.file().keep(std::slice::from_ref(&second)).unwrap();
    // It is killed.
    drop(aside);
    let mut aside = scene.file().take().unwrap().unwrap();
    assert_eq!(taken(&mut aside).0, [first.row, second.row]);
}

#[test]
fn a_line_that_was_not_finished_spoils_no_other_and_is_kept() {
    let scene = Scene::new();
    let file = scene.file();
    let rows = [refused("a", false), refused("b", false)];
    file.keep(&rows[..1]).unwrap();
    let half = "{\"database\":\"postgres";
    let mut bytes = fs::read(file.path()).unwrap();
    bytes.extend(half.as_bytes());
    fs::write(file.path(), bytes).unwrap();
    file.keep(&rows[1..]).unwrap();
    assert_eq!((scene.report().rows, scene.report().unreadable), (2, 1));
    let (read, unreadable) = taken(&mut file.take().unwrap().unwrap());
    assert_eq!((read, &unreadable[..]), (rows.map(|refused| refused.row).to_vec(), &[half.as_bytes().to_vec()][..]));
    file.put_back(&unreadable).unwrap();
    assert_eq!(fs::read_to_string(file.path()).unwrap(), format!("{half}\n"));
}

#[test]
fn bytes_that_are_no_text_cost_no_row() {
    let scene = Scene::new();
    let file = scene.file();
    let rows = [refused("a", false), refused("b", false)];
    file.keep(&rows[..1]).unwrap();
    let noise = b"{\"database\":\"\xff";
    fs::write(file.path(), [&fs::read(file.path()).unwrap(), &noise[..], b"\n"].concat()).unwrap();
    file.keep(&rows[1..]).unwrap();
    assert_eq!((scene.report().rows, scene.report().unreadable), (2, 1));
    let (read, unreadable) = taken(&mut file.take().unwrap().unwrap());
    assert_eq!((read, &unreadable[..]), (rows.map(|refused| refused.row).to_vec(), &[noise.to_vec()][..]));
    file.put_back(&unreadable).unwrap();
    assert_eq!(fs::read(file.path()).unwrap(), [&noise[..], b"\n"].concat());
}

#[test]
fn a_replay_that_was_killed_while_it_took_the_file_spoils_no_row() {
    let scene = Scene::new();
    let file = scene.file();
    file.keep(&[refused("a", false)]).unwrap();
    let whole = fs::read(file.path()).unwrap();
    let half = &whole[..whole.len() / 2];
    fs::write(&file.taken, half).unwrap();
    let (read, unreadable) = taken(&mut file.take().unwrap().unwrap());
    assert_eq!((read.len(), &unreadable[..]), (1, &[half.to_vec()][..]));
}

#[test]
fn a_file_has_its_name_on_disk_before_rows_count_as_kept_and_before_the_one_they_came_from_is_removed() {
    let scene = Scene::new();
    let file = scene.file();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    synced::take();
    file.keep(&[refused("a", false)]).unwrap();
    assert_eq!(synced::take(), [[name(&file.path)]]);
    file.keep(&[refused("b", false)]).unwrap();
    assert!(synced::take().is_empty(), "it has its name");
    file.take().unwrap();
    assert_eq!(synced::take(), [[name(&file.path), name(&file.taken)]]);
}

#[test]
fn the_file_takes_no_more_than_it_may_and_each_database_has_its_own() {
    let scene = Scene::new();
    let file = SetAside::of(scene.directory.path(), &scene.database, 1_000);
    file.keep(&[refused("a", false)]).unwrap();
    let full = file.keep(&[refused(&"long".repeat(300), false)]).unwrap_err();
    assert!(full.is_full(), "{full}");
    assert_eq!(scene.report().rows, 1);
    let other = "postgres://ann:secret@db/other".parse().unwrap();
    assert_ne!(SetAside::of(scene.directory.path(), &other, 1_000).path(), file.path());
}
