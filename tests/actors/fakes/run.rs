//! Something that is done with an actor from inside, for tests of crashes.

use actix::prelude::*;
use parsec_actors::recording::recorder::Recorder;
use parsec_actors::scheduling::fleet::Fleet;
use parsec_actors::scheduling::scheduler::Scheduler;
use parsec_actors::serving::dht_node::DhtNode;
use parsec_actors::serving::gateway::Gateway;
use parsec_actors::serving::heartbeat::Heartbeat;
use parsec_actors::serving::verifier::Verifier;
use parsec_actors::telemetry::Telemetry;
use parsec_actors::viewing::archive::Archive;
use tokio::time::sleep;

use super::millis;

/// Something that is done with an actor, from inside.
type Deed<A> = Box<dyn FnOnce(&mut A, &mut <A as Actor>::Context) + Send>;

/// Do this.
pub(crate) struct Run<A: Actor>(Deed<A>);

impl<A: Actor> Message for Run<A> {
    type Result = ();
}

impl<A: Actor<Context = Context<A>>> Run<A> {
    pub(crate) fn nothing() -> Self {
        Self(Box::new(|_, _| {}))
    }

    pub(crate) fn panicking() -> Self {
        Self(Box::new(|_, _| panic!("in a handler")))
    }

    pub(crate) fn panicking_in_a_timer() -> Self {
        Self(Box::new(|_, context| {
            context.run_later(millis(5), |_, _| panic!("in a timer"));
        }))
    }

    pub(crate) fn panicking_in_a_future() -> Self {
        Self(Box::new(|actor, context| {
            let panicking = async {
                sleep(millis(5)).await;
                panic!("in a future");
            };
            context.spawn(panicking.into_actor(actor));
        }))
    }
}

impl<A: Actor<Context = Context<A>>> Run<A> {
    /// Reads no more mail.
    pub(crate) fn hanging() -> Self {
        Self(Box::new(|actor, context| context.wait(std::future::pending().into_actor(actor))))
    }
}

macro_rules! runs {
    ($($actor:ty),*) => {$(
        impl Handler<Run<$actor>> for $actor {
            type Result = ();

            fn handle(&mut self, Run(run): Run<$actor>, context: &mut Self::Context) {
                run(self, context);
            }
        }
    )*};
}

runs!(Archive, DhtNode, Heartbeat, Verifier, Gateway, Recorder, Telemetry, Scheduler, Fleet);
