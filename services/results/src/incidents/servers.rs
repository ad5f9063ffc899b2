//! What the servers' rows and the attempts that they were asked for tell: who went, who came back, who did not do what it was asked.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use parsec_measure::{ACTIVE_WITHIN, History, NodeId, NotedAttempt, OutcomeClass, ServerLife};

use super::incident::{Incident, Lost, Place, What, examples};

/// How many attempts in a row a server has to fail before it is told: one is told by the results.
const MIN_IN_A_ROW: usize = 2;

/// What happened to servers up to `end`.
pub(super) fn find(history: &History, end: DateTime<Utc>) -> Vec<Incident> {
    let mut of_server: BTreeMap<NodeId, Vec<&NotedAttempt>> = BTreeMap::new();
    for noted in &history.attempts {
        of_server.entry(noted.operation.node).or_default().push(noted);
    }
    of_server.values_mut().for_each(|attempts| attempts.sort_by_key(|noted| noted.operation.started));
    let servers: HashMap<NodeId, &ServerLife> = history.servers.iter().map(|server| (server.id, server)).collect();
    let mut found = lost(&history.servers, &of_server, end);
    for (id, attempts) in &of_server {
        found.extend(failing(servers.get(id).copied(), attempts));
    }
    found
}

fn place(server: Option<&ServerLife>) -> Place {
    Place {
        fleet: server.map(|server| server.fleet.clone()),
        region: server.map(|server| server.region.clone()),
        kind: None,
        peer: server.map(|server| server.peer_id.clone()),
    }
}

/// Whether `other` was started in the place of a server that went at `from`: afterwards, or, as deployments do that want no gap, shortly
/// before. A server that ran beside it from the beginning took nobody's place.
fn follows(other: &ServerLife, server: &ServerLife, from: DateTime<Utc>) -> bool {
    let is_younger = other.created >= server.created + ACTIVE_WITHIN;
    other.created >= from || (is_younger && other.created + ACTIVE_WITHIN >= from)
}

/// Servers that went. One that is started in the same fleet and region then takes the place of one of them.
fn lost(servers: &[ServerLife], attempts: &BTreeMap<NodeId, Vec<&NotedAttempt>>, end: DateTime<Utc>) -> Vec<Incident> {
    let mut gone: Vec<_> = servers.iter().filter_map(|server| Some((gone(server, end)?, server))).collect();
    gone.sort_by_key(|((at, _), server)| (*at, server.id));
    let mut successors: BTreeSet<NodeId> = BTreeSet::new();
    let mut found = Vec::new();
    for ((from, how), server) in gone {
        let is_next = |other: &&ServerLife| {
            let alike = other.fleet == server.fleet && other.region == server.region && other.id > server.id;
            alike && other.created <= end && follows(other, server, from) && !successors.contains(&other.id)
        };
        let next = servers.iter().filter(is_next).min_by_key(|other| other.id);
        successors.extend(next.map(|next| next.id));
        let mut mine = attempts.get(&server.id).into_iter().flatten();
        let last = mine.rfind(|noted| noted.operation.started <= from);
        found.push(Incident {
            what: What::ServerLost(how),
            from,
            // It may have been started before the one that it follows was given up.
            to: next.map(|next| next.created.max(from)),
            place: place(Some(server)),
            ids: last.map(|noted| noted.operation.id).into_iter().collect(),
        });
    }
    found
}

/// When and how a server went, if it did.
fn gone(server: &ServerLife, end: DateTime<Utc>) -> Option<(DateTime<Utc>, Lost)> {
    match (server.offline_since, server.last_heartbeat) {
        (Some(since), _) if since <= end => Some((since, Lost::Offline)),
        (None, Some(heard)) if heard < end - ACTIVE_WITHIN => Some((heard, Lost::Silent)),
        _ => None,
    }
}

/// Times in which a server was asked several times in a row without a measurement.
fn failing(server: Option<&ServerLife>, attempts: &[&NotedAttempt]) -> Vec<Incident> {
    let fails = |noted: &&NotedAttempt| is_of_the_server(noted.operation.class);
    let mut found = Vec::new();
    let mut next = 0;
    for run in attempts.chunk_by(|one, other| fails(one) == fails(other)) {
        next += run.len();
        if run.len() < MIN_IN_A_ROW || !fails(&run[0]) {
            continue;
        }
        let mut classes: BTreeMap<OutcomeClass, usize> = BTreeMap::new();
        run.iter().for_each(|noted| *classes.entry(noted.operation.class).or_default() += 1);
        found.push(Incident {
            what: What::ServerFailing { classes },
            from: run[0].operation.started,
            to: attempts.get(next).map(|noted| noted.operation.started),
            place: place(server),
            ids: examples(run.iter().copied()),
        });
    }
    found
}

/// Whether the server or its machine is why nothing was measured.
fn is_of_the_server(class: OutcomeClass) -> bool {
    matches!(
        class,
        OutcomeClass::ServerUnreachable
            | OutcomeClass::ServerNotReady
            | OutcomeClass::ServerError
            | OutcomeClass::WrongNode
            | OutcomeClass::LocalLimit
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::TimeDelta;
    use parsec_measure::{ArchivedOperation, AttemptId, OperationKind, RoundId};
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000, 0).unwrap() + TimeDelta::minutes(minute)
    }

    fn server(id: i32, created: i64) -> ServerLife {
        ServerLife {
            id: NodeId(id),
            fleet: "default".to_owned(),
            region: "eu-central-1".to_owned(),
            peer_id: format!("12D3KooW{id}"),
            created: at(created),
            last_heartbeat: Some(at(100)),
            offline_since: None,
        }
    }

    fn attempt(minute: i64, class: OutcomeClass) -> NotedAttempt {
        let operation = ArchivedOperation {
            id: AttemptId(Uuid::from_u128(minute.unsigned_abs().into())),
            round: RoundId(Uuid::nil()),
            node: NodeId(1),
            kind: OperationKind::Provide,
            probe: 0,
            class,
            started: at(minute),
            duration: Duration::from_secs(1),
            from_own_records: false,
        };
        NotedAttempt { operation, ended: at(minute), written: at(minute) }
    }

    fn found(servers: &[ServerLife], attempts: &[NotedAttempt]) -> Vec<(What, i64, Option<i64>)> {
        let minute = |time: DateTime<Utc>| (time - at(0)).num_minutes();
        let history = History { servers: servers.to_vec(), attempts: attempts.to_vec(), ..History::default() };
        let told = find(&history, at(100)).into_iter();
        told.map(|incident| (incident.what, minute(incident.from), incident.to.map(minute))).collect()
    }

    #[test]
    fn a_server_that_went_is_back_when_another_starts_in_its_place() {
        let gone = ServerLife { offline_since: Some(at(40)), ..server(1, 0) };
        assert_eq!(found(&[server(1, 0)], &[]), []);
        assert_eq!(found(std::slice::from_ref(&gone), &[]), [(What::ServerLost(Lost::Offline), 40, None)]);
        assert_eq!(found(&[gone.clone(), server(2, 45)], &[]), [(What::ServerLost(Lost::Offline), 40, Some(45))]);
        let elsewhere = ServerLife { region: "us-east-2".to_owned(), ..server(2, 45) };
        assert_eq!(found(&[gone, elsewhere], &[]), [(What::ServerLost(Lost::Offline), 40, None)]);
    }

    #[test]
    fn one_of_several_servers_that_went_is_replaced_by_none_of_the_others() {
        let gone = ServerLife { offline_since: Some(at(40)), ..server(1, 0) };
        let lost = |next: Option<i64>| [(What::ServerLost(Lost::Offline), 40, next)];
        assert_eq!(found(&[gone.clone(), server(2, 0), server(3, 1)], &[]), lost(None));
        let before_it_went = server(4, 39);
        assert_eq!(found(&[gone.clone(), server(2, 0), before_it_went], &[]), lost(Some(40)), "there was no gap");
        let all_at_once = [gone, ServerLife { offline_since: Some(at(40)), ..server(2, 0) }];
        assert!(found(&all_at_once, &[]).iter().all(|(_, _, to)| to.is_none()));
    }

    #[test]
    fn a_server_that_says_nothing_any_more_is_silent() {
        let silent = ServerLife { last_heartbeat: Some(at(70)), ..server(1, 0) };
        assert_eq!(found(&[silent], &[]), [(What::ServerLost(Lost::Silent), 70, None)]);
        let starting = ServerLife { last_heartbeat: None, ..server(1, 99) };
        assert_eq!(found(&[starting], &[]), []);
    }

    #[test]
    fn a_server_that_fails_twice_in_a_row_is_told_until_it_measures_again() {
        use OutcomeClass::{NotFound, Ok, ServerUnreachable};
        let attempts = |classes: &[OutcomeClass]| -> Vec<_> {
            classes.iter().enumerate().map(|(minute, class)| attempt(minute as i64, *class)).collect()
        };
        let fine = attempts(&[Ok, ServerUnreachable, Ok, NotFound, NotFound, Ok]);
        assert_eq!(found(&[server(1, 0)], &fine), [], "once is nothing, and what the DHT does is not the server's");
        let failing = attempts(&[Ok, ServerUnreachable, ServerUnreachable, Ok]);
        let what = What::ServerFailing { classes: [(ServerUnreachable, 2)].into() };
        assert_eq!(found(&[server(1, 0)], &failing), [(what, 1, Some(3))]);
    }

    proptest! {
        #[test]
        fn nobody_takes_the_place_of_two(lives in proptest::collection::vec((0..90i64, proptest::option::of(0..90i64)), 0..12)) {
            let servers: Vec<_> = lives
                .iter()
                .enumerate()
                .map(|(id, (created, life))| {
                    let offline_since = life.map(|life| at(created + life));
                    ServerLife { offline_since, ..server(id as i32, *created) }
                })
                .collect();
            let lost = lost(&servers, &BTreeMap::new(), at(100));
            let gone = servers.iter().filter(|server| server.offline_since.is_some_and(|at_| at_ <= at(100))).count();
            prop_assert_eq!(lost.len(), gone);
            let back = lost.iter().filter(|incident| incident.to.is_some()).count();
            prop_assert!(back < servers.len().max(1));
            prop_assert!(lost.iter().all(|incident| incident.to.is_none_or(|to| to >= incident.from)));
        }
    }
}
