//! Duty: the root of a process's supervision tree.
//!
//! Logs and counts the crashes of the actors below it. When one of them crashes too often to be kept alive, it reports
//! that. The process then ends, and whatever started the process decides what to do.

use std::sync::Arc;

use actix::prelude::*;
use tokio::sync::watch;

use super::events::{ChildEvent, ChildState, CrashCounter, GivenUp};

/// How many reports may wait: enough for every actor of a process to crash several times in quick succession.
const MAILBOX: usize = 256;

/// See the module's documentation.
#[derive(Debug)]
pub struct Root {
    crashes: Arc<dyn CrashCounter>,
    fatal: watch::Sender<Option<GivenUp>>,
}

impl Root {
    /// A root, and the place where it reports that an actor was given up. Only the first such report is kept.
    pub fn new(crashes: Arc<impl CrashCounter>) -> (Self, watch::Receiver<Option<GivenUp>>) {
        let (fatal, receiver) = watch::channel(None);
        (Self { crashes, fatal }, receiver)
    }
}

impl Actor for Root {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<ChildEvent> for Root {
    type Result = ();

    fn handle(&mut self, event: ChildEvent, _: &mut Self::Context) {
        event.note(&*self.crashes);
        if let ChildState::Down(given_up) = event.state {
            self.fatal.send_if_modified(|fatal| {
                let first = fatal.is_none();
                fatal.get_or_insert(given_up);
                first
            });
        }
    }
}
