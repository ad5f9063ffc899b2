//! golang-migrate itself, as the original's programs run it when they start, on databases that are ours too.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use futures::future::join_all;
use parsec_test_support::process::{Ended, Process};
use parsec_test_support::stage::Stage;
use parsec_test_support::{TestDatabase, database};
use tempfile::TempDir;

/// Where the repository is, seen from the package that these tests belong to.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// What says that everything is as the original leaves it.
const DONE: &str = "version 6, dirty false";

/// The Go program, built once. Go keeps what it compiled: the first time on a machine takes a minute, the others a second.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("golang-migrate");
        let mut build = Command::new("go");
        build.args(["build", "-buildvcs=false", "-o"]).arg(&program).arg(".");
        let built = build.current_dir(format!("{ROOT}/tests/interop/migrate")).output().expect("Go can be started");
        assert!(built.status.success(), "go build: {}", String::from_utf8_lossy(&built.stderr));
        program
    })
}

/// The original's migrations in a folder as golang-migrate expects it, `change`d.
fn migrations(change: impl Fn(&str, String) -> String) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let steps: Vec<_> =
        std::fs::read_dir(format!("{ROOT}/schema/postgres/upstream")).unwrap().map(Result::unwrap).collect();
    assert_eq!(steps.len(), 6);
    for step in steps {
        let name = step.file_name().into_string().unwrap();
        let sql = change(&name, std::fs::read_to_string(step.path()).unwrap());
        std::fs::write(folder.path().join(name.replace(".sql", ".up.sql")), sql).unwrap();
    }
    folder
}

/// A database, and those who migrate it.
struct Scene {
    stage: Stage,
    database: TestDatabase,
    folder: TempDir,
}

impl Scene {
    async fn begin() -> Self {
        Self::with(migrations(|_, sql| sql)).await
    }

    async fn with(folder: TempDir) -> Self {
        program();
        Self { stage: Stage::begin(), database: database().await, folder }
    }

    /// One of the original's programs that starts.
    fn theirs(&self, added: &[&str]) -> Process {
        self.golang_migrate("program", added)
    }

    fn golang_migrate(&self, how: &str, added: &[&str]) -> Process {
        let mut command = Command::new(program());
        command.arg(how).arg(self.folder.path()).arg(self.database.url()).args(added);
        Process::run(&self.stage, &[], command)
    }

    fn ours(&self) -> Process {
        Process::start(&self.stage, &["migrate", "--database-url", self.database.url()])
    }

    async fn stands_at(&self) -> Vec<(i64, bool)> {
        let rows =
            self.database.client().await.query("SELECT version, dirty FROM schema_migrations", &[]).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }
}

fn succeeded(ended: &Ended) -> String {
    assert_eq!(ended.code(), 0, "{}", ended.err);
    ended.out.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(has_go), ignore = "needs Go")]
async fn it_finds_nothing_to_do_in_a_database_that_we_made() {
    let scene = Scene::begin().await;
    succeeded(&scene.ours().end().await);
    assert_eq!(succeeded(&scene.theirs(&[]).end().await), format!("no change, {DONE}"));
    assert_eq!(scene.stands_at().await, [(6, false)]);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(has_go), ignore = "needs Go")]
async fn we_go_on_from_any_version_that_it_stopped_at_and_it_goes_on_from_ours() {
    for (steps, expected) in
        [("2", "from version 2 to version 6"), ("5", "from version 5 to version 6"), ("6", "version 6, as before")]
    {
        let scene = Scene::begin().await;
        succeeded(&scene.theirs(&[steps]).end().await);
        let said = succeeded(&scene.ours().end().await);
        assert!(said.contains(&format!("tables of the original: {expected}")), "{said}");
        assert_eq!(succeeded(&scene.theirs(&[]).end().await), format!("no change, {DONE}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(has_go), ignore = "needs Go")]
async fn programs_of_both_kinds_may_start_at_once_on_an_empty_database() {
    // The original's programs, and an operator with the command line of golang-migrate, who takes another lock than they.
    for how in ["program", "tool"] {
        let scene = Scene::begin().await;
        let started: Vec<_> =
            (0..4).flat_map(|_| [(true, scene.golang_migrate(how, &[])), (false, scene.ours())]).collect();
        let ended = started.into_iter().map(async |(is_theirs, process)| (is_theirs, process.end().await));
        for (is_theirs, ended) in join_all(ended).await {
            let said = succeeded(&ended);
            assert!(said.contains(if is_theirs { DONE } else { "tables of the original: " }), "{said}");
        }
        assert_eq!(scene.stands_at().await, [(6, false)]);
        let said = succeeded(&scene.ours().end().await);
        let is_as_before = |line: &str| line.contains("tables of its own: migration ") && line.ends_with(", as before");
        assert!(said.lines().any(is_as_before), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(has_go), ignore = "needs Go")]
async fn a_migration_of_its_own_that_failed_is_refused_with_what_to_do() {
    let broken = |name: &str, sql| if name.starts_with("3_") { "CREATE TABLE".to_owned() } else { sql };
    let scene = Scene::with(migrations(broken)).await;
    assert_eq!(scene.theirs(&[]).end().await.code(), 1);
    assert_eq!(scene.stands_at().await, [(3, true)]);
    let refused = scene.ours().end().await;
    assert_eq!((refused.code(), refused.out.len()), (1, 0));
    assert!(
        refused.err.contains("to version 3 was cut off") && refused.err.contains("SET dirty = false"),
        "{}",
        refused.err
    );
    assert_eq!(scene.stands_at().await, [(3, true)]);
}
