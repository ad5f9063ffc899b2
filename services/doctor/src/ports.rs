//! Whether the ports are free, or who has them, and who can reach them.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use parsec_api::place::HostPort;
use parsec_settings::ServerConfig;
use parsec_show::findings::Finding;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long whoever has a port may take to say who it is.
const ANSWER: Duration = Duration::from_secs(2);

/// How much of its answer is read.
const MAX_ANSWER_BYTES: u64 = 4 * 1024;

/// All three.
pub(super) async fn look(server: &ServerConfig) -> Vec<Finding> {
    let mut found = Vec::new();
    found.push(http("HTTP API", "--server-port", &server.api, "/readiness").await);
    found.push(http("telemetry", "--telemetry-port", &server.telemetry.listen, "/status").await);
    found.extend(libp2p(server));
    found
}

/// A port for HTTP. Whoever has it is asked for `path`, which a process of ours answers.
async fn http(what: &'static str, flag: &str, place: &HostPort, path: &str) -> Finding {
    let address = match place.resolve() {
        Ok(address) => address,
        Err(error) => {
            return Finding::error(what, format!("host `{}`: {error}", place.host), "give one that has an address");
        }
    };
    match TcpListener::bind(address).map(drop) {
        Ok(()) if address.port() == 0 => Finding::ok(what, format!("takes a free port of {}", address.ip())),
        Ok(()) => Finding::ok(what, format!("{address} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => match ask(address, path).await {
            Some(status) => Finding::warning(
                what,
                format!("{address} is in use, by something that answers GET {path} with {status}"),
                format!(
                    "if a process of parsec runs here already, that is right for it; another one needs another port ({flag})"
                ),
            ),
            None => Finding::error(
                what,
                format!("{address} is in use, by something that does not answer GET {path}"),
                format!("stop what has it, or choose another port ({flag})"),
            ),
        },
        Err(error) => refused(what, flag, address, &error),
    }
}

fn refused(what: &'static str, flag: &str, address: SocketAddr, error: &std::io::Error) -> Finding {
    let advice = match error.kind() {
        ErrorKind::AddrNotAvailable => "give an address of this machine, or 0.0.0.0 for all of them".to_owned(),
        ErrorKind::PermissionDenied => format!("choose a port from 1024 on ({flag})"),
        _ => format!("choose another port ({flag})"),
    };
    Finding::error(what, format!("cannot listen on {address}: {error}"), advice)
}

/// The status line of whoever listens there; `None` if it speaks no HTTP in time.
async fn ask(mut address: SocketAddr, path: &str) -> Option<String> {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            [127, 0, 0, 1].into()
        } else {
            IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1u16])
        });
    }
    let answer = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        stream.take(MAX_ANSWER_BYTES).read_to_end(&mut answer).await.ok()?;
        let answer = String::from_utf8_lossy(&answer);
        let status = answer.lines().next()?.strip_prefix("HTTP/1.")?.split_once(' ')?.1;
        Some(parsec_measure::harmless(status, 40))
    };
    timeout(ANSWER, answer).await.ok().flatten()
}

/// The port of the libp2p host, TCP and UDP, and who can reach it.
fn libp2p(server: &ServerConfig) -> Vec<Finding> {
    const WHAT: &str = "peer port";
    const FLAG: &str = "--peer-port";
    let address = match server.peer.resolve() {
        Ok(address) => address,
        Err(error) => {
            return vec![Finding::error(
                WHAT,
                format!("host `{}`: {error}", server.peer.host),
                "give one that has an address",
            )];
        }
    };
    let bound = TcpListener::bind(address).map(drop).map_err(|error| ("TCP", error));
    let bound = bound.and_then(|()| UdpSocket::bind(address).map(drop).map_err(|error| ("UDP", error)));
    let mut found = vec![match bound {
        Ok(()) if address.port() == 0 => Finding::ok(WHAT, format!("takes a free port of {}", address.ip())),
        Ok(()) => Finding::ok(WHAT, format!("{address} is free, TCP and UDP")),
        Err((protocol, error)) if error.kind() == ErrorKind::AddrInUse => Finding::error(
            WHAT,
            format!("{address} is in use ({protocol})"),
            format!(
                "if it is the server that this is about, all is well; otherwise stop what has it, or choose another ({FLAG})"
            ),
        ),
        Err((_, error)) => refused(WHAT, FLAG, address, &error),
    }];
    found.push(reach(server, address.ip()));
    found
}

/// Who can reach the libp2p host, as far as that is known without asking somebody outside.
fn reach(server: &ServerConfig, ip: IpAddr) -> Finding {
    const WHAT: &str = "reach";
    let external = server.dht.external_addresses.as_ref().filter(|addresses| !addresses.is_empty());
    if let Some(addresses) = external {
        return Finding::ok(
            WHAT,
            format!("{} is announced; whether it leads here is for peers outside to find out", addresses.join(", ")),
        );
    }
    let role = if server.server_mode { "" } else { "; without --server-mode nobody else has to" };
    if ip.is_loopback() {
        let said = format!("only this machine can connect to {ip}{role}");
        return if server.server_mode {
            Finding::warning(WHAT, said, "listen on an address that others reach: --peer-host 0.0.0.0")
        } else {
            Finding::ok(WHAT, said)
        };
    }
    let outside = if ip.is_unspecified() { parsec_host::machine::address_towards(OUTSIDE, 1) } else { Some(ip) };
    let Some(outside) = outside else {
        let said = "this machine has no way to addresses outside of it";
        return Finding::warning(WHAT, said, "see that it has a route, if the peers are not all on this machine");
    };
    if is_private(outside) {
        let said = format!("{outside} is a private address: behind a NAT, peers outside cannot connect{role}");
        return if server.server_mode {
            let advice = format!(
                "forward port {} (TCP and UDP) and announce the public address (--external-addresses)",
                server.peer.port
            );
            Finding::warning(WHAT, said, advice)
        } else {
            Finding::ok(WHAT, said)
        };
    }
    Finding::ok(WHAT, format!("{outside} is a public address; a firewall before it cannot be seen from here"))
}

/// An address of the documentation (RFC 5737): the way to it is the way out. Nothing is sent.
const OUTSIDE: &str = "192.0.2.1";

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            // The last are the addresses that carriers share (RFC 6598).
            ip.is_private() || ip.is_link_local() || (first == 100 && second & 0xc0 == 64)
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parsec_show::findings::Level;

    #[tokio::test]
    async fn a_port_is_free_or_it_is_said_what_answers_there() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let place = HostPort { host: "127.0.0.1".to_owned(), port: listener.local_addr().unwrap().port() };
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 256];
            let _ = stream.read(&mut request).await.unwrap();
            stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\n\r\n").await.unwrap();
        };
        let (found, ()) = tokio::join!(http("HTTP API", "--server-port", &place, "/readiness"), server);
        assert_eq!(found.level, Level::Warning, "{found:?}");
        assert!(found.said.ends_with("answers GET /readiness with 503 Service Unavailable"), "{found:?}");
        drop(listener);
        let found = http("HTTP API", "--server-port", &place, "/readiness").await;
        assert_eq!(found.said, format!("127.0.0.1:{} is free", place.port));
    }

    #[tokio::test]
    async fn an_address_of_another_machine_cannot_be_listened_on() {
        let place = HostPort { host: OUTSIDE.to_owned(), port: 7_070 };
        let found = http("HTTP API", "--server-port", &place, "/readiness").await;
        assert_eq!(found.level, Level::Error);
        assert!(found.advice.is_some_and(|advice| advice.contains("of this machine")));
    }

    #[test]
    fn private_addresses_are_those_that_no_peer_outside_reaches() {
        for (address, private) in [
            ("10.1.2.3", true),
            ("192.168.0.9", true),
            ("100.64.0.1", true),
            ("100.128.0.1", false),
            ("fd00::1", true),
            ("8.8.8.8", false),
        ] {
            assert_eq!(is_private(address.parse().unwrap()), private, "{address}");
        }
    }
}
