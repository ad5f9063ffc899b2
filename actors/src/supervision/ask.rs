//! Sending an actor a question: with a deadline, and with a single error type.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix::dev::ToEnvelope;
use actix::prelude::*;
use thiserror::Error;
use tokio::sync::Semaphore;

use super::signs::Signs;

/// How many questions of one kind may wait for one actor. actix limits a mailbox only for `try_send`; `send` always
/// finds room. This is more than the HTTP gateway's number of connections, so only a fault reaches it.
const MAX_WAITING: usize = 512;

/// Why an actor did not answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AskError {
    /// It is down or being restarted: asking again later may help.
    #[error("{0} is not running at the moment")]
    Unavailable(Arc<str>),
    /// The maximum number of questions already wait for its answers.
    #[error("{0} is busy: {MAX_WAITING} questions wait for it")]
    Busy(Arc<str>),
    /// It did not answer in time.
    #[error("{0} gave no answer within {1:?}")]
    TimedOut(Arc<str>, Duration),
    /// It crashed while it worked on this.
    #[error("{0} crashed while it worked on this")]
    Crashed(Arc<str>),
}

/// A way to ask one kind of question of one actor, real or fake.
///
/// The address behind it survives restarts. While the actor is down, asking fails at once instead of
/// queueing up behind a mailbox that nobody reads.
pub struct Ask<M>
where
    M: Message + Send,
    M::Result: Send,
{
    signs: Signs,
    recipient: Recipient<M>,
    deadline: Duration,
    places: Arc<Semaphore>,
}

impl<M> Ask<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    /// Asks this actor, which is not supervised: a fake in a test, for instance. `name` is for error messages.
    pub fn new<A>(name: &str, actor: Addr<A>, deadline: Duration) -> Self
    where
        A: Actor + Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        Self::supervised(Signs::of(name.into()), actor.recipient(), deadline)
    }

    pub(crate) fn supervised(signs: Signs, recipient: Recipient<M>, deadline: Duration) -> Self {
        Self { signs, recipient, deadline, places: Arc::new(Semaphore::new(MAX_WAITING)) }
    }

    /// Sends the message and waits for the answer, at most until the deadline.
    ///
    /// # Errors
    /// [`AskError`], naming the actor.
    pub async fn ask(&self, message: M) -> Result<M::Result, AskError> {
        let name = self.signs.name();
        if !self.signs.is_up() {
            return Err(AskError::Unavailable(name.clone()));
        }
        let _place = self.places.try_acquire().map_err(|_| AskError::Busy(name.clone()))?;
        let _waiting = self.signs.wait();
        self.recipient.send(message).timeout(self.deadline).await.map_err(|error| match error {
            MailboxError::Timeout => AskError::TimedOut(name.clone(), self.deadline),
            MailboxError::Closed if self.recipient.connected() => AskError::Crashed(name.clone()),
            MailboxError::Closed => AskError::Unavailable(name.clone()),
        })
    }
}

impl<M> Clone for Ask<M>
where
    M: Message + Send,
    M::Result: Send,
{
    fn clone(&self) -> Self {
        Self {
            signs: self.signs.clone(),
            recipient: self.recipient.clone(),
            deadline: self.deadline,
            places: Arc::clone(&self.places),
        }
    }
}

impl<M> fmt::Debug for Ask<M>
where
    M: Message + Send,
    M::Result: Send,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ask({})", self.signs.name())
    }
}
