-- The tables of a PostgreSQL deployment, so that the same queries and reports run on a single file.
-- Times are text in UTC (`2026-01-31 12:00:00.123456+00:00`, which sorts as it should), JSON and lists are JSON text.
-- AUTOINCREMENT, because an identity column never gives a number out twice either.

CREATE TABLE runs (
    id             INTEGER  PRIMARY KEY AUTOINCREMENT,
    dependencies   TEXT     NOT NULL,
    started_at     TEXT     NOT NULL,
    finished_at    TEXT     CHECK (finished_at > started_at),
    updated_at     TEXT     NOT NULL CHECK (updated_at >= created_at),
    created_at     TEXT     NOT NULL
);

CREATE TABLE nodes (
    id             INTEGER  PRIMARY KEY AUTOINCREMENT,
    peer_id        TEXT     NOT NULL,
    run_id         INTEGER  NOT NULL CONSTRAINT fk_nodes_run_id REFERENCES runs (id) ON DELETE SET NULL,
    region         TEXT     NOT NULL,
    instance_type  TEXT     NOT NULL,
    dependencies   TEXT     NOT NULL,
    created_at     TEXT     NOT NULL
);

CREATE TABLE retrievals (
    id             INTEGER  PRIMARY KEY AUTOINCREMENT,
    node_id        INTEGER  NOT NULL CONSTRAINT fk_retrievals_node REFERENCES nodes (id),
    rt_size        INTEGER  NOT NULL,
    duration       DOUBLE   NOT NULL,
    cid            TEXT     NOT NULL,
    error          TEXT,
    created_at     TEXT     NOT NULL
);

CREATE INDEX idx_retrievals_created_at ON retrievals (created_at);

CREATE TABLE provides (
    id             INTEGER  PRIMARY KEY AUTOINCREMENT,
    node_id        INTEGER  NOT NULL CONSTRAINT fk_provides_node REFERENCES nodes (id),
    rt_size        INTEGER  NOT NULL,
    duration       DOUBLE   NOT NULL,
    cid            TEXT     NOT NULL,
    error          TEXT,
    created_at     TEXT     NOT NULL
);

CREATE INDEX idx_provides_created_at ON provides (created_at);

CREATE TABLE schedulers_ecs (
    id             INTEGER  PRIMARY KEY AUTOINCREMENT,
    fleets         TEXT     NOT NULL,
    dependencies   TEXT     NOT NULL,
    created_at     TEXT     NOT NULL
);

CREATE TABLE nodes_ecs (
    id             INTEGER  PRIMARY KEY AUTOINCREMENT,
    cpu            INTEGER  NOT NULL,
    memory         INTEGER  NOT NULL,
    peer_id        TEXT     NOT NULL,
    region         TEXT     NOT NULL,
    cmd            TEXT     NOT NULL,
    fleet          TEXT     NOT NULL,
    dependencies   TEXT     NOT NULL,
    ip_address     TEXT     NOT NULL,
    server_port    SMALLINT NOT NULL,
    peer_port      SMALLINT NOT NULL,
    last_heartbeat TEXT,
    offline_since  TEXT,
    created_at     TEXT     NOT NULL
);

CREATE TABLE retrievals_ecs (
    id             INTEGER  PRIMARY KEY AUTOINCREMENT,
    scheduler_id   INTEGER  NOT NULL CONSTRAINT fk_retrievals_ecs_scheduler_id REFERENCES schedulers_ecs (id) ON DELETE CASCADE,
    node_id        INTEGER  NOT NULL CONSTRAINT fk_retrievals_ecs_node_id REFERENCES nodes_ecs (id) ON DELETE CASCADE,
    rt_size        INTEGER  NOT NULL,
    duration       DOUBLE   NOT NULL,
    cid            TEXT     NOT NULL,
    error          TEXT,
    created_at     TEXT     NOT NULL
);

CREATE TABLE provides_ecs (
    id             INTEGER  PRIMARY KEY AUTOINCREMENT,
    scheduler_id   INTEGER  NOT NULL CONSTRAINT fk_provides_ecs_scheduler_id REFERENCES schedulers_ecs (id) ON DELETE CASCADE,
    node_id        INTEGER  NOT NULL CONSTRAINT fk_provides_ecs_node_id REFERENCES nodes_ecs (id) ON DELETE CASCADE,
    rt_size        INTEGER  NOT NULL,
    duration       DOUBLE   NOT NULL,
    cid            TEXT     NOT NULL,
    error          TEXT,
    created_at     TEXT     NOT NULL,
    step           TEXT     NOT NULL
);

CREATE INDEX idx_retrievals_ecs_created_at ON retrievals_ecs (created_at);
CREATE INDEX idx_provides_ecs_created_at ON provides_ecs (created_at);
