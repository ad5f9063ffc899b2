//! What a local network can be, for `bench` and `demo`.

use super::*;

#[test]
fn a_comparison_is_refused_what_would_not_be_one() {
    for (line, message) in [
        ("--peers 20", "flag --peers: cannot use `20`: expected a whole number from 21 to 10000"),
        ("--operations 0", "flag --operations: cannot use `0`: expected a whole number from 1 to 100000"),
        (
            "--rtt 10s",
            "flag --rtt: cannot use `10s`: over it, a lookup that fills a routing table would take longer than the 10 s that \
             it is given; expected at most 1s",
        ),
        (
            "--rtt 1s",
            "flag --rtt: cannot use `1s`: over it, a crawl (strategy fullrt) would take longer for each peer than the 15 s \
             that it is given; expected at most 750ms, or strategies without fullrt",
        ),
        (
            "--rtt 500us",
            "flag --rtt: cannot use `500us`: the clock counts whole milliseconds; expected a whole number of them, 1ms at least",
        ),
        (
            "--rtt 0",
            "flag --rtt: cannot use `0`: the clock counts whole milliseconds; expected a whole number of them, 1ms at least",
        ),
        ("--undialable 0.95", "flag --undialable: cannot use `0.95`: expected a share from 0 to 0.9, such as 0.15"),
        ("--undialable NaN", "flag --undialable: cannot use `NaN`: expected a share from 0 to 0.9, such as 0.15"),
        (
            "--undialable 0.5 --silent 0.5",
            "flag --silent: cannot use `0.5`: with 0.5 undialable besides, expected at most 0.9 in all",
        ),
        (
            "--strategies classic,classic",
            "flag --strategies: cannot use `classic,classic`: `classic` stands there twice",
        ),
        ("--strategies ,", "flag --strategies: cannot use `,`: expected at least one name"),
        ("--format yaml", "flag --format: cannot use `yaml`: expected one of: text, json, csv"),
        ("--transport pigeon", "flag --transport: cannot use `pigeon`: expected one of: memory, tcp, quic"),
    ] {
        assert_eq!(run(&format!("bench {line}"), &[]).unwrap_err(), format!("error: {message}"));
    }
}

#[test]
fn libp2p_is_not_compared_among_silent_peers_on_a_virtual_clock() {
    let message = "error: flag --silent: cannot use `0.1`: the time-outs of strategy libp2p do not run on the virtual \
                   clock of --transport memory; expected 0, or --transport tcp, or --strategies without libp2p";
    for line in ["--silent 0.1", "--silent 0.1 --transport memory --strategies classic,libp2p"] {
        assert_eq!(run(&format!("bench {line}"), &[]).unwrap_err(), message);
    }
    for line in ["--silent 0", "--silent 0.1 --transport tcp", "--silent 0.1 --strategies classic,optprov,fullrt"] {
        assert!(run(&format!("bench {line}"), &[]).is_ok(), "{line}");
    }
}

#[test]
fn a_demo_has_a_fleet_for_each_strategy_that_it_is_asked_for() {
    let demo = |line: &str| match run(line, &[]) {
        Ok((Command::Demo(config), _)) => *config,
        other => panic!("{line}: {other:?}"),
    };
    let fleets = |line: &str| demo(line).fleets.into_iter().map(|fleet| fleet.strategy).collect::<Vec<_>>();
    assert_eq!(fleets("demo"), [StrategyKind::Classic, StrategyKind::Optprov, StrategyKind::Fullrt]);
    assert_eq!(fleets("demo --fleets libp2p,default"), [StrategyKind::Libp2p, StrategyKind::Classic]);
    assert_eq!(demo("demo --latency 50ms").latency, parsec_measure::Latency::Fixed(Duration::from_millis(50)));
    for (line, word) in [
        ("--fleets default,default", "`default` stands there twice"),
        ("--fleets fast", "expected one of: default, optprov, fullrt, libp2p"),
        ("--latency soon", "expected `realistic`, `none`, or a round trip"),
        ("--latency 10s", "expected at most 1s"),
        ("--latency 1s", "expected at most 750ms, or strategies without fullrt"),
        ("--latency 0.0005s", "1ms at least"),
    ] {
        let message = run(&format!("demo {line}"), &[]).unwrap_err();
        assert!(message.contains(word), "{message}");
    }
}

#[test]
fn what_means_nothing_in_a_world_is_refused_by_name() {
    for (setting, name, value) in [
        ("--peers 60", "flag --peers", "60"),
        ("--peers 5", "flag --peers", "5"),
        ("--rtt 10s", "flag --rtt", "10s"),
        ("--rtt 40ms", "flag --rtt", "40ms"),
        ("--undialable 0.3", "flag --undialable", "0.3"),
        ("--silent 0", "flag --silent", "0"),
        ("--transport memory", "flag --transport", "memory"),
        ("--warm", "flag --warm", "true"),
    ] {
        let message = run(&format!("bench --world amino-2022 {setting}"), &[]).unwrap_err();
        let expected = format!(
            "error: {name}: cannot use `{value}`: it shapes the local network of real peers, and --world amino-2022 says itself what \
             it is like; expected only one of the two"
        );
        assert_eq!(message, expected);
    }
    let variable = run("bench --world amino-2022", &[("PARSEC_BENCH_PEERS", "60")]).unwrap_err();
    assert!(variable.starts_with("error: environment variable PARSEC_BENCH_PEERS: cannot use `60`"), "{variable}");
    let libp2p = run("bench --world amino-2022 --strategies classic,libp2p", &[]).unwrap_err();
    assert!(libp2p.contains("a world cannot play it"), "{libp2p}");
    let unknown = run("bench --world amino-2021", &[]).unwrap_err();
    assert!(
        unknown.contains("unknown world `amino-2021`; expected one of: amino-2022") && unknown.contains("FILE.toml"),
        "{unknown}"
    );
}

#[test]
fn a_world_is_a_name_or_a_file_and_plays_all_strategies_that_it_can() {
    let bench = |line: &str| match run(line, &[]) {
        Ok((Command::Bench(config), _)) => config.simulated,
        other => panic!("{line}: {other:?}"),
    };
    assert_eq!(bench("bench"), None);
    let simulated = bench("bench --world amino-2022").unwrap();
    assert_eq!(simulated.world, WorldSource::Shipped("amino-2022".to_owned()));
    assert_eq!(simulated.strategies, [StrategyKind::Classic, StrategyKind::Optprov, StrategyKind::Fullrt]);
    let own = bench("bench --world ./amino-2022.toml --strategies optprov").unwrap();
    assert_eq!(own.world, WorldSource::File("./amino-2022.toml".into()));
    assert_eq!(own.strategies, [StrategyKind::Optprov]);
}

#[test]
fn many_keys_are_published_in_a_world_by_those_who_can() {
    let bulk = |line: &str| match run(line, &[]) {
        Ok((Command::Bench(config), _)) => config.simulated.unwrap().bulk,
        other => panic!("{line}: {other:?}"),
    };
    use parsec_results::bulk::BulkStrategy::{Classic, Fullrt, Optprov, Sweep};
    assert_eq!(bulk("bench --world amino-2022"), None);
    let asked = bulk("bench --world amino-2022 --keys 1000").unwrap();
    assert_eq!((asked.keys, asked.strategies), (1_000, vec![Classic, Fullrt, Sweep]));
    let asked = bulk("bench --world amino-2022 --keys 1000 --strategies sweep,optprov").unwrap();
    assert_eq!(asked.strategies, [Sweep, Optprov]);
    for (line, message) in [
        (
            "--keys 10001",
            "flag --keys: cannot use `10001`: real peers take at most 10000 keys at once; expected fewer, or --world with it",
        ),
        ("--keys 9 --strategies sweep,libp2p", "libp2p is not ours and has no way to publish many keys at once"),
        ("--keys 9 --operations 5", "flag --operations: cannot use `5`: it is for operations one after the"),
        ("--world amino-2022 --keys 0", "flag --keys: cannot use `0`: expected a whole number from 1 to 1000000"),
        (
            "--strategies classic,sweep",
            "flag --strategies: cannot use `classic,sweep`: strategy sweep publishes many keys at once",
        ),
        (
            "--world amino-2022 --strategies sweep",
            "strategy sweep publishes many keys at once; expected --keys with it",
        ),
        (
            "--world amino-2022 --keys 9 --operations 5",
            "flag --operations: cannot use `5`: it is for operations one after the",
        ),
        (
            "--world amino-2022 --keys 9 --save x",
            "flag --save: cannot use `x`: it is for operations one after the other",
        ),
        (
            "--world amino-2022 --keys 9 --scan alpha=3,5",
            "flag --scan: cannot use `alpha=3,5`: it is for operations one after the other",
        ),
        ("--world amino-2022 --keys 9 --strategies libp2p", "a world cannot play it"),
    ] {
        let error = run(&format!("bench {line}"), &[]).unwrap_err();
        assert!(error.contains(message), "{line}: {error}");
    }
}

#[test]
fn many_keys_are_published_through_real_peers_and_what_libp2p_cannot_do_keeps_nobody_from_it() {
    use parsec_results::bulk::BulkStrategy::{Classic, Fullrt, Optprov, Sweep};
    let bench = |line: &str| match run(line, &[]) {
        Ok((Command::Bench(config), _)) => *config,
        other => panic!("{line}: {other:?}"),
    };
    assert_eq!(bench("bench").bulk, None);
    let asked = bench("bench --keys 10000 --silent 0.1");
    assert_eq!((asked.simulated, asked.compared), (None, vec![]));
    assert_eq!(asked.bulk.map(|bulk| (bulk.keys, bulk.strategies)), Some((10_000, vec![Classic, Fullrt, Sweep])));
    let asked = bench("bench --keys 5 --strategies sweep,optprov --peers 30 --rtt 30ms").bulk.unwrap();
    assert_eq!(asked.strategies, [Sweep, Optprov]);
    assert_eq!(bench("bench --world amino-2022 --keys 1000").bulk, None);
}

#[test]
fn a_scan_needs_a_world_a_chart_a_scan_and_neither_is_kept_as_a_run() {
    for (line, message) in [
        ("--scan alpha=3,5", "flag --scan needs --world, which is not set"),
        ("--scenario merge", "flag --scenario needs --world, which is not set"),
        (
            "--world amino-2022 --chart x.svg",
            "flag --chart: cannot use `x.svg`: a scan or a scenario is drawn; expected --scan or --scenario with it",
        ),
        (
            "--world amino-2022 --scan alpha=3,5 --scenario merge",
            "flag --scenario: cannot use `merge`: a scan plays a world in which nothing happens; expected only one of --scan \
             and --scenario",
        ),
        (
            "--world amino-2022 --scenario merge --save x.json",
            "flag --save: cannot use `x.json`: a file does not keep when operations began, which --scenario is about; \
             expected only one of the two, or --format json > FILE",
        ),
        (
            "--world amino-2022 --scan alpha=3,5 --save x.json",
            "flag --save: cannot use `x.json`: a file keeps one run, and --scan makes several; expected only one of the two, or \
             --format json > FILE",
        ),
    ] {
        assert_eq!(run(&format!("bench {line}"), &[]).unwrap_err(), format!("error: {message}"));
    }
    assert!(run("bench --world amino-2022 --scan alpha=3,5 --chart x.svg", &[]).is_ok());
    assert!(run("bench --world amino-2022 --scenario merge --chart x.svg", &[]).is_ok());
}

#[test]
fn a_demo_in_a_world_has_a_week_of_rounds_and_refuses_what_means_nothing_there() {
    let demo = |line: &str| match run(line, &[]) {
        Ok((Command::Demo(config), _)) => config.simulated,
        other => panic!("{line}: {other:?}"),
    };
    let played = |line: &str| {
        let rounds = demo(line).unwrap();
        (rounds.servers, rounds.interval.as_secs(), rounds.rounds)
    };
    assert_eq!(demo("demo"), None);
    assert_eq!(played("demo --world amino-2022"), (7, 600, 1_008));
    assert_eq!(played("demo --world amino-2022 --days 1 --interval 1h --servers 5"), (5, 3_600, 24));
    assert_eq!(played("demo --world private-50 --rounds 3"), (7, 600, 3));
    assert_eq!(demo("demo --world own.toml").unwrap().world, WorldSource::File("own.toml".into()));
    for (line, word) in [
        ("--peers 50", "flag --peers: cannot use `50`: it shapes the local network of real peers"),
        ("--peers 0", "flag --peers: cannot use `0`: it shapes the local network of real peers"),
        ("--silent 2", "flag --silent: cannot use `2`: it shapes the local network of real peers"),
        ("--latency none", "flag --latency: cannot use `none`"),
        ("--undialable 0.1", "flag --undialable"),
        ("--silent 0.1", "flag --silent"),
        ("--open", "flag --open"),
        ("--fleets libp2p", "expected fleets without libp2p"),
        ("--days 2 --rounds 5", "flag --days: cannot use `2`: --rounds says how many rounds there are"),
        ("--days 0", "expected a whole number from 1 to 366"),
        (
            "--interval 1s",
            "flag --interval: cannot use `1s`: that is 604800 rounds of each fleet; expected at most 100000",
        ),
    ] {
        let message = run(&format!("demo --world amino-2022 {line}"), &[]).unwrap_err();
        assert!(message.contains(word), "{message}");
    }
    for line in ["--days 2", "--scenario merge", "--database-url sqlite:x.db"] {
        let alone = run(&format!("demo {line}"), &[]).unwrap_err();
        let flag = line.split(' ').next().unwrap();
        assert!(alone.contains(&format!("flag {flag} needs --world, which is not set")), "{alone}");
    }
}

#[test]
fn a_demo_in_a_world_goes_to_a_directory_or_to_a_database_that_is_named_for_it() {
    let database = |line: &str, environment: &[(&str, &str)]| match run(line, environment) {
        Ok((Command::Demo(config), _)) => Ok(config.simulated.unwrap().database.map(|target| target.to_string())),
        Ok(other) => panic!("{line}: {other:?}"),
        Err(message) => Err(message),
    };
    let world = "demo --world private-50";
    assert_eq!(database(world, &[]), Ok(None));
    let postgres = format!("{world} --database-url postgres://ann:secret@db:5433/weeks");
    assert_eq!(database(&postgres, &[]), Ok(Some("postgres://ann@db:5433/weeks?sslmode=prefer".to_owned())));
    let variable = [("PARSEC_DEMO_DATABASE_URL", "sqlite:week.db")];
    assert_eq!(database(world, &variable), Ok(Some("sqlite:week.db".to_owned())));
    // That of a deployment is never meant by accident.
    assert_eq!(database(world, &[("PARSEC_DATABASE_URL", "postgres://ann@db/parsec")]), Ok(None));
    let both = database(&format!("{world} --data-dir x --database-url sqlite:week.db"), &[]).unwrap_err();
    assert!(both.contains("--data-dir") && both.contains("--database-url"), "{both}");
    let wrong = database(&format!("{world} --database-url postgres://ann:secret@db:port/weeks"), &[]).unwrap_err();
    assert!(wrong.contains("flag --database-url") && !wrong.contains("secret"), "{wrong}");
}
