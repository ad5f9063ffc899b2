//! Whether the database answers, would take our rows, keeps our time, and whether schedulers get in each other's way.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use parsec_measure::{ACTIVE_WITHIN, Fleet};
use parsec_show::findings::Finding;
use parsec_store::{Diagnosis, StoreConfig, StoreError};
use tokio::time::timeout;

/// How long all questions together may take.
const LIMIT: Duration = Duration::from_secs(30);

/// How far clocks may be apart without anybody noticing: times of rows are read to the second.
const CLOCKS: TimeDelta = TimeDelta::seconds(2);

/// For how long the publications of two schedulers count as at the same time.
const LATELY: TimeDelta = TimeDelta::minutes(10);

/// Everything about the database.
pub(super) async fn look(target: &StoreConfig, fleets: &[Fleet]) -> Vec<Finding> {
    const WHAT: &str = "database";
    if let StoreConfig::Sqlite { path } = target
        && !path.exists()
    {
        return vec![Finding::ok(WHAT, format!("{} is not there yet; the first program makes it", path.display()))];
    }
    let looking = parsec_store::diagnose(target, fleets, Utc::now() - LATELY);
    let diagnosis = match timeout(LIMIT, looking).await {
        Ok(Ok(diagnosis)) => diagnosis,
        Ok(Err(error)) => return vec![unusable(target, &error)],
        Err(_) => {
            let said = format!("{target}: no answer within {} s", LIMIT.as_secs());
            return vec![Finding::error(WHAT, said, "see whether it hangs, and what is between here and there")];
        }
    };
    let mut found = vec![match &diagnosis.read_only {
        None => Finding::ok(WHAT, format!("{target} answers")),
        Some(why) => Finding::error(WHAT, why.clone(), "connect to the primary, or end what makes it read-only"),
    }];
    found.push(schema(&diagnosis));
    found.extend(rights(&diagnosis));
    found.extend(matches!(target, StoreConfig::Postgres { .. }).then(|| clock(diagnosis.ahead)));
    found.extend(schedulers(&diagnosis, fleets));
    found
}

fn unusable(target: &StoreConfig, error: &StoreError) -> Finding {
    let advice = match error {
        StoreError::Unavailable(_) => {
            "start it, and see that it can be reached from here (--db-host, --db-port, --database-url)"
        }
        _ => "do what the message says; settings begin with --db- or are in --database-url",
    };
    Finding::error("database", format!("{target}: {error}"), advice)
}

fn schema(diagnosis: &Diagnosis) -> Finding {
    const WHAT: &str = "schema";
    let Diagnosis { schema, newest, is_dirty, .. } = diagnosis;
    if *is_dirty {
        let said = "a migration of the original's tables was cut off (schema_migrations.dirty is true)";
        return Finding::error(
            WHAT,
            said,
            "repair the tables by hand, then set dirty to false; `parsec migrate` says more",
        );
    }
    match &schema.own {
        None => Finding::warning(
            WHAT,
            "there are no tables of ours yet",
            "the first program makes them, or `parsec migrate` as a role that may",
        ),
        Some(own) if own < newest => Finding::warning(
            WHAT,
            format!("migration {own}, and this version knows {newest}"),
            "`parsec migrate`, or start this version as a role that may change tables",
        ),
        Some(own) if own > newest => Finding::warning(
            WHAT,
            format!("migration {own} of a newer version; this one knows {newest}"),
            "use the same version everywhere",
        ),
        Some(own) => {
            let original = schema.original.map(|version| format!(", the original's tables version {version}"));
            Finding::ok(WHAT, format!("migration {own}{}, as this version wants it", original.unwrap_or_default()))
        }
    }
}

fn rights(diagnosis: &Diagnosis) -> Vec<Finding> {
    const WHAT: &str = "rights";
    if diagnosis.closed.is_empty() {
        let found = diagnosis.schema.own.is_some().then(|| Finding::ok(WHAT, "rows can be written to every table"));
        return found.into_iter().collect();
    }
    let finding = |closed: &parsec_store::ClosedTable| {
        let closed = closed.to_string();
        // What to do follows after the colon.
        match closed.split_once(": ") {
            Some((said, advice)) => Finding::error(WHAT, said, advice),
            None => Finding::error(WHAT, closed.clone(), "give the role the right"),
        }
    };
    diagnosis.closed.iter().map(finding).collect()
}

fn clock(ahead: TimeDelta) -> Finding {
    const WHAT: &str = "clock";
    let by = parsec_measure::written_duration(Duration::from_millis(ahead.num_milliseconds().unsigned_abs()));
    let said =
        format!("ours is {by} {} that of the database", if ahead > TimeDelta::zero() { "behind" } else { "before" });
    if ahead.abs() <= CLOCKS {
        return Finding::ok(WHAT, "ours agrees with that of the database");
    }
    let advice = "keep both with NTP: times of rows from here do not match those of others";
    if ahead.abs() > TimeDelta::from_std(ACTIVE_WITHIN).unwrap_or(CLOCKS) {
        Finding::error(WHAT, said, advice)
    } else {
        Finding::warning(WHAT, said, advice)
    }
}

/// Two loops on one fleet measure the same servers at once, and each other.
fn schedulers(diagnosis: &Diagnosis, fleets: &[Fleet]) -> Vec<Finding> {
    const WHAT: &str = "schedulers";
    let minutes = LATELY.num_minutes();
    let mut of_fleet: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for scheduler in &diagnosis.schedulers {
        for fleet in fleets.iter().filter(|fleet| scheduler.fleets.iter().any(|name| name == fleet.as_str())) {
            of_fleet.entry(fleet.as_str()).or_default().push(scheduler.id.0.to_string());
        }
    }
    let crowded = of_fleet.iter().filter(|(_, ids)| ids.len() > 1).map(|(fleet, ids)| {
        let named = if fleet.is_empty() { "the fleet without a name".to_owned() } else { format!("fleet {fleet}") };
        Finding::warning(
            WHAT,
            format!(
                "{} loops measured {named} in the last {minutes} minutes: rows {} of schedulers_ecs",
                ids.len(),
                ids.join(", ")
            ),
            "stop all but one, or give them fleets of their own; a scheduler that was started anew looks the same",
        )
    });
    let mut found: Vec<_> = crowded.collect();
    if found.is_empty() && diagnosis.schema.own.is_some() {
        let said = match of_fleet.values().flatten().next() {
            Some(id) => format!(
                "one loop for each fleet that was measured in the last {minutes} minutes (row {id} of schedulers_ecs)"
            ),
            None => format!("none has measured in the last {minutes} minutes"),
        };
        found.push(Finding::ok(WHAT, said));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use parsec_measure::SchedulerId;
    use parsec_show::findings::Level;
    use parsec_store::{OtherScheduler, SchemaVersion};

    fn diagnosis() -> Diagnosis {
        Diagnosis {
            schema: SchemaVersion { original: Some(6), own: Some("0006".to_owned()) },
            newest: "0006".to_owned(),
            is_dirty: false,
            read_only: None,
            ahead: TimeDelta::zero(),
            closed: vec![],
            schedulers: vec![],
        }
    }

    #[test]
    fn a_schema_is_as_we_want_it_older_newer_or_broken() {
        let own = |version: Option<&str>| {
            let schema = SchemaVersion { own: version.map(str::to_owned), ..diagnosis().schema };
            super::schema(&Diagnosis { schema, ..diagnosis() }).level
        };
        assert_eq!(own(Some("0006")), Level::Ok);
        for other in [None, Some("0005"), Some("0007")] {
            assert_eq!(own(other), Level::Warning, "{other:?}");
        }
        assert_eq!(super::schema(&Diagnosis { is_dirty: true, ..diagnosis() }).level, Level::Error);
    }

    #[test]
    fn clocks_that_are_minutes_apart_are_an_error() {
        let level = |seconds| clock(TimeDelta::seconds(seconds)).level;
        assert_eq!([0, 2, -2].map(level), [Level::Ok; 3]);
        assert_eq!([3, -60].map(level), [Level::Warning; 2]);
        assert_eq!([121, -3_600].map(level), [Level::Error; 2]);
        assert!(clock(TimeDelta::seconds(5)).said.contains("ours is 5s behind"));
    }

    #[test]
    fn two_loops_on_one_fleet_are_named() {
        let scheduler = |id, fleets: &[&str]| OtherScheduler {
            id: SchedulerId(id),
            fleets: fleets.iter().map(|name| (*name).to_owned()).collect(),
        };
        let fleets: Vec<Fleet> = ["default", "optprov"].map(|name| name.parse().unwrap()).into();
        let of = |schedulers| super::schedulers(&Diagnosis { schedulers, ..diagnosis() }, &fleets);
        assert_eq!(of(vec![])[0].level, Level::Ok);
        assert_eq!(of(vec![scheduler(3, &["default"]), scheduler(4, &["optprov"])])[0].level, Level::Ok);
        let crowded = of(vec![scheduler(3, &["default"]), scheduler(4, &["default", "fullrt"])]);
        assert_eq!((crowded.len(), crowded[0].level), (1, Level::Warning));
        assert!(crowded[0].said.contains("2 loops measured fleet default") && crowded[0].said.contains("rows 3, 4"));
    }
}
