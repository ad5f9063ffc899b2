//! Whether a peer has taken in the record that was written to it. ADD_PROVIDER has no answer: what comes back is the end of
//! the stream, clean if the peer has handled the request, a reset if it has not.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

/// What is known of one put: nothing at first, then one word, which stays. Shared between the log of the operation and
/// whoever reads the stream to its end. One whose stream is given up without an end (the node stops) is never told.
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

    /// Waits until something is.
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
