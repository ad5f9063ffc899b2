//! Notes what the binary is built from: the commit, and the versions of the crates that matter to a measurement. For the
//! tests it notes which programs of other people this machine has.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Crates whose version can change what is measured.
const CRATES: [&str; 8] =
    ["actix", "actix-web", "diesel", "libp2p", "libp2p-kad", "libp2p-quic", "libp2p-tcp", "tokio"];

/// What tests may need of this machine, with the name of the `cfg` that says it is there.
const PROGRAMS: [(&str, &str); 12] = [
    ("chromedriver", "has_chromedriver"),
    ("chromium", "has_chromium"),
    ("docker-compose", "has_docker_compose"),
    ("faketime", "has_faketime"),
    ("go", "has_go"),
    ("kubectl", "has_kubectl"),
    ("node", "has_node"),
    ("pgbouncer", "has_pgbouncer"),
    ("prometheus", "has_prometheus"),
    ("promtool", "has_promtool"),
    ("systemd-analyze", "has_systemd_analyze"),
    ("terraform", "has_terraform"),
];

/// Rules of accessibility that a browser is asked about: `.ci/run` puts them there.
const AXE: &str = "../../target/tools/axe-core/axe.min.js";

fn main() {
    let workspace = Path::new("../..");
    let lock = workspace.join("Cargo.lock");
    println!("cargo:rerun-if-changed={}", lock.display());
    // Cargo takes a watched file that is missing for changed, each time: what is watched has to be there.
    for file in ["HEAD", "logs/HEAD"].into_iter().filter_map(of_git).filter(|path| path.is_file()) {
        println!("cargo:rerun-if-changed={}", file.display());
    }
    println!("cargo:rerun-if-env-changed=PARSEC_GIT_COMMIT");

    let versions = std::fs::read_to_string(lock).map(|text| versions(&text)).unwrap_or_default();
    // `cargo run` hands both to the program, which would take a name that begins with PARSEC for a setting that it does not know.
    println!("cargo:rustc-env=LINKED_CRATES={versions}");
    println!("cargo:rustc-env=BUILT_COMMIT={}", commit().unwrap_or_else(|| "unknown".to_owned()));
    note_programs();
}

/// Tests that need a program are ignored by name where it is missing. After installing one, `touch` this file: programs that
/// are missing cannot be watched.
#[expect(clippy::disallowed_methods, reason = "where programs are is a property of the machine that builds")]
fn note_programs() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=PATH");
    let path = std::env::var_os("PATH").unwrap_or_default();
    for (program, cfg) in PROGRAMS {
        println!("cargo:rustc-check-cfg=cfg({cfg})");
        if std::env::split_paths(&path).any(|folder| folder.join(program).is_file()) {
            println!("cargo:rustc-cfg={cfg}");
        }
    }
    println!("cargo:rustc-check-cfg=cfg(has_axe)");
    if Path::new(AXE).is_file() {
        println!("cargo:rustc-cfg=has_axe");
    }
}

/// `name=version` pairs, separated by commas, of the crates above.
fn versions(lock: &str) -> String {
    let mut found = String::new();
    let mut lines = lock.lines();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix("name = ").map(|name| name.trim_matches('"')) else { continue };
        let version = lines.next().and_then(|line| line.strip_prefix("version = ")).map(|text| text.trim_matches('"'));
        if let (true, Some(version)) = (CRATES.contains(&name), version) {
            let separator = if found.is_empty() { "" } else { "," };
            let _ = write!(found, "{separator}{name}={version}");
        }
    }
    found
}

/// The variable is for builds without a checkout, such as in a container.
#[expect(clippy::disallowed_methods, reason = "a build script is told through the environment")]
fn commit() -> Option<String> {
    if let Some(commit) = std::env::var_os("PARSEC_GIT_COMMIT") {
        return commit.into_string().ok();
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

/// A file that git keeps about this checkout. A worktree has its own, far from its sources; what was unpacked from an archive
/// has none.
fn of_git(name: &str) -> Option<PathBuf> {
    git(&["rev-parse", "--git-path", name]).map(PathBuf::from)
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}
