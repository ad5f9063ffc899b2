//! A PostgreSQL database per test.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio_postgres::{Client, NoTls};
use url::Url;

use crate::cluster::{self, SERVER_VARIABLE};

/// A database of one test.
#[derive(Debug)]
pub struct TestDatabase {
    url: Url,
    name: String,
    /// The server it stands on, if that outlives this process: then the database is dropped with this value.
    lasting_server: Option<Url>,
    /// How many roles were made for it.
    roles: AtomicU32,
}

/// A new, empty database.
///
/// # Panics
/// If there is no PostgreSQL, with a sentence that says what to install; or if the server refuses.
pub async fn database() -> TestDatabase {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let lasting_server = server_from_environment();
    let server = lasting_server.clone().unwrap_or_else(throwaway_server);
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    // Unique on a server that several processes, also of other machines, test against.
    let name = format!("parsec_test_{}_{}_{count}", std::process::id(), since_epoch.as_micros());
    execute(&server, &format!("CREATE DATABASE {name}")).await;
    let mut url = server;
    url.set_path(&name);
    TestDatabase { url, name, lasting_server, roles: AtomicU32::new(0) }
}

impl TestDatabase {
    /// `postgres://…`, without TLS.
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// The same for another role, which must be able to log in without a password.
    pub fn url_as(&self, role: &str) -> String {
        let mut url = self.url.clone();
        let changed = url.set_username(role).and_then(|()| url.set_password(None));
        changed.expect("a URL with a host can name a user");
        url.into()
    }

    /// A new role that may log in, and do this to all tables there are (`SELECT, INSERT`; nothing if it is empty), but make none. It goes
    /// with the database. Returns its name, for [`url_as`](Self::url_as).
    pub async fn role(&self, rights: &str) -> String {
        let name = self.role_name(self.roles.fetch_add(1, Ordering::Relaxed));
        let mut set_up = format!("CREATE ROLE {name} LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC");
        if !rights.is_empty() {
            set_up.push_str(&format!("; GRANT {rights} ON ALL TABLES IN SCHEMA public TO {name}"));
        }
        execute(&self.url, &set_up).await;
        name
    }

    fn role_name(&self, number: u32) -> String {
        format!("{}_role_{number}", self.name)
    }

    /// Its name on the server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A connection for a test that looks at the tables itself.
    pub async fn client(&self) -> Client {
        connect(&self.url).await
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Some(server) = self.lasting_server.take() else { return };
        // One by one: a database is dropped in no transaction. The rights of roles go with it.
        let mut statements = vec![format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)];
        let roles = 0..*self.roles.get_mut();
        statements.extend(roles.map(|number| format!("DROP ROLE IF EXISTS {}", self.role_name(number))));
        // A thread and a runtime of its own: this may run inside any runtime, or in none.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a test can make a runtime").block_on(async {
                for statement in &statements {
                    execute(&server, statement).await;
                }
            });
        });
        if dropped.join().is_err() && !std::thread::panicking() {
            panic!("test database {} could not be dropped", self.name);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "tests have no command line: the server is the one thing they are told")]
fn server_from_environment() -> Option<Url> {
    let text = std::env::var(SERVER_VARIABLE).ok()?;
    let url = Url::parse(&text).ok().filter(|url| ["postgres", "postgresql"].contains(&url.scheme()));
    // Not the value itself: it may hold a password.
    Some(
        url.unwrap_or_else(|| {
            panic!("{SERVER_VARIABLE} is not a URL like postgres://user:password@host:5432/postgres")
        }),
    )
}

fn throwaway_server() -> Url {
    let url = format!("postgres://parsec@127.0.0.1:{}/postgres?sslmode=disable", cluster::shared().port);
    Url::parse(&url).expect("a port makes a valid URL")
}

async fn execute(server: &Url, statement: &str) {
    let client = connect(server).await;
    client.batch_execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

async fn connect(url: &Url) -> Client {
    let address = format!("{}:{}", url.host_str().unwrap_or_default(), url.port().unwrap_or(5432));
    match tokio_postgres::connect(url.as_str(), NoTls).await {
        Ok((client, connection)) => {
            // Ends with the client.
            tokio::spawn(connection);
            client
        }
        Err(error) => panic!("cannot connect to the test server at {address}: {error}"),
    }
}
