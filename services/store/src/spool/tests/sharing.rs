use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;

use super::support::*;
use crate::spool::slot::Identity;
use crate::spool::*;
use crate::{SslMode, StoreConfig};

fn postgres(host: &str, name: &str) -> StoreConfig {
    StoreConfig::Postgres {
        host: host.to_owned(),
        port: 5432,
        name: name.to_owned(),
        user: "ann".to_owned(),
        password: "geheim".to_owned().into(),
        ssl: SslMode::Disable,
        root_cert: None,
    }
}

/// All files below a directory, with their content.
fn content(directory: &Path) -> BTreeMap<std::path::PathBuf, Vec<u8>> {
    let mut content = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            content.extend(self::content(&path));
        } else {
            content.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    content
}

#[test]
fn processes_that_run_side_by_side_have_a_slot_each() {
    let place = Place::new();
    let (mut first, _) = place.open();
    let (mut second, recovered) = place.open();
    assert!(recovered.is_empty());
    first.push(&rows(0..1)).unwrap();
    second.push(&rows(1..2)).unwrap();
    drop(second);
    let (mut second, recovered) = place.open();
    assert_eq!((recovered.rows, recovered.adopted), (1, vec![]), "what is in use is left alone");
    assert_eq!((drain(&mut first), drain(&mut second)), (rows(0..1), rows(1..2)));
}

#[test]
fn rows_of_processes_that_are_gone_are_taken_over_by_the_next() {
    let place = Place::new();
    let (mut first, _) = place.open();
    let (mut second, _) = place.open_with(WIDE, NOON - 50);
    let (mut third, _) = place.open();
    first.push(&rows(0..2)).unwrap();
    second.push(&rows(2..3)).unwrap();
    second.push(&rows(3..5)).unwrap();
    second.announce(&round(8), &[announced(9, 8)], &[]).unwrap();
    third.push(&rows(5..6)).unwrap();
    drop((first, second));

    let (mut spool, recovered) = place.open();
    let name = place.slot(1).file_name().unwrap().to_string_lossy().into_owned();
    let adopted = vec![Adopted { slot: name.clone(), rows: 5, left: None }];
    assert_eq!(recovered, Recovered { rows: 7, cut_off: 2, adopted, ..Recovered::default() });
    let line = format!(
        "7 rows wait, 2 of them of rounds that were cut off; 5 rows came from {name}, which no running process uses"
    );
    assert_eq!(recovered.to_string(), line);
    let found = drain(&mut spool);
    assert_eq!(found[..5], rows(0..5));
    assert!(matches!(&found[5..], [Row::Round(_), Row::Attempt(lost)] if lost.id == announced(9, 8).id), "{found:?}");
    drop((spool, third));
    let (mut spool, recovered) = place.open();
    assert_eq!((recovered.rows, recovered.adopted.len()), (1, 1));
    assert_eq!(drain(&mut spool), rows(5..6));
    drop(spool);
    assert!(place.open().1.is_empty());
}

#[test]
fn rows_that_are_taken_over_are_as_old_as_they_were() {
    let place = Place::new();
    let (first, _) = place.open();
    let (mut second, _) = place.open();
    second.push(&rows(0..1)).unwrap();
    drop((first, second));
    let (spool, _) = place.open_with(WIDE, NOON + 70);
    assert_eq!(spool.state().oldest, Some(Duration::from_secs(70)));
}

#[test]
fn what_does_not_fit_stays_where_it_was() {
    let place = Place::new();
    let (first, _) = place.open();
    let (mut second, _) = place.open();
    for id in 0..8 {
        second.push(&rows(id * 1_000..(id + 1) * 1_000)).unwrap();
    }
    drop((first, second));
    let small = SpoolLimits { bytes: 1 << 20, ..WIDE };
    let (mut spool, recovered) = place.open_with(small, NOON);
    let [Adopted { rows: moved, left: Some(left), .. }] = &recovered.adopted[..] else { panic!("{recovered}") };
    assert!(left.is_full() && recovered.is_bad() && *moved >= 1_000, "{recovered}");
    assert_eq!(recovered.rows, *moved);
    let mut found = drain(&mut spool);
    drop(spool);
    let (mut spool, _) = place.open();
    found.extend(drain(&mut spool));
    assert_eq!(found, rows(0..8_000), "each once, in order");
}

#[test]
fn a_slot_that_was_moved_by_half_is_offered_twice_rather_than_not_at_all() {
    let place = Place::new();
    let (first, _) = place.open();
    let (mut second, _) = place.open();
    second.push(&rows(0..3)).unwrap();
    drop((first, second));
    let before = content(&place.slot(1));
    drop(place.open());
    // The process died before it could note what it had moved.
    fs::remove_file(place.slot(1).join("acknowledged")).unwrap();
    for (path, bytes) in before {
        fs::write(path, bytes).unwrap();
    }
    let (mut spool, recovered) = place.open();
    assert_eq!(recovered.rows, 6);
    assert_eq!(drain(&mut spool), [rows(0..3), rows(0..3)].concat());
}

#[test]
fn each_database_has_slots_of_its_own_whoever_connects_to_it() {
    let place = Place::new();
    let open = |database: &StoreConfig| Spool::open(place.path(), database, WIDE).unwrap();
    let (mut spool, _) = open(&postgres("db", "one"));
    spool.push(&rows(0..1)).unwrap();
    drop(spool);
    for other in [postgres("db", "two"), postgres("db2", "one"), place.database()] {
        assert!(open(&other).1.is_empty());
    }
    let StoreConfig::Postgres { host, port, name, root_cert, .. } = postgres("db", "one") else { unreachable!() };
    let (user, password, ssl) = ("bob".to_owned(), "secret".to_owned().into(), SslMode::Require);
    let (_, recovered) = open(&StoreConfig::Postgres { host, port, name, user, password, ssl, root_cert });
    assert_eq!(recovered.rows, 1);
    let written = format!(
        "{:?}",
        content(place.path())
            .into_iter()
            .map(|(path, bytes)| (path, String::from_utf8_lossy(&bytes).into_owned()))
            .collect::<Vec<_>>()
    );
    assert!(!written.contains("geheim") && !written.contains("ann@"), "{written}");
}

#[test]
fn a_name_of_a_database_makes_a_name_of_a_directory_and_never_a_path() {
    for name in ["../../etc", "a/b", "", "ünïcode", &"x".repeat(300)] {
        let slot = Identity::of(&postgres("/run/postgresql", name)).slot(Path::new("/spool"), 0);
        assert_eq!(slot.parent(), Some(Path::new("/spool")));
        let slug = slot.file_name().unwrap().to_str().unwrap();
        assert!(slug.len() < 100 && slug.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b)), "{slug}");
    }
}

#[test]
fn a_file_is_one_database_by_whatever_path() {
    let place = Place::new();
    let link = place.path().join("link");
    symlink(place.path(), &link).unwrap();
    let file = |path| Identity::of(&StoreConfig::Sqlite { path });
    let direct = file(place.path().join("parsec.db"));
    assert_eq!(file(link.join("parsec.db")), direct, "before it is there");
    fs::write(place.path().join("parsec.db"), "").unwrap();
    assert_eq!(file(link.join("../").join(place.path().file_name().unwrap()).join("parsec.db")), direct);
    assert_ne!(file(place.path().join("other.db")), direct);
}

#[test]
fn a_slot_says_by_its_name_whose_it_is_and_what_is_written_there_is_put_right() {
    let place = Place::new();
    let (mut spool, _) = place.open();
    spool.push(&rows(0..1)).unwrap();
    drop(spool);
    let path = place.slot(0).join("database");
    let written = fs::read(&path).unwrap();
    for at in 0..written.len() {
        let mut damaged = written.clone();
        damaged[at] ^= 0x80;
        fs::write(&path, damaged).unwrap();
        let seen = &inspect(place.path(), SpoolDepth::Rows).unwrap()[0];
        assert!(seen.database.is_none() && seen.is_of(&place.database()), "{seen:?}");
        assert_eq!(place.open().1.rows, 1);
        assert_eq!(fs::read(&path).unwrap(), written);
    }
}

#[test]
fn what_a_process_leaves_that_dies_later_is_taken_over_by_those_that_run() {
    let place = Place::new();
    let (mut first, _) = place.open();
    let (mut second, _) = place.open();
    second.push(&rows(0..MOVED_PER_TURN as u128 + 5)).unwrap();
    second.announce(&round(8), &[announced(9, 8)], &[]).unwrap();
    assert_eq!(first.look_after(), Ok(Recovered::default()), "it runs");
    drop(second);
    let found = first.look_after().unwrap();
    let (moved, left) = (found.adopted[0].rows, &found.adopted[0].left);
    assert!((MOVED_PER_TURN..MOVED_PER_TURN + MOVED_ROWS).contains(&moved) && left.is_none(), "a part at a time");
    assert_eq!(found.cut_off, 2);
    let mut more = first.look_after().unwrap();
    while !more.is_empty() {
        more = first.look_after().unwrap();
    }
    let found = drain(&mut first);
    assert_eq!((found.len(), &found[..9_000]), (MOVED_PER_TURN + 7, &rows(0..9_000)[..]));
    assert_eq!(inspect(place.path(), SpoolDepth::Frames).unwrap().iter().map(|slot| slot.rows).sum::<usize>(), 0);
}

#[test]
fn looking_at_a_spool_changes_nothing_and_tells_who_uses_what() {
    let place = Place::new();
    assert_eq!(inspect(&place.path().join("nowhere"), SpoolDepth::Rows), Ok(vec![]));
    let (mut first, _) = place.open();
    first.push(&rows(0..2)).unwrap();
    first.announce(&round(1), &[announced(2, 1)], &[]).unwrap();
    let (second, _) = place.open();
    drop(second);
    fs::create_dir(place.path().join("no-slot")).unwrap();
    let before = content(place.path());
    for depth in [SpoolDepth::Frames, SpoolDepth::Rows] {
        let seen = inspect(place.path(), depth).unwrap();
        let [used, free] = &seen[..] else { panic!("{seen:?}") };
        assert_eq!(
            (used.path.as_path(), used.used, used.rows, used.open_rounds),
            (place.slot(0).as_path(), true, 2, 1)
        );
        assert!(used.is_of(&place.database()) && !used.is_of(&postgres("db", "one")));
        assert!(used.bytes >= first.state().bytes && used.damage.is_empty() && !used.is_abandoned());
        assert_eq!((free.used, free.rows, free.oldest), (false, 0, None));
    }
    assert_eq!(content(place.path()), before);
    drop(first);
    let seen = inspect(place.path(), SpoolDepth::Frames).unwrap();
    assert!(seen[0].is_abandoned() && !seen[1].is_abandoned());
}

#[test]
fn looking_finds_what_a_start_would_cut_off_or_set_aside() {
    let place = Place::new();
    let (mut spool, _) = place.open();
    spool.push(&rows(0..1)).unwrap();
    spool.push(&rows(1..2)).unwrap();
    spool.push(&rows(2..3)).unwrap();
    drop(spool);
    let file = place.files().remove(0);
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bytes.extend(b"half a frame");
    fs::write(&file, bytes).unwrap();
    let seen = &inspect(place.path(), SpoolDepth::Frames).unwrap()[0];
    assert_eq!((seen.rows, seen.torn_bytes, seen.damage.len()), (2, 12, 1));
    assert_eq!((seen.lost, seen.damage[0].rows), (1, 1));
    let (mut spool, _) = place.open();
    assert_eq!(drain_damaged(&mut spool).1, 1);
    drop(spool);
    let seen = &inspect(place.path(), SpoolDepth::Frames).unwrap()[0];
    assert_eq!((seen.rows, seen.lost, seen.damage.len()), (0, 0, 1));
    assert_eq!(seen.damage[0].what, "it was set aside; remove it if it cannot be repaired");
}
