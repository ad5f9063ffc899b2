//! How many servers one scheduler goes round, and how well: real processes on a real database, and servers that look nothing up,
//! each at an address of its own. They take minutes, and say what they saw:
//!
//! `cargo test --release -p parsec --test end_to_end scale -- --ignored --nocapture --test-threads 1`
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "what was seen is for people, and what fails here fails the test"
)]

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use parsec_api::wire::ProvideRequest;
use parsec_test_support::database;
use parsec_test_support::double::{read, response};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::deployment::scheduling;
use crate::process::Process;
use crate::stage::Stage;
use crate::tables::Tables;

/// How many connections may wait to be accepted: as many as there are servers, which would each have a queue of its own.
const BACKLOG: u32 = 4_096;

/// How long a lookup takes. Nobody here has anything to do meanwhile: the servers of a deployment do not share the scheduler's processors,
/// and those of this process do not while lookups begin.
const SEARCH: Duration = Duration::from_millis(500);

/// What the scheduler may take of half of the rounds beside the lookups, in seconds. An optimised build took 0.6 s of 3,000 servers on two
/// processors that it shared with others, one that is not six times as long.
const OWN_PART: f64 = if cfg!(debug_assertions) { 4.0 } else { 1.0 };

/// How much later the last lookups of half of the rounds may begin for each server that there is, in milliseconds: to begin one is to open a
/// connection, which takes a processor 35 microseconds on a machine that has both ends of it.
const MS_PER_SERVER: f64 = if cfg!(debug_assertions) { 0.4 } else { 0.1 };

/// What a scheduler may take, in MB.
const MEMORY: u64 = 200;

/// How often the servers say that they are there.
const BEAT: Duration = Duration::from_secs(30);

/// Answers as a server does that has measured something within a millisecond.
fn answer(line: &str, body: &[u8]) -> String {
    let path = line.split(' ').nth(1).unwrap_or_default();
    if path == "/readiness" {
        return response("200 OK", "", "ready");
    }
    let (cid, step) = match path.strip_prefix("/retrieve/") {
        Some(cid) => (cid.to_owned(), "retrieval"),
        None => {
            let (content, _) = ProvideRequest::decode(body).expect("schedulers keep the contract");
            (content.cid().to_string(), "provide")
        }
    };
    let measured = format!(
        r#"{{"CID":"{cid}","RoutingTableSize":200,"Measurements":[{{"Step":"{step}","Duration":1000000,"Error":""}}],"Duration":1000000,"Error":""}}"#
    );
    response("200 OK", "content-type: application/json\r\n", &measured)
}

/// Servers of all addresses of this machine at one port, until this is dropped. Returns the port.
fn serve() -> (JoinSet<()>, u16) {
    let socket = TcpSocket::new_v4().unwrap();
    // A port that fits into a SMALLINT.
    let bind = |port: &u16| socket.bind(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, *port).into()).is_ok();
    let port = (20_000..32_000).step_by(7).find(bind).expect("one port is free");
    let listener = socket.listen(BACKLOG).unwrap();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let mut connections = JoinSet::new();
        let published = Arc::new(Notify::new());
        loop {
            tokio::select! {
                biased;
                // Connections wait for being accepted, as the system has already done for us.
                () = published.notified() => sleep(SEARCH).await,
                accepted = listener.accept() => if let Ok((mut stream, _)) = accepted {
                    let published = Arc::clone(&published);
                    connections.spawn(async move {
                        if let Some(asked) = read(&mut stream, 0).await {
                            if asked.line.contains("/provide") {
                                published.notify_one();
                            }
                            let _ = stream.write_all(answer(&asked.line, &asked.body).as_bytes()).await;
                            let _ = stream.shutdown().await;
                        }
                    });
                },
                Some(_) = connections.join_next() => {}
            }
        }
    });
    (serving, port)
}

/// A scheduler and so many servers.
struct Field {
    tables: Tables,
    scheduler: Process,
    _serving: JoinSet<()>,
}

impl Field {
    async fn of(servers: usize, interval: &str, patience: Duration) -> Self {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
        let (stage, database) = (Stage::lasting(patience), database().await);
        let url = database.url().to_owned();
        assert_eq!(Process::start(&stage, &["migrate", "--database-url", &url]).end().await.code(), 0);
        let (mut serving, port) = serve();
        let client = database.client().await;
        let rows = format!(
            "INSERT INTO nodes_ecs (cpu, memory, peer_id, region, cmd, fleet, dependencies, ip_address, server_port, peer_port, \
             last_heartbeat, created_at) \
             SELECT 1, 1, 'server-' || n, 'region-' || n % 10, '', 'default', '{{}}', inet '127.1.0.1' + n, {port}, 4001, now(), now() \
             FROM generate_series(1, {servers}) n"
        );
        client.batch_execute(&rows).await.unwrap();
        serving.spawn(async move {
            loop {
                sleep(BEAT).await;
                client.batch_execute("UPDATE nodes_ecs SET last_heartbeat = now()").await.unwrap();
            }
        });
        let args = scheduling("default", interval, &["--database-url", &url, "--log-level", "warn"]);
        let scheduler = Process::start(&stage, &args);
        Self { tables: Tables::of(&stage, database).await, scheduler, _serving: serving }
    }

    /// Waits for so many rounds in which everybody took part, and says what they took.
    async fn report(&self, servers: usize, rounds: i64) {
        let whole = format!("rounds WHERE outcome = 'complete' AND nodes_ready = {servers}");
        self.tables.wait_for(rounds, &whole).await;
        let memory = self.scheduler.footprint().expect("it runs").memory_kb / 1024;
        // What the servers do not take is the scheduler's, and that of the way there and back.
        let took = "SELECT extract(epoch FROM ended_at - started_at)::float8, extract(epoch FROM started_at - due_at)::float8, \
                    (SELECT count(*) FROM operations o WHERE o.round_id = r.id AND outcome = 'ok'), begun.middle, begun.p99, begun.last \
                    FROM rounds r, LATERAL (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY after) AS middle, \
                    percentile_cont(0.99) WITHIN GROUP (ORDER BY after) AS p99, max(after) AS last FROM \
                    (SELECT extract(epoch FROM o.started_at - o.due_at)::float8 AS after FROM operations o \
                     WHERE o.round_id = r.id AND kind = 'retrieve') starts) begun \
                    WHERE outcome = 'complete' ORDER BY due_at";
        println!("{servers} servers: the scheduler takes {memory} MB, and {:.2} s of a processor a round", {
            processor_seconds(self.scheduler.id()) / rounds as f64
        });
        let (mut own_parts, mut latest) = (Vec::new(), Vec::new());
        for (index, row) in self.tables.query(took).await.iter().enumerate() {
            let (took, late, ok): (f64, f64, i64) = (row.get(0), row.get(1), row.get(2));
            let [middle, p99, last] = [3, 4, 5].map(|column| row.get::<_, f64>(column) * 1e3);
            let own = took - SEARCH.as_secs_f64();
            println!(
                "round {index}: {own:.3} s beside the lookups, {late:.3} s late, {ok} ok, \
                 lookups begin within {middle:.1} ms (p50), {p99:.1} ms (p99), {last:.1} ms (all)"
            );
            // The first one meets a cold process.
            if index > 0 {
                own_parts.push(own);
                latest.push(p99);
            }
            assert_eq!(ok, i64::try_from(servers).unwrap());
        }
        let (own, latest) = (median(own_parts), median(latest));
        println!(
            "{servers} servers: {own:.3} s a round beside the lookups, which begin within {latest:.1} ms (medians)"
        );
        assert!(memory < MEMORY, "{memory} MB");
        assert!(own < OWN_PART, "{own} s");
        assert!(latest < MS_PER_SERVER * servers as f64, "{latest} ms");
    }
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

/// What a process has taken of the processors (proc(5), `utime` and `stime`, in hundredths of a second).
fn processor_seconds(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields = stat.rsplit(") ").next().unwrap().split(' ');
    fields.skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap() / 100.0).sum()
}

async fn goes_round(servers: usize) {
    let field = Field::of(servers, "10s", Duration::from_secs(300)).await;
    field.report(servers, 6).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute, and the machine for itself"]
async fn three_hundred_servers() {
    goes_round(300).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute, and the machine for itself"]
async fn a_thousand_servers() {
    goes_round(1_000).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute, and the machine for itself"]
async fn three_thousand_servers() {
    goes_round(3_000).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes ten minutes"]
async fn twenty_servers_at_an_interval_of_a_second_for_ten_minutes_miss_no_round_and_no_row() {
    let field = Field::of(20, "1s", Duration::from_secs(800)).await;
    field.tables.wait_for(600, "rounds WHERE outcome = 'complete'").await;
    let Field { tables, scheduler, _serving } = field;
    assert_eq!(scheduler.terminate().await.code(), 0);
    let whole = "SELECT count(*), sum(skipped_before + 1)::bigint, \
                 extract(epoch FROM max(due_at) - min(due_at))::float8, max(extract(epoch FROM started_at - due_at))::float8 \
                 FROM rounds WHERE outcome = 'complete'";
    let row = &tables.query(whole).await[0];
    let (rounds, places, seconds, late): (i64, i64, f64, f64) = (row.get(0), row.get(1), row.get(2), row.get(3));
    let rows = tables.count("operations WHERE outcome = 'ok'").await;
    println!(
        "{rounds} rounds on {places} places of the grid within {seconds:.3} s, {late:.3} s late at most, {rows} rows"
    );
    assert_eq!((rounds, rows >= 20 * rounds), (places, true), "nothing is skipped");
    assert!((seconds - (rounds - 1) as f64).abs() < 0.25, "the grid is kept");
}
