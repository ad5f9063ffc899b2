//! The binary's own word on command lines and environments.

use std::collections::BTreeSet;
use std::io::Write as _;

use parsec_test_support::process::Process;
use parsec_test_support::stage::Stage;
use serde_json::Value;
use tempfile::NamedTempFile;

use super::{Variables, Workload};

/// The settings that name a file with a secret, which a deployment has and a test has not.
pub(super) const SECRET_FILES: [&str; 3] =
    ["PARSEC_DATABASE_PASSWORD_FILE", "PARSEC_SERVER_API_TOKEN_FILE", "PARSEC_SCHEDULER_API_TOKEN_FILE"];

/// The binary, with its table of settings.
pub(super) struct Binary {
    stage: Stage,
    rows: Vec<Value>,
    secret: NamedTempFile,
}

impl Binary {
    /// Asks it for its table.
    pub(super) async fn new(stage: &Stage) -> Self {
        let ended = Process::start(stage, &["config", "--schema"]).end().await;
        assert_eq!(ended.code(), 0, "{}", ended.err);
        let rows: Vec<Value> = serde_json::from_str(&ended.out.join("\n")).unwrap();
        assert!(rows.len() > 50, "{} settings", rows.len());
        let mut secret = NamedTempFile::new().unwrap();
        secret.write_all(b"0123456789abcdef0123456789abcdef\n").unwrap();
        Self { stage: stage.clone(), rows, secret }
    }

    /// What a setting is when nobody sets it.
    pub(super) fn default_of(&self, variable: &str) -> &str {
        let row = self.rows.iter().find(|row| row["variable"] == variable);
        row.and_then(|row| row["default"].as_str()).unwrap_or_else(|| panic!("{variable} has no default"))
    }

    /// Every environment variable that it reads, of both generations.
    pub(super) fn variables(&self) -> BTreeSet<&str> {
        let current = self.rows.iter().filter_map(|row| row["variable"].as_str());
        let older = self.rows.iter().flat_map(|row| row["older_variables"].as_array().unwrap());
        current.chain(older.filter_map(Value::as_str)).collect()
    }

    /// Whether there are settings of all these names.
    pub(super) fn knows<'a>(&self, at: &str, names: impl IntoIterator<Item = &'a str>) {
        let known = self.variables();
        for name in names {
            assert!(known.contains(name), "{at}: no setting has the variable {name}");
        }
    }

    /// Whether this would run: it is a command with flags of its own and variables that there are, all values can be used,
    /// and nothing of it is in vain.
    pub(super) async fn takes(&self, workload: &Workload) {
        let Workload { at, args, environment } = workload;
        self.knows(at, environment.keys().map(String::as_str));
        let program = &args[0];
        let used = |row: &&Value| row["programs"].as_array().unwrap().iter().any(|name| name == program.as_str());
        let flags: BTreeSet<_> = self.rows.iter().filter(used).filter_map(|row| row["flag"].as_str()).collect();
        assert!(!flags.is_empty(), "{at}: `{program}` is no command");
        for flag in args.iter().filter_map(|arg| arg.strip_prefix("--")) {
            assert!(flags.contains(flag), "{at}: `{program}` has no flag --{flag}");
        }
        self.dry_run(workload.clone()).await;
    }

    /// Lets `parsec config` read it, which refuses what the command would refuse and warns of what it would warn of.
    async fn dry_run(&self, mut workload: Workload) {
        for (_, file) in workload.environment.iter_mut().filter(|(name, _)| SECRET_FILES.contains(&name.as_str())) {
            self.secret.path().to_str().unwrap().clone_into(file);
        }
        workload.args.insert(0, "config".to_owned());
        let ended = start(&self.stage, &workload).end().await;
        assert_eq!((ended.code(), ended.err.as_str()), (0, ""), "{}", workload.at);
    }

    /// The port of this machine that a check of health of this server asks.
    pub(super) async fn asks_for_health(&self, at: &str, server: &str) -> u16 {
        let ended = Process::start(&self.stage, &["config", "health", server]).end().await;
        assert_eq!((ended.code(), ended.err.as_str()), (0, ""), "{at}");
        let (host, port) = server.rsplit_once(':').unwrap();
        assert_eq!(host, "localhost", "{at}");
        port.parse().unwrap()
    }
}

/// Starts what is described.
pub(super) fn start(stage: &Stage, workload: &Workload) -> Process {
    let variables: Vec<_> = pairs(&workload.environment);
    let args: Vec<_> = workload.args.iter().map(String::as_str).collect();
    Process::start_with(stage, &variables, &args)
}

fn pairs(variables: &Variables) -> Vec<(&str, &str)> {
    variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}
