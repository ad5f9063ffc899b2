//! The HTTP server beneath a gateway. `actix_web::HttpServer` sees a connection only after its handshake of TLS, when it has
//! held a place among the connections for seconds. Here each connection is looked at when it is accepted.

use std::fmt::Debug;
use std::future::ready;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_http::{Extensions, HttpService, Protocol, Request, Response};
use actix_server::{GracefulShutdownSignal, Server, ServerBuilder};
use actix_service::{IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_tls::accept::rustls_0_23::{Acceptor, TlsStream};
use actix_web::body::MessageBody;
use actix_web::dev::AppConfig;
use actix_web::rt::net::TcpStream;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};

use super::connections::{Connection, Connections};
use super::held;
use super::limits::Limits;

/// A connection with what is known of it.
type Held = held::Held<Connection>;

/// How many connections that are about to be closed may be open besides: a flood is refused as fast as it comes, and
/// whoever comes after it does not wait.
const SLACK: usize = 256;

/// How a server is set up.
pub(super) struct Setting {
    pub(super) limits: Limits,
    /// How long requests in flight are waited for when it stops.
    pub(super) stop_within: Duration,
    pub(super) tls: Option<ServerConfig>,
    /// How many threads serve requests.
    pub(super) workers: usize,
}

impl Setting {
    /// Serves an application on this socket.
    pub(super) fn serve<F, I, S, B>(self, listener: TcpListener, connections: Connections, app: F) -> io::Result<Server>
    where
        F: Fn() -> I + Send + Clone + 'static,
        I: IntoServiceFactory<S, Request>,
        S: ServiceFactory<Request, Config = AppConfig> + 'static,
        S::Error: Into<actix_web::Error> + 'static,
        S::InitError: Debug,
        S::Response: Into<Response<B>> + 'static,
        S::Service: 'static,
        <S::Service as Service<Request>>::Future: 'static,
        B: MessageBody + 'static,
    {
        let Self { limits, stop_within, tls, workers } = self;
        let all = limits.connections + limits.reserved + SLACK;
        actix_tls::accept::max_concurrent_tls_connect(all);
        let builder = ServerBuilder::new()
            .workers(workers)
            .max_concurrent_connections(all)
            .shutdown_timeout(stop_within.as_secs())
            .disable_signals();
        let ending = builder.graceful_shutdown_signal();
        let accepted = move || {
            let connections = connections.clone();
            fn_service(move |stream: TcpStream| ready(connections.made(stream).ok_or(())))
        };
        let builder = match tls {
            None => builder.listen("HTTP", listener, move || {
                let http = http(app(), limits, ending.clone(), |held: &Held| &held.connection);
                let with_protocol = |held: Held| {
                    let peer = held.stream.peer_addr().ok();
                    (held, Protocol::Http1, peer)
                };
                accepted().map(with_protocol).and_then(http)
            })?,
            Some(mut tls) => {
                tls.alpn_protocols.insert(0, b"http/1.1".to_vec());
                builder.listen("HTTPS", listener, move || {
                    let mut acceptor = Acceptor::new(tls.clone());
                    acceptor.set_handshake_timeout(limits.handshake);
                    let http =
                        http(app(), limits, ending.clone(), |stream: &TlsStream<Held>| &stream.get_ref().0.connection);
                    let with_protocol = |stream: TlsStream<Held>| {
                        let peer = stream.get_ref().0.stream.peer_addr().ok();
                        (stream, Protocol::Http1, peer)
                    };
                    accepted().and_then(acceptor.map_err(drop)).map(with_protocol).and_then(http)
                })?
            }
        };
        Ok(builder.run())
    }
}

/// HTTP over streams of some kind. Each request finds its connection in its extensions.
fn http<T, I, S, B>(
    app: I,
    limits: Limits,
    ending: GracefulShutdownSignal,
    connection: fn(&T) -> &Arc<Connection>,
) -> impl ServiceFactory<(T, Protocol, Option<SocketAddr>), Config = (), Response = (), Error = (), InitError = ()>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<actix_web::Error> + 'static,
    S::InitError: Debug,
    S::Response: Into<Response<B>> + 'static,
    S::Service: 'static,
    <S::Service as Service<Request>>::Future: 'static,
    B: MessageBody + 'static,
{
    let app = app.into_factory().map_err(|error| error.into().error_response());
    HttpService::build()
        .graceful_shutdown_signal(move || {
            let ending = ending.clone();
            async move { ending.notified().await }
        })
        .keep_alive(limits.idle)
        .client_request_timeout(limits.head)
        .client_disconnect_timeout(limits.farewell)
        .on_connect_ext(move |stream: &T, extensions: &mut Extensions| {
            extensions.insert(Arc::clone(connection(stream)));
        })
        .finish(map_config(app, |_| AppConfig::default()))
        .map_err(drop)
}
