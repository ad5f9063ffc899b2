//! Duty: serves HTTP on one listening socket. It only translates: it parses, asks an actor, and serialises the answer.
//!
//! Its [`Routes`] decide what it serves: the measuring API of a server, the telemetry of any process, or the pages for people. The socket is
//! bound once, outside, and survives a crash of this actor. When told to stop ([`Stop`]), it accepts no new
//! connections, lets requests in flight finish, and ends.

mod connections;
mod held;
mod http;
mod limits;
mod measuring;
mod places;
mod refusal;
mod telemetry;
mod viewing;
mod workers;

use std::fmt;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::{App, web};
use rustls::ServerConfig;
use tracing::{debug, warn};

pub use limits::Limits;
pub use measuring::Measuring;
pub use telemetry::Reports;
pub use viewing::{Access, Viewing};

use self::connections::{Connections, take_turn};
use self::workers::Workers;
use crate::supervision::progress::{Progress, Stuck};
use crate::supervision::stop::{GATEWAY_STOP, Stop};

/// How many threads serve requests. They only pass messages on; measuring happens elsewhere.
const WORKERS: usize = 1;

/// What a gateway serves.
#[derive(Clone)]
pub struct Routes(Arc<dyn Fn(&mut web::ServiceConfig) + Send + Sync>);

impl Routes {
    /// The API of a measuring server: `/provide`, `/retrieve/{cid}`, `/readiness`.
    pub fn measuring(measuring: Measuring) -> Self {
        let data = web::Data::new(measuring);
        Self(Arc::new(move |config| {
            config.app_data(data.clone()).configure(measuring::configure);
        }))
    }

    /// What operators read: `/metrics` and `/status`.
    pub fn telemetry(reports: Reports) -> Self {
        let data = web::Data::new(reports);
        Self(Arc::new(move |config| {
            config.app_data(data.clone()).configure(telemetry::configure);
        }))
    }

    /// What people look at: the pages, and the same for programs under `/api/v1`.
    pub fn viewing(viewing: Viewing) -> Self {
        let data = web::Data::new(viewing);
        Self(Arc::new(move |config| {
            config.app_data(data.clone()).configure(viewing::configure);
        }))
    }

    /// Registers them with an application of actix-web.
    pub fn configure(&self, config: &mut web::ServiceConfig) {
        (self.0)(config);
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Routes")
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Gateway {
    /// Dropped when stopping: as long as anybody holds the socket, the system accepts connections that nobody will
    /// serve.
    listener: Option<Arc<TcpListener>>,
    routes: Routes,
    limits: Limits,
    tls: Option<ServerConfig>,
    server: Option<ServerHandle>,
    workers: Workers,
    /// How long requests in flight are waited for.
    stop_within: Duration,
}

impl Gateway {
    /// Serves these routes on a listening socket, over plain HTTP and with the default limits.
    pub fn new(listener: Arc<TcpListener>, routes: Routes) -> Self {
        Self {
            listener: Some(listener),
            routes,
            limits: Limits::default(),
            tls: None,
            server: None,
            workers: Workers::default(),
            stop_within: GATEWAY_STOP,
        }
    }

    /// Gives requests in flight less time when it stops.
    #[must_use]
    pub fn stopping_within(mut self, time: Duration) -> Self {
        self.stop_within = time;
        self
    }

    /// The same, but accepts only TLS, if there is a configuration of it.
    #[must_use]
    pub fn with_tls(mut self, tls: Option<ServerConfig>) -> Self {
        self.tls = tls;
        self
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    fn serve(&self, listener: TcpListener) -> std::io::Result<Server> {
        let (routes, limits, connections) = (self.routes.clone(), self.limits, Connections::new(self.limits));
        let workers = self.workers.clone();
        let app = move || {
            workers.begin_to_tick();
            App::new().app_data(limits).wrap(from_fn(take_turn)).configure(|config| routes.configure(config))
        };
        let server = http::Setting { limits, stop_within: self.stop_within, tls: self.tls.clone(), workers: WORKERS };
        server.serve(listener, connections, app)
    }
}

impl Actor for Gateway {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        // It was told to stop, and crashed while it was stopping.
        let Some(listener) = &self.listener else { return };
        let address = listener.local_addr();
        // If the system has no file descriptor or thread left, that is a crash, after which the supervisor tries again.
        let listener = listener.try_clone().expect("a listening socket can be cloned");
        let server = self.serve(listener).expect("a socket that listens can be served on");
        self.server = Some(server.handle());
        // This is not a future of the actor itself, because it must be polled while the actor is shutting down.
        let serving = actix::spawn(server);
        context.spawn(serving.into_actor(self).map(|end, actor, _| {
            assert!(actor.server.is_none(), "the HTTP server ended by itself: {end:?}");
        }));
        debug!(?address, "serving HTTP");
    }
}

impl Supervised for Gateway {
    fn restarting(&mut self, _: &mut Self::Context) {
        let (routes, limits, tls) = (self.routes.clone(), self.limits, self.tls.take());
        let (listener, stop_within) = (self.listener.take(), self.stop_within);
        *self = Self { listener, routes, limits, tls, server: None, workers: Workers::default(), stop_within };
    }
}

impl Progress for Gateway {
    fn progress(&mut self) -> Result<(), Stuck> {
        if self.server.is_some() { self.workers.progress() } else { Ok(()) }
    }
}

impl Drop for Gateway {
    /// After a crash the old HTTP server must end, or it would share the socket with its successor.
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            drop(server.stop(false));
        }
    }
}

impl Handler<Stop> for Gateway {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Stop, _: &mut Self::Context) -> Self::Result {
        let server = self.server.take();
        self.listener = None;
        let stopping = async move {
            match server {
                Some(server) => server.stop(true).await,
                None => warn!("asked to stop, and does not serve"),
            }
        };
        Box::pin(stopping.into_actor(self).map(|(), _, context| context.stop()))
    }
}
