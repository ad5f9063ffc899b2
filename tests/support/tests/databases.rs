//! What tests may rely on.

use parsec_test_support::{database, sqlite_file};

#[tokio::test]
async fn each_test_has_a_database_of_its_own() {
    let (one, other) = (database().await, database().await);
    assert_ne!(one.name(), other.name());
    one.client().await.batch_execute("CREATE TABLE mark (id INT)").await.unwrap();
    let row =
        other.client().await.query_one("SELECT to_regclass('mark') IS NULL, current_database()", &[]).await.unwrap();
    assert!(row.get::<_, bool>(0), "a table of one database is seen in the other");
    assert_eq!(row.get::<_, String>(1), other.name());
}

#[test]
fn a_file_does_not_exist_before_it_is_opened_and_goes_with_its_value() {
    let file = sqlite_file();
    let path = file.path();
    assert!(!path.exists());
    std::fs::write(&path, "").unwrap();
    drop(file);
    assert!(!path.exists());
}
