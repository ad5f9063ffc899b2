// Kept by hand in the form that `diesel print-schema` gives.

diesel::table! {
    follow_ups (id) {
        id -> Text,
        operation_id -> Nullable<Text>,
        node_id -> Integer,
        cid -> Text,
        stored -> Integer,
        failed -> Integer,
        duration_seconds -> Double,
        ended_at -> TimestamptzSqlite,
        created_at -> TimestamptzSqlite,
        confirmed -> Nullable<Integer>,
        pending -> Nullable<Integer>,
    }
}

diesel::table! {
    nodes_ecs (id) {
        id -> Integer,
        cpu -> Integer,
        memory -> Integer,
        peer_id -> Text,
        region -> Text,
        cmd -> Text,
        fleet -> Text,
        dependencies -> Json,
        ip_address -> Text,
        server_port -> SmallInt,
        peer_port -> SmallInt,
        last_heartbeat -> Nullable<TimestamptzSqlite>,
        offline_since -> Nullable<TimestamptzSqlite>,
        created_at -> TimestamptzSqlite,
    }
}

diesel::table! {
    operations (id) {
        id -> Text,
        round_id -> Text,
        scheduler_id -> Integer,
        node_id -> Integer,
        kind -> Text,
        probe -> Integer,
        cid -> Text,
        outcome -> Text,
        error -> Nullable<Text>,
        due_at -> TimestamptzSqlite,
        started_at -> TimestamptzSqlite,
        ended_at -> TimestamptzSqlite,
        duration_seconds -> Double,
        routing_table_size -> Integer,
        holders_stored -> Nullable<Integer>,
        rpcs -> Nullable<Integer>,
        rpcs_failed -> Nullable<Integer>,
        dials -> Nullable<Integer>,
        dials_failed -> Nullable<Integer>,
        trace_id -> Nullable<Text>,
        provide_id -> Nullable<Integer>,
        retrieval_id -> Nullable<Integer>,
        created_at -> TimestamptzSqlite,
        holders_failed -> Nullable<Integer>,
        holders_pending -> Nullable<Integer>,
        network_size -> Nullable<Integer>,
        fallback -> Nullable<Text>,
        from_own_records -> Bool,
        found_publisher -> Nullable<Bool>,
        holders_confirmed -> Nullable<Integer>,
    }
}

diesel::table! {
    planned_checks (id) {
        id -> Text,
        operation_id -> Nullable<Text>,
        node_id -> Integer,
        fleet -> Text,
        region -> Text,
        cid -> Text,
        provider_peer_id -> Text,
        published_at -> TimestamptzSqlite,
        after_seconds -> Integer,
        due_at -> TimestamptzSqlite,
        claimed_by -> Nullable<Integer>,
        claimed_until -> Nullable<TimestamptzSqlite>,
        ended_at -> Nullable<TimestamptzSqlite>,
        created_at -> TimestamptzSqlite,
    }
}

diesel::table! {
    provides_ecs (id) {
        id -> Integer,
        scheduler_id -> Integer,
        node_id -> Integer,
        rt_size -> Integer,
        duration -> Double,
        cid -> Text,
        error -> Nullable<Text>,
        created_at -> TimestamptzSqlite,
        step -> Text,
    }
}

diesel::table! {
    record_checks (check_id, rank) {
        check_id -> Text,
        rank -> Integer,
        holder_peer_id -> Text,
        answered -> Bool,
        has_record -> Bool,
        operation_id -> Nullable<Text>,
        node_id -> Integer,
        checked_by -> Nullable<Integer>,
        cid -> Text,
        provider_peer_id -> Text,
        after_seconds -> Integer,
        age_seconds -> Double,
        checked_at -> TimestamptzSqlite,
    }
}

diesel::table! {
    retrievals_ecs (id) {
        id -> Integer,
        scheduler_id -> Integer,
        node_id -> Integer,
        rt_size -> Integer,
        duration -> Double,
        cid -> Text,
        error -> Nullable<Text>,
        created_at -> TimestamptzSqlite,
    }
}

diesel::table! {
    rounds (id) {
        id -> Text,
        scheduler_id -> Integer,
        fleets -> Text,
        provider_node_id -> Nullable<Integer>,
        nodes_listed -> Integer,
        nodes_ready -> Integer,
        skipped_before -> Integer,
        due_at -> TimestamptzSqlite,
        started_at -> TimestamptzSqlite,
        ended_at -> Nullable<TimestamptzSqlite>,
        outcome -> Nullable<Text>,
        nodes_without_heartbeat -> Integer,
    }
}

diesel::table! {
    schedulers_ecs (id) {
        id -> Integer,
        fleets -> Text,
        dependencies -> Json,
        created_at -> TimestamptzSqlite,
    }
}

diesel::table! {
    traces (id) {
        id -> Text,
        why_kept -> Text,
        document -> Json,
        created_at -> TimestamptzSqlite,
    }
}

diesel::joinable!(follow_ups -> nodes_ecs (node_id));
diesel::joinable!(operations -> nodes_ecs (node_id));
diesel::joinable!(operations -> provides_ecs (provide_id));
diesel::joinable!(operations -> retrievals_ecs (retrieval_id));
diesel::joinable!(operations -> schedulers_ecs (scheduler_id));
diesel::joinable!(provides_ecs -> nodes_ecs (node_id));
diesel::joinable!(provides_ecs -> schedulers_ecs (scheduler_id));
diesel::joinable!(record_checks -> planned_checks (check_id));
diesel::joinable!(retrievals_ecs -> nodes_ecs (node_id));
diesel::joinable!(retrievals_ecs -> schedulers_ecs (scheduler_id));
diesel::joinable!(rounds -> nodes_ecs (provider_node_id));
diesel::joinable!(rounds -> schedulers_ecs (scheduler_id));
diesel::joinable!(traces -> operations (id));

diesel::allow_tables_to_appear_in_same_query!(
    follow_ups,
    nodes_ecs,
    operations,
    planned_checks,
    provides_ecs,
    record_checks,
    retrievals_ecs,
    rounds,
    schedulers_ecs,
    traces,
);
