-- Long-lived servers, the schedulers that go round them, and what these measured.
CREATE TABLE schedulers_ecs (
    id           INT         GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fleets       TEXT[]      NOT NULL,
    dependencies JSONB       NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL
);

CREATE TABLE nodes_ecs (
    id             INT         GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cpu            INT         NOT NULL,
    memory         INT         NOT NULL,
    peer_id        TEXT        NOT NULL,
    region         TEXT        NOT NULL,
    cmd            TEXT        NOT NULL,
    fleet          TEXT        NOT NULL,
    dependencies   JSONB       NOT NULL,
    ip_address     INET        NOT NULL,
    server_port    SMALLINT    NOT NULL,
    peer_port      SMALLINT    NOT NULL,
    last_heartbeat TIMESTAMPTZ,
    offline_since  TIMESTAMPTZ,
    created_at     TIMESTAMPTZ NOT NULL
);

CREATE TABLE retrievals_ecs (
    id           INT              GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scheduler_id INT              NOT NULL CONSTRAINT fk_retrievals_ecs_scheduler_id REFERENCES schedulers_ecs (id) ON DELETE CASCADE,
    node_id      INT              NOT NULL CONSTRAINT fk_retrievals_ecs_node_id REFERENCES nodes_ecs (id) ON DELETE CASCADE,
    rt_size      INT              NOT NULL,
    duration     DOUBLE PRECISION NOT NULL,
    cid          TEXT             NOT NULL,
    error        TEXT,
    created_at   TIMESTAMPTZ      NOT NULL
);

CREATE TABLE provides_ecs (
    id           INT              GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scheduler_id INT              NOT NULL CONSTRAINT fk_provides_ecs_scheduler_id REFERENCES schedulers_ecs (id) ON DELETE CASCADE,
    node_id      INT              NOT NULL CONSTRAINT fk_provides_ecs_node_id REFERENCES nodes_ecs (id) ON DELETE CASCADE,
    rt_size      INT              NOT NULL,
    duration     DOUBLE PRECISION NOT NULL,
    cid          TEXT             NOT NULL,
    error        TEXT,
    created_at   TIMESTAMPTZ      NOT NULL
);

CREATE INDEX idx_retrievals_ecs_created_at ON retrievals_ecs (created_at);
CREATE INDEX idx_provides_ecs_created_at ON provides_ecs (created_at);
