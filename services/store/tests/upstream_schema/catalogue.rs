//! Everything that a database says about the original's tables, one line for each fact.

use std::collections::BTreeSet;

use tokio_postgres::Client;

use crate::lines;

/// The tables of the original and golang-migrate's, for SQL.
const TABLES: &str = "('runs', 'nodes', 'retrievals', 'provides', 'schedulers_ecs', 'nodes_ecs', 'retrievals_ecs', \
                      'provides_ecs', 'schema_migrations')";

/// The views that are ours, as tables beside the original's are.
const OURS: &str = "('v_operations', 'v_requests', 'v_traces', 'v_rounds', 'v_records')";

/// What is asked, `$TABLES` and `$OURS` standing for the lists. Of constraints, NOT NULL is left to the columns: before PostgreSQL 18 it is
/// no constraint.
const QUESTIONS: [&str; 8] = [
    "SELECT 'table ' || relname || concat_ws(' ', ':', relkind, relpersistence, 'row security', relrowsecurity, \
            'partition', relispartition, 'replica identity', relreplident, reloptions) \
     FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname IN $TABLES",
    "SELECT 'column ' || table_name || '.' || column_name || concat_ws(' ', ': number', ordinal_position, data_type, udt_name, \
            'null', is_nullable, 'default', coalesce(column_default, '-'), 'identity', is_identity, identity_generation, \
            identity_start, identity_increment, identity_minimum, identity_maximum, identity_cycle, \
            'generated', is_generated, 'length', coalesce(character_maximum_length, 0), 'precision', numeric_precision, \
            datetime_precision, 'collation', coalesce(collation_name, '-')) \
     FROM information_schema.columns WHERE table_schema = 'public' AND table_name IN $TABLES",
    "SELECT 'constraint ' || relname || '.' || conname || concat_ws(' ', ':', contype, pg_get_constraintdef(pg_constraint.oid), \
            'valid', convalidated, 'deferrable', condeferrable, condeferred) \
     FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid \
     WHERE relnamespace = 'public'::regnamespace AND relname IN $TABLES AND contype <> 'n'",
    "SELECT 'reference ' || constraint_name || concat_ws(' ', ':', unique_constraint_name, match_option, update_rule, delete_rule) \
     FROM information_schema.referential_constraints JOIN information_schema.table_constraints \
     USING (constraint_schema, constraint_name) WHERE constraint_schema = 'public' AND table_name IN $TABLES",
    "SELECT 'index ' || indexrelid::regclass || ': ' || pg_get_indexdef(indexrelid) || ' valid ' || indisvalid \
     FROM pg_index JOIN pg_class ON pg_class.oid = indrelid \
     WHERE relnamespace = 'public'::regnamespace AND relname IN $TABLES",
    "SELECT 'sequence ' || sequencename || concat_ws(' ', ':', data_type, start_value, min_value, max_value, increment_by, cycle, \
            cache_size) \
     FROM pg_sequences WHERE schemaname = 'public'",
    "SELECT 'trigger ' || relname || '.' || tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid \
     WHERE relnamespace = 'public'::regnamespace AND relname IN $TABLES AND NOT tgisinternal \
     UNION ALL SELECT 'rule ' || tablename || '.' || rulename FROM pg_rules WHERE schemaname = 'public' \
     UNION ALL SELECT 'policy ' || tablename || '.' || policyname FROM pg_policies WHERE schemaname = 'public'",
    "SELECT 'type ' || typname FROM pg_type LEFT JOIN pg_class ON pg_class.oid = typrelid \
     WHERE typnamespace = 'public'::regnamespace AND typcategory <> 'A' AND coalesce(relkind, 'c') = 'c' \
     UNION ALL SELECT 'extension ' || extname FROM pg_extension \
     UNION ALL SELECT 'function ' || proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace \
     UNION ALL SELECT 'view ' || viewname FROM pg_views WHERE schemaname = 'public' AND viewname NOT IN $OURS",
];

/// What this database says.
pub(crate) async fn catalogue(client: &Client) -> BTreeSet<String> {
    let mut facts = BTreeSet::new();
    for question in QUESTIONS {
        facts.extend(lines(client, &question.replace("$TABLES", TABLES).replace("$OURS", OURS)).await);
    }
    facts
}

/// Every fact that one of the two has and the other has not.
pub(crate) fn differences(one: &BTreeSet<String>, other: &BTreeSet<String>) -> Vec<String> {
    one.symmetric_difference(other).cloned().collect()
}
