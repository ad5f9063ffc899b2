//! The original's schema after its sixth migration, written out, and as a database has it.

use tokio_postgres::Client;

use crate::lines;

/// Rows such as each version of the original left, to be inserted once its tables are there.
pub(crate) const DATA: [&str; 6] = [
    "INSERT INTO runs (dependencies, started_at, updated_at, created_at) VALUES ('{}', now(), now(), now())",
    "INSERT INTO nodes (peer_id, run_id, region, instance_type, dependencies, created_at) \
     VALUES ('12D3', 1, 'eu', 't3', '{}', now())",
    "INSERT INTO retrievals (node_id, rt_size, duration, cid, created_at) VALUES (1, 200, 1.5, 'Qm', now())",
    "INSERT INTO provides (node_id, rt_size, duration, cid, created_at) VALUES (1, 200, 1.5, 'Qm', now())",
    "INSERT INTO schedulers_ecs (fleets, dependencies, created_at) VALUES ('{default}', '{}', now()); \
     INSERT INTO nodes_ecs (cpu, memory, peer_id, region, cmd, fleet, dependencies, ip_address, server_port, peer_port, \
     created_at) \
     SELECT 2, 4096, '12D3', 'eu', 'parsec', fleet, '{}', '192.0.2.7', 7070, 4001, now() \
     FROM unnest('{default,cid.contact}'::TEXT[]) AS fleet; \
     INSERT INTO provides_ecs (scheduler_id, node_id, rt_size, duration, cid, created_at) \
     SELECT 1, id, 200, 1.5, 'Qm', now() FROM nodes_ecs ORDER BY id",
    "",
];

/// One line per column, constraint and index.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Schema {
    columns: Vec<String>,
    constraints: Vec<String>,
    indexes: Vec<String>,
}

/// The tables of the original, for SQL.
const TABLES: &str = "('runs', 'nodes', 'retrievals', 'provides', 'schedulers_ecs', 'nodes_ecs', 'retrievals_ecs', \
                      'provides_ecs', 'schema_migrations')";

impl Schema {
    /// As the catalogue has it: columns in their order, the rest by name.
    pub(crate) async fn read(client: &Client) -> Self {
        let columns = format!(
            "SELECT relname || '.' || attname || ' ' || format_type(atttypid, atttypmod) \
                    || CASE WHEN attnotnull THEN '' ELSE ' null' END \
                    || CASE attidentity WHEN 'a' THEN ' identity always' WHEN '' THEN '' ELSE ' identity' END \
                    || CASE WHEN atthasdef THEN ' default' ELSE '' END \
             FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid \
             WHERE relnamespace = 'public'::regnamespace AND relname IN {TABLES} AND attnum > 0 AND NOT attisdropped \
             ORDER BY relname, attnum"
        );
        // NOT NULL is among the columns; from PostgreSQL 18 on it is also a constraint.
        let constraints = format!(
            "SELECT relname || ' ' || conname || ' ' || pg_get_constraintdef(pg_constraint.oid) \
             FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid \
             WHERE relnamespace = 'public'::regnamespace AND relname IN {TABLES} AND contype <> 'n' \
             ORDER BY relname, conname"
        );
        let indexes = format!(
            "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename IN {TABLES} ORDER BY indexname"
        );
        Self {
            columns: lines(client, &columns).await,
            constraints: lines(client, &constraints).await,
            indexes: lines(client, &indexes).await,
        }
    }

    /// As the contract has it.
    pub(crate) fn of_the_contract() -> Self {
        let of = |text: &str| text.trim().lines().map(|line| line.trim().to_owned()).collect();
        Self { columns: of(COLUMNS), constraints: of(CONSTRAINTS), indexes: of(INDEXES) }
    }
}

const COLUMNS: &str = "
    nodes.id integer identity always
    nodes.peer_id text
    nodes.run_id integer
    nodes.region text
    nodes.instance_type text
    nodes.dependencies jsonb
    nodes.created_at timestamp with time zone
    nodes_ecs.id integer identity always
    nodes_ecs.cpu integer
    nodes_ecs.memory integer
    nodes_ecs.peer_id text
    nodes_ecs.region text
    nodes_ecs.cmd text
    nodes_ecs.fleet text
    nodes_ecs.dependencies jsonb
    nodes_ecs.ip_address inet
    nodes_ecs.server_port smallint
    nodes_ecs.peer_port smallint
    nodes_ecs.last_heartbeat timestamp with time zone null
    nodes_ecs.offline_since timestamp with time zone null
    nodes_ecs.created_at timestamp with time zone
    provides.id integer identity always
    provides.node_id integer
    provides.rt_size integer
    provides.duration double precision
    provides.cid text
    provides.error text null
    provides.created_at timestamp with time zone
    provides_ecs.id integer identity always
    provides_ecs.scheduler_id integer
    provides_ecs.node_id integer
    provides_ecs.rt_size integer
    provides_ecs.duration double precision
    provides_ecs.cid text
    provides_ecs.error text null
    provides_ecs.created_at timestamp with time zone
    provides_ecs.step text
    retrievals.id integer identity always
    retrievals.node_id integer
    retrievals.rt_size integer
    retrievals.duration double precision
    retrievals.cid text
    retrievals.error text null
    retrievals.created_at timestamp with time zone
    retrievals_ecs.id integer identity always
    retrievals_ecs.scheduler_id integer
    retrievals_ecs.node_id integer
    retrievals_ecs.rt_size integer
    retrievals_ecs.duration double precision
    retrievals_ecs.cid text
    retrievals_ecs.error text null
    retrievals_ecs.created_at timestamp with time zone
    runs.id integer identity always
    runs.dependencies jsonb
    runs.started_at timestamp with time zone
    runs.finished_at timestamp with time zone null
    runs.updated_at timestamp with time zone
    runs.created_at timestamp with time zone
    schedulers_ecs.id integer identity always
    schedulers_ecs.fleets text[]
    schedulers_ecs.dependencies jsonb
    schedulers_ecs.created_at timestamp with time zone
    schema_migrations.version bigint
    schema_migrations.dirty boolean
";

const CONSTRAINTS: &str = "
    nodes fk_nodes_run_id FOREIGN KEY (run_id) REFERENCES runs(id) ON DELETE SET NULL
    nodes nodes_pkey PRIMARY KEY (id)
    nodes_ecs nodes_ecs_pkey PRIMARY KEY (id)
    provides fk_provides_node FOREIGN KEY (node_id) REFERENCES nodes(id)
    provides provides_pkey PRIMARY KEY (id)
    provides_ecs fk_provides_ecs_node_id FOREIGN KEY (node_id) REFERENCES nodes_ecs(id) ON DELETE CASCADE
    provides_ecs fk_provides_ecs_scheduler_id FOREIGN KEY (scheduler_id) REFERENCES schedulers_ecs(id) ON DELETE CASCADE
    provides_ecs provides_ecs_pkey PRIMARY KEY (id)
    retrievals fk_retrievals_node FOREIGN KEY (node_id) REFERENCES nodes(id)
    retrievals retrievals_pkey PRIMARY KEY (id)
    retrievals_ecs fk_retrievals_ecs_node_id FOREIGN KEY (node_id) REFERENCES nodes_ecs(id) ON DELETE CASCADE
    retrievals_ecs fk_retrievals_ecs_scheduler_id FOREIGN KEY (scheduler_id) REFERENCES schedulers_ecs(id) ON DELETE CASCADE
    retrievals_ecs retrievals_ecs_pkey PRIMARY KEY (id)
    runs runs_check CHECK ((finished_at > started_at))
    runs runs_check1 CHECK ((updated_at >= created_at))
    runs runs_pkey PRIMARY KEY (id)
    schedulers_ecs schedulers_ecs_pkey PRIMARY KEY (id)
    schema_migrations schema_migrations_pkey PRIMARY KEY (version)
";

const INDEXES: &str = "
    CREATE INDEX idx_provides_created_at ON public.provides USING btree (created_at)
    CREATE INDEX idx_provides_ecs_created_at ON public.provides_ecs USING btree (created_at)
    CREATE INDEX idx_retrievals_created_at ON public.retrievals USING btree (created_at)
    CREATE INDEX idx_retrievals_ecs_created_at ON public.retrievals_ecs USING btree (created_at)
    CREATE UNIQUE INDEX nodes_ecs_pkey ON public.nodes_ecs USING btree (id)
    CREATE UNIQUE INDEX nodes_pkey ON public.nodes USING btree (id)
    CREATE UNIQUE INDEX provides_ecs_pkey ON public.provides_ecs USING btree (id)
    CREATE UNIQUE INDEX provides_pkey ON public.provides USING btree (id)
    CREATE UNIQUE INDEX retrievals_ecs_pkey ON public.retrievals_ecs USING btree (id)
    CREATE UNIQUE INDEX retrievals_pkey ON public.retrievals USING btree (id)
    CREATE UNIQUE INDEX runs_pkey ON public.runs USING btree (id)
    CREATE UNIQUE INDEX schedulers_ecs_pkey ON public.schedulers_ecs USING btree (id)
    CREATE UNIQUE INDEX schema_migrations_pkey ON public.schema_migrations USING btree (version)
";
