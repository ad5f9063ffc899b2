//! What migrations run on.

use diesel::connection::LoadConnection;
use diesel::migration::MigrationConnection;
use diesel::pg::Pg;

/// A connection that runs migrations: diesel's are synchronous.
pub(super) trait Connection: LoadConnection<Backend = Pg> + MigrationConnection + 'static {}

impl<C: LoadConnection<Backend = Pg> + MigrationConnection + 'static> Connection for C {}
