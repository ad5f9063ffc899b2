//! Many keys published at once, without a network.

use actix::prelude::*;
use parsec_actors::serving::dht_node::{OperationError, ProvideMany};
use parsec_measure::{Cid, OutcomeClass, ProvidedMany};

use super::dht::MockDht;
use super::{measured, provided};

impl Handler<ProvideMany> for MockDht {
    type Result = Result<ProvidedMany, OperationError>;

    fn handle(&mut self, ProvideMany { cids, manner }: ProvideMany, _: &mut Self::Context) -> Self::Result {
        self.records.lock().extend(cids.iter().map(Cid::multihash));
        Ok(provided(cids, manner, &measured(OutcomeClass::Ok, self.takes)))
    }
}
