// In the form that `diesel print-schema` gives with the settings in diesel.toml.

diesel::table! {
    follow_ups (id) {
        id -> Uuid,
        operation_id -> Nullable<Uuid>,
        node_id -> Int4,
        cid -> Text,
        stored -> Int4,
        failed -> Int4,
        duration_seconds -> Float8,
        ended_at -> Timestamptz,
        created_at -> Timestamptz,
        confirmed -> Nullable<Int4>,
        pending -> Nullable<Int4>,
    }
}

diesel::table! {
    nodes_ecs (id) {
        id -> Int4,
        cpu -> Int4,
        memory -> Int4,
        peer_id -> Text,
        region -> Text,
        cmd -> Text,
        fleet -> Text,
        dependencies -> Jsonb,
        ip_address -> Inet,
        server_port -> Int2,
        peer_port -> Int2,
        last_heartbeat -> Nullable<Timestamptz>,
        offline_since -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    operations (id) {
        id -> Uuid,
        round_id -> Uuid,
        scheduler_id -> Int4,
        node_id -> Int4,
        kind -> Text,
        probe -> Int4,
        cid -> Text,
        outcome -> Text,
        error -> Nullable<Text>,
        due_at -> Timestamptz,
        started_at -> Timestamptz,
        ended_at -> Timestamptz,
        duration_seconds -> Float8,
        routing_table_size -> Int4,
        holders_stored -> Nullable<Int4>,
        rpcs -> Nullable<Int4>,
        rpcs_failed -> Nullable<Int4>,
        dials -> Nullable<Int4>,
        dials_failed -> Nullable<Int4>,
        trace_id -> Nullable<Uuid>,
        provide_id -> Nullable<Int4>,
        retrieval_id -> Nullable<Int4>,
        created_at -> Timestamptz,
        holders_failed -> Nullable<Int4>,
        holders_pending -> Nullable<Int4>,
        network_size -> Nullable<Int4>,
        fallback -> Nullable<Text>,
        from_own_records -> Bool,
        found_publisher -> Nullable<Bool>,
        holders_confirmed -> Nullable<Int4>,
    }
}

diesel::table! {
    planned_checks (id) {
        id -> Uuid,
        operation_id -> Nullable<Uuid>,
        node_id -> Int4,
        fleet -> Text,
        region -> Text,
        cid -> Text,
        provider_peer_id -> Text,
        published_at -> Timestamptz,
        after_seconds -> Int4,
        due_at -> Timestamptz,
        claimed_by -> Nullable<Int4>,
        claimed_until -> Nullable<Timestamptz>,
        ended_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    provides_ecs (id) {
        id -> Int4,
        scheduler_id -> Int4,
        node_id -> Int4,
        rt_size -> Int4,
        duration -> Float8,
        cid -> Text,
        error -> Nullable<Text>,
        created_at -> Timestamptz,
        step -> Text,
    }
}

diesel::table! {
    record_checks (check_id, rank) {
        check_id -> Uuid,
        rank -> Int4,
        holder_peer_id -> Text,
        answered -> Bool,
        has_record -> Bool,
        operation_id -> Nullable<Uuid>,
        node_id -> Int4,
        checked_by -> Nullable<Int4>,
        cid -> Text,
        provider_peer_id -> Text,
        after_seconds -> Int4,
        age_seconds -> Float8,
        checked_at -> Timestamptz,
    }
}

diesel::table! {
    retrievals_ecs (id) {
        id -> Int4,
        scheduler_id -> Int4,
        node_id -> Int4,
        rt_size -> Int4,
        duration -> Float8,
        cid -> Text,
        error -> Nullable<Text>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    rounds (id) {
        id -> Uuid,
        scheduler_id -> Int4,
        fleets -> Text,
        provider_node_id -> Nullable<Int4>,
        nodes_listed -> Int4,
        nodes_ready -> Int4,
        skipped_before -> Int4,
        due_at -> Timestamptz,
        started_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
        outcome -> Nullable<Text>,
        nodes_without_heartbeat -> Int4,
    }
}

diesel::table! {
    schedulers_ecs (id) {
        id -> Int4,
        fleets -> Array<Nullable<Text>>,
        dependencies -> Jsonb,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    traces (id) {
        id -> Uuid,
        why_kept -> Text,
        document -> Jsonb,
        created_at -> Timestamptz,
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
