//! The settings of `parsec doctor`: those of a server, the fleets of a scheduler, and how to show what was found.

use parsec_measure::{Fleet, FleetGroup};

use crate::common::CommonConfig;
use crate::declare::settings;
use crate::serving::ServerConfig;
use crate::values::{OutputFormat, Value};

settings! {
    /// `parsec doctor`.
    DoctorConfig(from) = "Doctor";
    + server: ServerConfig, "The server that is to be, or is";
    given: Option<Vec<FleetGroup>> = ("doctor.fleets", "fleets", "FLEETS"),
        "Fleets that a scheduler is to measure; those of the scheduler (PARSEC_SCHEDULER_FLEETS, scheduler.fleets), or else the one of the server, if not given";
    format: OutputFormat = ("doctor.format", "format", "FORMAT").default("text"), "How the result is written";
    => common: CommonConfig = server.common.clone(), "What every command has";
    => scheduled: Option<Vec<FleetGroup>> = from.optional("scheduler.fleets", <Vec<FleetGroup> as Value>::read)?, "Those of the scheduler";
    => fleets: Vec<Fleet> = fleets(given.as_ref().or(scheduled.as_ref()), &server.fleet), "The fleets that it is about";
}

fn fleets(groups: Option<&Vec<FleetGroup>>, of_server: &Fleet) -> Vec<Fleet> {
    let named = groups.into_iter().flatten().flat_map(FleetGroup::fleets).cloned();
    let mut fleets: Vec<Fleet> = named.collect();
    if fleets.is_empty() {
        fleets.push(of_server.clone());
    }
    fleets.sort();
    fleets.dedup();
    fleets
}

#[cfg(test)]
mod tests {
    use crate::programs::Command;
    use crate::tests::run;

    fn fleets(line: &str, environment: &[(&str, &str)]) -> Vec<String> {
        let Ok((Command::Doctor(config), _)) = run(line, environment) else { panic!("{line} is understood") };
        config.fleets.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_fleets_are_those_of_the_flag_the_scheduler_or_the_server() {
        let scheduler = ("PARSEC_SCHEDULER_FLEETS", "b,c+d");
        assert_eq!(fleets("doctor --fleet a", &[]), ["a"]);
        assert_eq!(fleets("doctor --fleet a", &[scheduler]), ["b", "c", "d"]);
        assert_eq!(fleets("doctor --fleets e+a,a", &[scheduler]), ["a", "e"]);
    }

    #[test]
    fn it_takes_the_settings_of_a_server() {
        let line =
            "doctor --server-port 7071 --peer-port 4002 --bootstrap-peers /ip4/192.0.2.1/tcp/1/p2p/x --spool-dir none";
        let Ok((Command::Doctor(config), warnings)) = run(line, &[]) else { panic!("{line} is understood") };
        assert_eq!((config.server.api.port, config.server.peer.port), (7_071, 4_002));
        assert_eq!((config.server.spool.directory, warnings), (None, vec![]));
    }
}
