//! Whether a peer has accepted the record that was written to it. ADD_PROVIDER has no answer; all that comes back is
//! the end of the stream: clean if the peer has handled the request, a reset if it has not.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

/// The known state of one put: unknown at first, then one result, which stays. Shared between the log of the operation
/// and the code that reads the stream to its end. If the stream is given up without an end (because the node stops), it
/// stays unknown.
#[derive(Debug, Clone)]
pub(crate) struct Confirmation(Arc<watch::Sender<Option<Result<Instant, String>>>>);

impl Default for Confirmation {
    fn default() -> Self {
        Self(Arc::new(watch::channel(None).0))
    }
}

impl Confirmation {
    /// The peer ended its side of the stream cleanly, at this time.
    pub(crate) fn confirmed(&self, at: Instant) {
        self.tell(Ok(at));
    }

    /// It did not, and why.
    pub(crate) fn refused(&self, reason: impl Into<String>) {
        self.tell(Err(reason.into()));
    }

    fn tell(&self, word: Result<Instant, String>) {
        self.0.send_if_modified(|known| {
            let first = known.is_none();
            known.get_or_insert(word);
            first
        });
    }

    /// What is known so far.
    pub(crate) fn read(&self) -> Option<Result<Instant, String>> {
        self.0.borrow().clone()
    }

    /// Waits until the result is known.
    pub(crate) async fn known(&self) {
        // It fails only without a sender, which is a part of self.
        let _ = self.0.subscribe().wait_for(Option::is_some).await;
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn the_first_word_stays_and_everybody_hears_it() {
        let (ours, now) = (Confirmation::default(), Instant::now());
        let theirs = ours.clone();
        assert_eq!((ours.read(), ours.known().now_or_never()), (None, None));
        theirs.refused("reset");
        theirs.confirmed(now);
        ours.known().await;
        assert_eq!(ours.read(), Some(Err("reset".to_owned())));
        let other = Confirmation::default();
        other.confirmed(now);
        assert_eq!((other.read(), ours.read()), (Some(Ok(now)), Some(Err("reset".to_owned()))));
    }
}
