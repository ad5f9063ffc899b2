//! Ports as the original's tables can hold them.

use thiserror::Error;

/// A port up to 32767: the columns `server_port` and `peer_port` of `nodes_ecs` are SMALLINT, which has a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ServerPort(i16);

/// A port that the columns cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "port {0} is over 32767: the columns server_port and peer_port of nodes_ecs are SMALLINT \
     (the original writes a wrong number instead); choose a lower one"
)]
pub struct PortTooHigh(pub u16);

impl ServerPort {
    /// The port.
    pub fn get(self) -> u16 {
        self.0.cast_unsigned()
    }

    pub(crate) fn column(self) -> i16 {
        self.0
    }
}

impl TryFrom<u16> for ServerPort {
    type Error = PortTooHigh;

    fn try_from(port: u16) -> Result<Self, PortTooHigh> {
        i16::try_from(port).map(Self).map_err(|_| PortTooHigh(port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_would_wrap_is_refused_with_the_reason() {
        assert_eq!(ServerPort::try_from(32_767).unwrap().get(), 32_767);
        let message = ServerPort::try_from(32_768).unwrap_err().to_string();
        assert!(message.starts_with("port 32768 is over 32767: the columns server_port and peer_port"), "{message}");
    }
}
