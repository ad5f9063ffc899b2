//! Traces without the addresses of strangers: peer ids are names that their owners made up, addresses lead to their homes.

use crate::{Trace, without_addresses};

impl Trace {
    /// The same without addresses: of providers that were named, and in the words of errors.
    #[must_use]
    pub fn without_addresses(mut self) -> Self {
        for request in &mut self.requests {
            request.named.iter_mut().for_each(|provider| provider.addresses.clear());
            for words in [&mut request.error, &mut request.unconfirmed].into_iter().flatten() {
                *words = without_addresses(words).into_owned();
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use crate::Trace;

    #[test]
    fn a_trace_keeps_everything_but_the_addresses_in_it() {
        let text = r#"{"strategy":"classic","returned":9,"requests":[{"peer":"QmA","kind":"GET_PROVIDERS","hop":0,"common_prefix":7,
            "asked":1,"ended":2,"end":"protocol","error":"reset (/ip4/192.0.2.9/tcp/4001)","providers":1,
            "named":[{"peer":"QmB","addresses":["/ip4/192.0.2.8/tcp/4001"]}],"unconfirmed":"closed by 192.0.2.9"}]}"#;
        let anonymous = serde_json::from_str::<Trace>(text).unwrap().without_addresses();
        let request = &anonymous.requests[0];
        assert_eq!(request.error.as_deref(), Some("reset (<address>)"));
        assert_eq!(request.unconfirmed.as_deref(), Some("closed by <address>"));
        assert_eq!((request.named[0].peer.as_str(), request.named[0].addresses.len()), ("QmB", 0));
        assert_eq!((request.peer.as_str(), request.providers), ("QmA", 1));
    }
}
