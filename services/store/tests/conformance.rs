//! What a store promises, tried on PostgreSQL and on SQLite.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod conformance {
    pub(crate) mod archive;
    pub(crate) mod attempts;
    pub(crate) mod checks;
    pub(crate) mod database;
    pub(crate) mod history;
    pub(crate) mod nodes;
    pub(crate) mod refusals;
    pub(crate) mod rounds;
    pub(crate) mod samples;
    pub(crate) mod schema;
    pub(crate) mod traced;
    pub(crate) mod traces;
}

use conformance::database::Database;
use conformance::{archive, attempts, checks, history, nodes, refusals, rounds, schema, traced, traces};

/// Makes each promise a test on each back end.
macro_rules! promises {
    ($($module:ident { $($promise:ident,)+ })+) => {
        mod on_postgres {
            $($(
                #[tokio::test]
                async fn $promise() {
                    super::$module::$promise(&super::Database::postgres().await).await;
                }
            )+)+
        }

        mod on_sqlite {
            $($(
                #[tokio::test]
                async fn $promise() {
                    super::$module::$promise(&super::Database::sqlite().await).await;
                }
            )+)+
        }
    };
}

promises! {
    archive {
        what_was_measured_is_read_back_in_the_order_of_time,
        what_was_measured_is_selected_by_time_fleet_and_region,
        what_figures_are_made_of_is_what_was_measured_in_stretches,
        a_server_is_named_as_far_as_it_says_what_it_is,
        what_processes_said_when_they_started_is_read_of_those_that_are_asked_about,
        the_version_of_the_tables_is_read_where_it_may_be,
        rounds_are_counted_by_what_became_of_them,
        whoever_may_only_read_reads_everything,
    }
    traced {
        each_operation_is_read_with_why_its_trace_was_kept,
        traces_are_read_a_few_at_a_time_and_none_that_is_too_long,
        operations_are_listed_by_time_duration_and_outcome,
        operations_are_listed_between_two_times,
        an_operation_is_found_by_the_beginning_or_the_end_of_its_identity,
        whoever_may_only_read_reads_traces,
        what_a_newer_version_wrote_is_left_out_and_counted_by_every_reader_of_many,
        one_operation_that_a_newer_version_wrote_is_named_with_what_is_not_known,
    }
    history {
        what_happened_is_read_back,
        the_newest_is_seen_at_a_glance,
        what_others_wrote_oddly_takes_nothing_else_away,
        a_database_is_diagnosed_without_a_change,
    }
    schema {
        migrating_again_changes_nothing,
        a_database_from_before_traces_were_kept_keeps_its_rows,
        a_database_from_before_the_publisher_was_looked_for_keeps_its_rows_and_their_traces,
        eight_programs_may_migrate_at_once,
        a_migration_says_from_where_to_where_it_went,
        the_script_leaves_nothing_to_migrate,
        what_was_written_is_there_after_opening_it_again,
    }
    nodes {
        a_node_is_listed_from_its_first_heartbeat_on,
        a_node_is_listed_as_it_registered,
        a_heartbeat_brings_a_node_back,
        a_node_that_is_offline_keeps_the_time_since_when,
        only_nodes_of_the_asked_fleets_are_listed_and_by_id,
        who_fell_silent_is_told_for_an_hour_after_the_last_heartbeat_of_all,
        a_heartbeat_goes_by_the_clock_of_the_database,
        who_beats_is_not_marked_offline_by_who_cannot_reach_it,
        a_server_that_starts_again_takes_the_place_of_the_one_that_stood_there,
        who_publishes_with_the_same_fleets_is_told,
        a_node_without_a_row_is_named,
        a_port_that_another_program_let_wrap_is_read_as_it_was_meant,
        a_row_that_nobody_can_use_is_named_and_the_others_are_listed,
        of_many_thousands_of_nodes_the_newest_five_thousand_are_listed,
        a_round_loop_has_a_row_with_its_fleets,
        schedulers_are_known_by_the_names_they_give_themselves,
    }
    rounds {
        a_round_that_began_is_visibly_unfinished,
        an_end_completes_the_row_of_the_beginning,
        begin_and_end_may_come_in_any_order_and_twice,
        every_outcome_can_be_recorded,
    }
    attempts {
        an_attempt_is_recorded_once_however_often_it_is_offered,
        eight_programs_may_record_the_same_at_once,
        a_lookup_has_a_row_in_the_originals_table,
        a_lookup_that_found_a_stranger_is_a_success_in_the_originals_table_and_a_failure_in_ours,
        a_publication_has_a_row_per_step_in_the_originals_table,
        a_failure_that_no_step_admits_stands_in_the_last_one,
        an_attempt_that_no_server_measured_is_kept_in_our_own_table_only,
        every_kind_and_class_can_be_recorded,
        what_it_took_is_kept,
        an_attempt_may_come_before_its_round,
        a_batch_with_a_row_that_can_never_be_written_is_refused_as_a_whole,
        any_text_can_be_an_error,
        a_large_batch_is_recorded_whole,
        removing_an_original_row_leaves_ours,
        a_call_that_nobody_waits_for_is_done_all_the_same,
    }
    traces {
        a_trace_that_is_kept_is_read_back_with_its_operation,
        an_operation_is_read_back_as_it_was_recorded,
        an_operation_that_is_not_there_is_none,
        a_trace_is_recorded_once_however_often_it_is_offered,
        a_trace_without_a_reason_is_not_kept,
        any_text_can_be_in_a_trace,
        a_trace_that_nobody_wrote_or_of_any_length_is_refused_and_named,
        a_trace_goes_with_its_operation,
        traced_operations_are_listed_newest_first,
        a_follow_up_is_recorded_once_and_found_with_its_operation,
        a_follow_up_may_come_before_its_operation_or_without_one,
        a_follow_up_of_a_node_without_a_row_is_refused,
        eight_programs_may_record_the_same_traces_and_follow_ups_at_once,
    }
    refusals {
        a_row_that_a_trigger_refuses_holds_up_no_other,
        a_row_whose_trace_is_refused_is_written_without_it_and_gets_it_later,
        a_table_that_is_gone_costs_only_what_belongs_there,
    }
    checks {
        a_check_that_was_made_tells_who_has_the_record,
        plan_and_look_may_come_in_any_order_and_twice_and_the_first_look_stays,
        what_is_due_is_claimed_once_and_by_the_node_that_published,
        what_nobody_made_in_time_is_taken_over_in_the_same_fleet_and_region,
        a_claim_that_ran_out_is_free_again,
        eight_programs_that_claim_at_once_share_what_is_due,
        checks_of_a_node_go_with_its_row,
    }
}

/// What servers and schedulers do all day, by a role that cannot make or change a table.
macro_rules! with_daily_rights_only {
    ($($module:ident::$promise:ident,)+) => {
        mod on_postgres_with_daily_rights_only {
            $(
                #[tokio::test]
                async fn $promise() {
                    super::$module::$promise(&super::Database::with_daily_rights_only().await.0).await;
                }
            )+
        }
    };
}

with_daily_rights_only! {
    schema::migrating_again_changes_nothing,
    nodes::a_server_that_starts_again_takes_the_place_of_the_one_that_stood_there,
    nodes::who_publishes_with_the_same_fleets_is_told,
    nodes::a_heartbeat_brings_a_node_back,
    nodes::a_round_loop_has_a_row_with_its_fleets,
    nodes::schedulers_are_known_by_the_names_they_give_themselves,
    rounds::begin_and_end_may_come_in_any_order_and_twice,
    attempts::an_attempt_is_recorded_once_however_often_it_is_offered,
    traces::a_trace_that_is_kept_is_read_back_with_its_operation,
    traces::a_follow_up_is_recorded_once_and_found_with_its_operation,
    checks::a_claim_that_ran_out_is_free_again,
}

mod on_postgres_with_rights_missing {
    use super::{Database, refusals};

    #[tokio::test]
    async fn a_table_without_rights_costs_only_its_rows_which_are_written_once_there_are_rights() {
        for table in refusals::TABLES {
            let (database, guest) = Database::with_daily_rights_only().await;
            refusals::a_table_without_rights_costs_only_its_rows(&database, &guest, table).await;
        }
    }

    #[tokio::test]
    async fn tables_without_rights_are_named_with_the_grant_that_mends_it() {
        let (database, guest) = Database::with_daily_rights_only().await;
        refusals::tables_without_rights_are_named_with_the_grant_that_mends_it(&database, &guest).await;
    }
}
