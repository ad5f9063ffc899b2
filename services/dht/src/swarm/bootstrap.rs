//! The bootstrap peers: which ones there are, and the result of asking each.
//!
//! A node that cannot join reports the reason for each of them. Behind "the routing table is empty" there may be a
//! typing error, a firewall or a wrong network, and the operator has to know which.

use std::collections::HashMap;
use std::sync::Arc;

use libp2p::{PeerId, StreamProtocol};
use parking_lot::Mutex;
use parsec_measure::harmless;

use crate::swarm::rpc::RpcError;
use crate::wire::messages::NamedPeer;

/// How many bootstrap peers a sentence names; of further ones it gives only the number. Networks have four to eight.
const MAX_TOLD: usize = 8;

/// How much of a reason is reported: enough for an error of the system and the address that it is about.
const MAX_REASON_CHARS: usize = 160;

/// How many protocols of a peer are told, and how much of each name. A Kubo node has a dozen; the longest Kademlia protocol
/// of a known network has 71 characters.
const MAX_PROTOCOLS: usize = 3;
const MAX_PROTOCOL_CHARS: usize = 80;

/// The bootstrap peers of a node, shared by the code that asks them and the code that reports on them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bootstrap(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    peers: Vec<NamedPeer>,
    /// One of these they should speak.
    protocols: Vec<String>,
    /// One for each of the peers that was asked, and no others.
    doors: Mutex<HashMap<PeerId, Door>>,
}

/// What one of them has answered so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootstrapAnswer {
    /// Its peer id.
    pub peer: String,
    /// Whether it lets us in, and if not, why; `None` as long as it has not answered.
    pub answer: Option<Result<(), String>>,
}

/// What is known of one of them.
#[derive(Debug, Default)]
struct Door {
    is_being_asked: bool,
    last: Option<Answer>,
    /// The protocols that it says it speaks, those of Kademlia first; `None` until it has said so.
    speaks: Option<Vec<String>>,
}

/// The result of the last request.
#[derive(Debug)]
enum Answer {
    LetIn,
    /// It is connected, and does not speak our protocol.
    OfAnotherNetwork,
    Refused(String),
}

impl Bootstrap {
    /// These peers, each of which should speak one of these protocols.
    pub(crate) fn new(peers: Vec<NamedPeer>, protocols: Vec<String>) -> Self {
        Self(Arc::new(Inner { peers, protocols, doors: Mutex::default() }))
    }

    pub(crate) fn peers(&self) -> &[NamedPeer] {
        &self.0.peers
    }

    fn is_one(&self, peer: &PeerId) -> bool {
        self.0.peers.iter().any(|known| known.id == *peer)
    }

    /// Those that are not being asked already. From now on they count as being asked, until there is an answer.
    pub(crate) fn knock(&self) -> Vec<NamedPeer> {
        let mut doors = self.0.doors.lock();
        let at_rest =
            |peer: &&NamedPeer| !std::mem::replace(&mut doors.entry(peer.id).or_default().is_being_asked, true);
        self.0.peers.iter().filter(at_rest).cloned().collect()
    }

    /// A peer, one of these or any other, is being asked.
    pub(crate) fn asking(&self, peer: &PeerId) {
        if self.is_one(peer) {
            self.0.doors.lock().entry(*peer).or_default().is_being_asked = true;
        }
    }

    /// A peer, one of these or any other, has answered properly, or has not.
    pub(crate) fn answered(&self, peer: &PeerId, answer: Result<(), &RpcError>) {
        if !self.is_one(peer) {
            return;
        }
        let last = match answer {
            Ok(()) => Answer::LetIn,
            Err(RpcError::Unsupported) => Answer::OfAnotherNetwork,
            Err(error) => Answer::Refused(harmless(&error.in_words(), MAX_REASON_CHARS)),
        };
        let mut doors = self.0.doors.lock();
        let door = doors.entry(*peer).or_default();
        // That it is left alone for a while because of that failure would explain nothing.
        if !(matches!(answer, Err(RpcError::BackOff)) && matches!(door.last, Some(Answer::Refused(_)))) {
            door.last = Some(last);
        }
        door.is_being_asked = false;
    }

    /// A connected peer, one of these or any other, says which protocols it speaks.
    pub(crate) fn identified(&self, peer: &PeerId, protocols: &[StreamProtocol]) {
        if !self.is_one(peer) {
            return;
        }
        let mut names: Vec<_> = protocols.iter().map(|name| harmless(name.as_ref(), MAX_PROTOCOL_CHARS)).collect();
        names.sort_by_cached_key(|name| (!name.contains("kad"), name.clone()));
        self.0.doors.lock().entry(*peer).or_default().speaks = Some(names);
    }

    /// What each of them has answered so far.
    pub(crate) fn answers(&self) -> Vec<BootstrapAnswer> {
        let doors = self.0.doors.lock();
        let answer = |peer: &NamedPeer| {
            let door = doors.get(&peer.id)?;
            match door.last.as_ref()? {
                Answer::LetIn => Some(Ok(())),
                Answer::OfAnotherNetwork | Answer::Refused(_) => self.sentence(peer.id, door).map(Err),
            }
        };
        self.0.peers.iter().map(|peer| BootstrapAnswer { peer: peer.id.to_string(), answer: answer(peer) }).collect()
    }

    /// What a node lacks, and why, if the reason is that no bootstrap peer answers.
    pub(crate) fn explain(&self, lacking: &str) -> String {
        self.complaint().map_or_else(|| lacking.to_owned(), |why| format!("{lacking}; {why}"))
    }

    /// Why we cannot join, peer by peer; `None` if there is nothing to report.
    pub(crate) fn complaint(&self) -> Option<String> {
        let doors = self.0.doors.lock();
        let known = self.0.peers.iter().filter_map(|peer| Some((peer.id, doors.get(&peer.id)?)));
        let of_each: Vec<_> = known.clone().filter_map(|(peer, door)| self.sentence(peer, door)).collect();
        if of_each.is_empty() {
            return None;
        }
        if !known.clone().any(|(_, door)| matches!(door.last, Some(Answer::Refused(_) | Answer::OfAnotherNetwork))) {
            let (one, many) = ("1 bootstrap peer is", format!("{} bootstrap peers are", of_each.len()));
            return Some(format!("{} being asked", if of_each.len() == 1 { one } else { &many }));
        }
        let is_open = |(_, door): (PeerId, &Door)| matches!(door.last, Some(Answer::LetIn));
        let who = if known.clone().any(is_open) {
            "bootstrap peers that do not let us in"
        } else {
            "no bootstrap peer lets us in"
        };
        let more = of_each.len().saturating_sub(MAX_TOLD);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        Some(format!("{who}: {}{more}", of_each[..of_each.len().min(MAX_TOLD)].join("; ")))
    }

    fn sentence(&self, peer: PeerId, door: &Door) -> Option<String> {
        let ours = || self.0.protocols.join(" or ");
        let is_ours = |name| self.0.protocols.contains(name);
        match (&door.last, &door.speaks) {
            (Some(Answer::LetIn), _) => None,
            (Some(Answer::Refused(reason)), _) => Some(format!("{peer}: {reason}")),
            (Some(Answer::OfAnotherNetwork), Some(names)) if !names.is_empty() && !names.iter().any(is_ours) => {
                let more = names.len().saturating_sub(MAX_PROTOCOLS);
                let more = if more > 0 { format!(" ({more} more)") } else { String::new() };
                let names = names[..names.len().min(MAX_PROTOCOLS)].join(", ");
                Some(format!("{peer} speaks {names}{more} and not {}", ours()))
            }
            (Some(Answer::OfAnotherNetwork), _) => Some(format!("{peer} does not speak {}", ours())),
            (None, _) if door.is_being_asked => Some(format!("{peer}: no answer yet")),
            (None, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const OURS: &str = "/fil/kad/testnetnet/kad/1.0.0";

    fn bootstrap<const N: usize>() -> (Bootstrap, [PeerId; N]) {
        let ids = [(); N].map(|()| PeerId::random());
        let peers = ids.iter().map(|id| NamedPeer { id: *id, addresses: vec![] }).collect();
        (Bootstrap::new(peers, vec![OURS.to_owned()]), ids)
    }

    fn protocols(names: &[&str]) -> Vec<StreamProtocol> {
        names.iter().map(|name| StreamProtocol::try_from_owned((*name).to_owned()).unwrap()).collect()
    }

    #[test]
    fn each_peer_has_its_own_reason_and_the_newest_counts() {
        let (bootstrap, [refused, silent, late]) = bootstrap();
        assert_eq!(bootstrap.complaint(), None, "nobody has been asked");
        assert_eq!(bootstrap.knock().len(), 3);
        assert_eq!(bootstrap.complaint().unwrap(), "3 bootstrap peers are being asked");
        bootstrap.answered(&refused, Err(&RpcError::Dial("no route".to_owned())));
        bootstrap.answered(&refused, Err(&RpcError::Dial("connection refused".to_owned())));
        bootstrap.answered(&refused, Err(&RpcError::BackOff));
        bootstrap.answered(&silent, Err(&RpcError::Timeout(Duration::from_secs(10))));
        assert_eq!(
            bootstrap.complaint().unwrap(),
            format!(
                "no bootstrap peer lets us in: {refused}: dial failed: connection refused; {silent}: no answer within 10 s; \
                 {late}: no answer yet"
            )
        );
        bootstrap.answered(&late, Ok(()));
        bootstrap.answered(&silent, Ok(()));
        let rest = format!("bootstrap peers that do not let us in: {refused}: dial failed: connection refused");
        assert_eq!(bootstrap.complaint(), Some(rest));
    }

    #[test]
    fn each_peer_has_an_answer_once_it_has_given_one() {
        let (bootstrap, [open, refused, silent]) = bootstrap();
        let answers = || bootstrap.answers().into_iter().map(|one| (one.peer, one.answer)).collect::<Vec<_>>();
        let name = |peer: libp2p::PeerId| peer.to_string();
        assert_eq!(answers(), [(name(open), None), (name(refused), None), (name(silent), None)]);
        bootstrap.knock();
        bootstrap.answered(&open, Ok(()));
        bootstrap.answered(&refused, Err(&RpcError::Dial("connection refused".to_owned())));
        let why = format!("{refused}: dial failed: connection refused");
        assert_eq!(answers(), [(name(open), Some(Ok(()))), (name(refused), Some(Err(why))), (name(silent), None)]);
    }

    #[test]
    fn who_is_being_asked_is_not_asked_again() {
        let (bootstrap, [one, other]) = bootstrap();
        assert_eq!(bootstrap.knock().len(), 2);
        bootstrap.answered(&one, Err(&RpcError::Stopping));
        assert_eq!(bootstrap.knock().iter().map(|peer| peer.id).collect::<Vec<_>>(), [one]);
        bootstrap.answered(&other, Ok(()));
        assert_eq!(bootstrap.knock().iter().map(|peer| peer.id).collect::<Vec<_>>(), [other]);
    }

    #[test]
    fn who_is_of_another_network_is_said_to_be_with_what_it_speaks() {
        let (bootstrap, [amino, mute]) = bootstrap();
        let ping = ["/ipfs/ping/1.0.0", "/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0", "/ipfs/kad/1.0.0"];
        bootstrap.identified(&amino, &protocols(&ping));
        bootstrap.answered(&amino, Err(&RpcError::Unsupported));
        bootstrap.answered(&mute, Err(&RpcError::Unsupported));
        assert_eq!(
            bootstrap.complaint().unwrap(),
            format!(
                "no bootstrap peer lets us in: {amino} speaks /ipfs/kad/1.0.0, /ipfs/id/1.0.0, /ipfs/id/push/1.0.0 (1 more) \
                 and not {OURS}; {mute} does not speak {OURS}"
            )
        );
    }

    #[test]
    fn what_strangers_say_is_short_and_harmless_and_others_are_not_kept() {
        let (bootstrap, ids) = bootstrap::<20>();
        let hostile = format!("/\u{1b}[2J\u{202e}{}", "kad".repeat(1_000));
        for peer in &ids {
            bootstrap.identified(peer, &protocols(&vec![hostile.as_str(); 50]));
            bootstrap.answered(peer, Err(&RpcError::Unsupported));
        }
        let complaint = bootstrap.complaint().unwrap();
        assert!(!complaint.chars().any(parsec_measure::is_harmful), "{complaint:?}");
        assert!(complaint.len() < 4_000 && complaint.ends_with("; and 12 more"), "{complaint}");

        for _ in 0..1_000 {
            bootstrap.identified(&PeerId::random(), &protocols(&[OURS]));
            bootstrap.answered(&PeerId::random(), Err(&RpcError::Stopping));
            bootstrap.asking(&PeerId::random());
        }
        assert_eq!(bootstrap.0.doors.lock().len(), 20);
    }
}
