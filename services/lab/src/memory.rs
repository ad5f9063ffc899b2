//! Whether the machine has the memory that a local network takes. One that does not would swap, or be killed without a
//! word in the middle of its work.

use thiserror::Error;

/// What a live peer takes, most of it the 256 buckets of its routing table: 1.08 MB were measured for each of 1,000 peers of
/// whom 15 % cannot be dialled and take nothing, 1.32 MB for each live one of 10,000, and up to a tenth more with warm
/// connections or sockets.
const PEER: u64 = 1_450_000;

/// What a node takes that measures, with its connections and the other ends of them: 11 MB were measured for each server of a
/// demonstration of 100 peers, with a connection to each of them.
const NODE: u64 = 20_000_000;

/// What the process takes besides.
const PROCESS: u64 = 100_000_000;

/// What is left to everybody else.
const MARGIN: f64 = 0.05;

const GIGABYTE: f64 = 1e9;

/// A size for which there is not enough memory.
#[derive(Debug, Clone, PartialEq, Error)]
#[error(
    "{setting} {peers}: so many peers need about {:.1} GB of memory, and {:.1} GB are available; expected at most {most}",
    *needed as f64 / GIGABYTE,
    *available as f64 / GIGABYTE
)]
pub struct TooLarge {
    setting: &'static str,
    peers: u64,
    needed: u64,
    available: u64,
    most: u64,
}

/// A simulated network, of which a peer takes little.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Needs {
    /// Its peers.
    pub peers: u64,
    /// The bytes of each.
    pub each: u64,
    /// The bytes of everything else.
    pub besides: u64,
}

impl Needs {
    /// Whether there is room for it. Where the system does not say how much memory is available, there is.
    ///
    /// # Errors
    /// [`TooLarge`] with the number of peers that there is room for. `setting` names the number of peers.
    pub fn fit(self, available: Option<u64>, setting: &'static str) -> Result<(), TooLarge> {
        let Self { peers, each, besides } = self;
        let (Some(available), needed) = (available, peers * each + besides) else { return Ok(()) };
        let room = (available as f64 * (1.0 - MARGIN)) as u64;
        if needed <= room {
            return Ok(());
        }
        Err(TooLarge { setting, peers, needed, available, most: room.saturating_sub(besides) / each.max(1) })
    }
}

/// A local network that is to be started.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Size {
    /// Its peers.
    pub peers: u64,
    /// The share of them that cannot be dialled: they take no memory.
    pub undialable: f64,
    /// Nodes that take part in it besides.
    pub nodes: u64,
}

impl Size {
    fn bytes(self) -> u64 {
        let live = (self.peers as f64 * (1.0 - self.undialable)).ceil() as u64;
        live * PEER + self.nodes * NODE
    }

    /// How many such networks there is room for at the same time, at most `wanted`.
    ///
    /// # Errors
    /// [`TooLarge`] if there is room for none. Where the system does not say how much memory is available, there is.
    pub fn fitting(self, wanted: usize, available: Option<u64>, setting: &'static str) -> Result<usize, TooLarge> {
        let Some(available) = available else { return Ok(wanted) };
        let room = ((available as f64 * (1.0 - MARGIN)) as u64).saturating_sub(PROCESS);
        let fitting = usize::try_from(room / self.bytes().max(1)).unwrap_or(usize::MAX);
        if fitting > 0 {
            return Ok(fitting.min(wanted));
        }
        let (Self { peers, .. }, needed) = (self, self.bytes() + PROCESS);
        let for_peers = room.saturating_sub(self.nodes * NODE);
        let most = ((for_peers / PEER) as f64 / (1.0 - self.undialable)) as u64;
        Err(TooLarge { setting, peers, needed, available, most: most.min(peers.saturating_sub(1)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000_000_000;

    fn size(peers: u64) -> Size {
        Size { peers, undialable: 0.15, nodes: 2 }
    }

    #[test]
    fn a_size_that_needs_more_than_there_is_is_refused_with_the_figures_and_the_size_that_fits() {
        let error = size(10_000).fitting(2, Some(4 * GB), "--peers").unwrap_err();
        let TooLarge { most, .. } = error;
        assert_eq!(
            error.to_string(),
            format!(
                "--peers 10000: so many peers need about 12.5 GB of memory, and 4.0 GB are available; expected at most {most}"
            )
        );
        assert!((2_900..3_100).contains(&most), "{most}");
        assert_eq!(size(most).fitting(2, Some(4 * GB), "--peers"), Ok(1), "what is said to fit does");
        assert!(size(most + 2).fitting(2, Some(4 * GB), "--peers").is_err(), "and is the most that does");
    }

    #[test]
    fn ten_thousand_peers_of_each_of_two_strategies_at_once_need_what_they_were_seen_to_take() {
        let bytes = 2 * size(10_000).bytes() + PROCESS;
        assert!((22 * GB..26 * GB).contains(&bytes), "{bytes}");
        assert_eq!(
            size(10_000).fitting(2, Some(24 * GB), "--peers"),
            Ok(1),
            "one after the other, before it is refused"
        );
        assert_eq!(size(10_000).fitting(2, Some(30 * GB), "--peers"), Ok(2));
    }

    #[test]
    fn a_simulated_network_says_what_it_takes_before_it_is_drawn() {
        let needs = |peers| Needs { peers, each: 100, besides: GB };
        assert_eq!(needs(1_000_000).fit(Some(2 * GB), "peers ="), Ok(()));
        let error = needs(50_000_000).fit(Some(2 * GB), "peers =").unwrap_err();
        let words = "peers = 50000000: so many peers need about 6.0 GB of memory, and 2.0 GB are available; expected at most 9000000";
        assert_eq!(error.to_string(), words);
        assert_eq!(needs(error.most).fit(Some(2 * GB), "peers ="), Ok(()), "what is said to fit does");
        assert_eq!(needs(u64::from(u32::MAX)).fit(None, "peers ="), Ok(()));
    }

    #[test]
    fn where_the_system_does_not_say_anything_goes_and_with_nothing_left_nothing_does() {
        assert_eq!(size(10_000).fitting(3, None, "--peers"), Ok(3));
        for available in [0, 1, PROCESS] {
            let error = size(21).fitting(1, Some(available), "--peers").unwrap_err();
            assert_eq!(error.most, 0, "{error}");
        }
    }
}
