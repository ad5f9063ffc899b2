//! Servers as a scheduler sees them, each failing in its own way.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parsec_api::client::{Answered, CallError, Caller, ServerApi};
use parsec_measure::{AttemptId, Cid, Content, Endpoint, FoundProvider, Measured, OutcomeClass};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::{cid, endpoint, measured, peer_id, until};

/// The three endpoints of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Question {
    Readiness,
    Provide,
    Retrieve,
}

/// How a server takes a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum How {
    #[default]
    Works,
    /// It works, and takes this long.
    Slow(Duration),
    NotReady,
    Unreachable,
    /// It gives no answer until this changes.
    Hangs,
    /// It measures an operation that fails.
    Measures(OutcomeClass),
    /// It works, and says whom it found.
    Says(Finds),
    /// It answers for content that nobody asked about.
    OtherContent,
    /// It works, and writes the key as a CIDv1, as JavaScript servers do.
    VersionOne,
    /// It works, and it is another node that answers.
    Another,
    /// It works, and does not say who answers, as servers of other makes do not.
    Anonymous,
    /// It has the record itself, and asks nobody (lookups only).
    KnowsItself,
    /// Whoever asks it panics.
    Panics,
    /// It does its work, and gives no sign of life (engines only).
    Stuck,
}

/// Whom a server says that it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finds {
    /// Who had published.
    Publisher,
    /// Somebody else, whom a liar named.
    Stranger,
    /// Both.
    Both,
}

/// One call, as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) server: Endpoint,
    pub(crate) question: Question,
    pub(crate) scheduler: String,
    /// Under which attempt; nobody asks for readiness under one.
    pub(crate) attempt: Option<AttemptId>,
    pub(crate) cid: String,
    pub(crate) at: Instant,
}

#[derive(Debug, Default)]
struct State {
    how: BTreeMap<(String, Question), How>,
    asked: Vec<Asked>,
    under_way: usize,
    /// Multihashes that have been published, and at which server.
    published: BTreeMap<Vec<u8>, Endpoint>,
}

impl State {
    fn how(&self, server: &Endpoint, question: Question) -> How {
        self.how.get(&(server.to_string(), question)).copied().unwrap_or_default()
    }
}

/// All servers. Those of whom nothing else was said work at once.
#[derive(Debug)]
pub(crate) struct FakeServers {
    state: watch::Sender<State>,
}

impl FakeServers {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { state: watch::channel(State::default()).0 })
    }

    /// From now on, node `id` takes this question like that.
    pub(crate) fn takes(&self, id: u8, question: Question, how: How) {
        self.state.send_modify(|state| {
            state.how.insert((endpoint(id).to_string(), question), how);
        });
    }

    /// The calls of one kind, in the order in which they came.
    pub(crate) fn asked(&self, question: Question) -> Vec<Asked> {
        self.state.borrow().asked.iter().filter(|asked| asked.question == question).cloned().collect()
    }

    /// Waits until node `id` has been asked this `times` times.
    pub(crate) async fn until_asked(&self, id: u8, question: Question, times: usize) {
        let it = |asked: &&Asked| asked.server == endpoint(id) && asked.question == question;
        let condition = |state: &State| state.asked.iter().filter(it).count() >= times;
        until(&self.state, &format!("node {id} is asked for {question:?} {times} times"), condition).await;
    }

    async fn take(
        &self,
        server: &Endpoint,
        question: Question,
        caller: Option<Caller<'_>>,
        cid: &str,
    ) -> Result<How, CallError> {
        let (attempt, at, cid) = (caller.map(|caller| caller.attempt), Instant::now(), cid.to_owned());
        let scheduler = caller.map(|caller| caller.scheduler_id.to_owned()).unwrap_or_default();
        let asked = Asked { server: *server, question, scheduler, attempt, cid, at };
        self.state.send_modify(|state| state.asked.push(asked));
        let how = {
            let mut states = self.state.subscribe();
            let awake = states.wait_for(|state| state.how(server, question) != How::Hangs).await;
            awake.expect("the sender is a part of self").how(server, question)
        };
        match how {
            How::Slow(duration) => sleep(duration).await,
            How::NotReady => return Err(CallError::NotReady { reason: "not ready, as ordered".to_owned() }),
            How::Unreachable => return Err(CallError::Unreachable { reason: "gone, as ordered".to_owned() }),
            How::Panics => panic!("the call to {server} broke"),
            _ => {}
        }
        Ok(how)
    }

    fn answer(server: &Endpoint, key: &Cid, how: How, class: OutcomeClass, providers: Vec<FoundProvider>) -> Answered {
        let (class, duration) = match how {
            How::Measures(class) => (class, Duration::from_millis(20)),
            How::Slow(duration) => (class, duration),
            _ => (class, Duration::from_millis(20)),
        };
        let cid = match how {
            How::OtherContent => cid(0).to_string(),
            How::VersionOne => version_one(key),
            _ => key.to_string(),
        };
        let from_own_records = how == How::KnowsItself;
        let measured = Measured { providers, from_own_records, ..measured(class, duration) };
        Answered { cid, measured, peer: who(server, how) }
    }
}

/// Whose peer id stands in the answer.
fn who(server: &Endpoint, how: How) -> Option<String> {
    let IpAddr::V4(address) = server.socket().ip() else { unreachable!("fakes have IPv4 addresses") };
    let [.., id] = address.octets();
    match how {
        How::Anonymous => None,
        How::Another => Some(peer_id(STRANGER)),
        _ => Some(peer_id(id)),
    }
}

/// The stranger and the liar that some name.
pub(crate) const STRANGER: u8 = 201;
pub(crate) const LIAR: u8 = 202;

pub(super) fn found(finds: Finds, publisher: &Endpoint) -> Vec<FoundProvider> {
    let IpAddr::V4(address) = publisher.socket().ip() else { unreachable!("fakes have IPv4 addresses") };
    let named = |id| FoundProvider { peer: peer_id(id), addresses: vec![], named_by: Some(peer_id(LIAR)) };
    let [.., publisher] = address.octets();
    match finds {
        Finds::Publisher => vec![named(publisher)],
        Finds::Stranger => vec![named(STRANGER)],
        Finds::Both => vec![named(STRANGER), named(publisher)],
    }
}

/// The same key as a CIDv1 of raw bytes: multibase base32, version, codec, multihash.
fn version_one(key: &Cid) -> String {
    let bytes: Vec<u8> = [vec![1, 0x55], key.multihash()].concat();
    let bit = |index: usize| bytes.get(index / 8).map_or(0, |byte| byte >> (7 - index % 8) & 1);
    let symbol = |place: usize| (0..5).fold(0, |symbol, offset| symbol << 1 | bit(5 * place + offset));
    let text: String = (0..(bytes.len() * 8).div_ceil(5))
        .map(|place| char::from(b"abcdefghijklmnopqrstuvwxyz234567"[usize::from(symbol(place))]))
        .collect();
    format!("b{text}")
}

#[async_trait]
impl ServerApi for FakeServers {
    async fn readiness(&self, server: &Endpoint) -> Result<Option<String>, CallError> {
        let how = self.take(server, Question::Readiness, None, "").await?;
        Ok(who(server, how))
    }

    async fn provide(&self, server: &Endpoint, caller: Caller<'_>, content: &Content) -> Result<Answered, CallError> {
        let key = content.cid();
        let how = self.take(server, Question::Provide, Some(caller), &key.to_string()).await?;
        self.state.send_modify(|state| {
            state.published.insert(key.multihash(), *server);
        });
        Ok(Self::answer(server, &key, how, OutcomeClass::Ok, vec![]))
    }

    async fn retrieve(&self, server: &Endpoint, caller: Caller<'_>, cid: &str) -> Result<Answered, CallError> {
        let how = self.take(server, Question::Retrieve, Some(caller), cid).await?;
        let key: Cid = cid.parse().expect("schedulers ask for CIDs");
        let publisher = self.state.borrow().published.get(&key.multihash()).copied();
        let class = if publisher.is_some() { OutcomeClass::Ok } else { OutcomeClass::NotFound };
        let providers = match (how, publisher) {
            (How::Says(finds), Some(publisher)) => found(finds, &publisher),
            _ => vec![],
        };
        Ok(Self::answer(server, &key, how, class, providers))
    }
}
