//! How the servers of somebody else's misbehave, of which there is one in each fleet.

use std::time::Duration;

use parsec_test_support::hostile::Mode;
use parsec_test_support::proxy::Way;
use parsec_test_support::stranger::Stranger;

use crate::plan::Manner;

/// How a server can be bad.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Badness {
    /// At publishing and looking up.
    Measures(Mode),
    /// At saying whether it is ready.
    Readies(Mode),
    /// It cannot be reached well.
    Wire(Way),
}

/// Every manner, with its name in reports. What takes time takes more of it than the scheduler of a run has.
pub(crate) const MANNERS: [(&str, Badness); 16] = [
    ("fails", Badness::Measures(Mode::Fails)),
    ("is mute", Badness::Measures(Mode::Mute)),
    ("answers too late", Badness::Measures(Mode::Late(Duration::from_secs(20)))),
    ("hangs up", Badness::Measures(Mode::HangsUp)),
    ("resets in the middle", Badness::Measures(Mode::Resets)),
    ("answers garbage", Badness::Measures(Mode::Garbage)),
    ("answers 10 GB", Badness::Measures(Mode::TenGigabytes)),
    ("answers without an end", Badness::Measures(Mode::EndlessBody)),
    ("drips", Badness::Measures(Mode::Drips(Duration::from_millis(500)))),
    ("is busy", Badness::Measures(Mode::Busy)),
    ("is not ready", Badness::Readies(Mode::NotReady)),
    ("is mute about being ready", Badness::Readies(Mode::Mute)),
    ("is refused", Badness::Wire(Way::Refused)),
    ("is reset", Badness::Wire(Way::Reset)),
    ("hangs", Badness::Wire(Way::Hanging)),
    ("is slow", Badness::Wire(Way::Slow(Duration::from_millis(200)))),
];

/// The stranger behaves so from now on.
pub(crate) async fn behaves(stranger: &Stranger, Manner(manner): Manner) {
    match MANNERS[manner].1 {
        Badness::Measures(mode) => stranger.server.measures(mode),
        Badness::Readies(mode) => stranger.server.is_ready(mode),
        Badness::Wire(way) => stranger.wire.set(way).await,
    }
}

/// The stranger behaves well from now on.
pub(crate) async fn behaves_well(stranger: &Stranger) {
    stranger.server.measures(Mode::Honest);
    stranger.server.is_ready(Mode::Honest);
    stranger.wire.set(Way::Open).await;
}
