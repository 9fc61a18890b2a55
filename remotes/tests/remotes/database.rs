//! The database through tokio-postgres: the extended protocol with binary values, and the simple one.

use crate::DEADLINE;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};
use tunnels_remotes::Remotes;

async fn connect(remotes: &Remotes) -> Client {
    let address = remotes.postgres();
    let settings = format!("host={} port={} user=ada dbname=demo", address.ip(), address.port());
    let (client, connection) = tokio_postgres::connect(&settings, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

fn state(error: &tokio_postgres::Error) -> SqlState {
    error.code().unwrap_or_else(|| panic!("no SQLSTATE: {error}")).clone()
}

#[tokio::test]
async fn values_of_every_type_cross_in_binary() {
    let remotes = Remotes::start().await.unwrap();
    let client = connect(&remotes).await;
    let text = "select id, customer, placed_at is null, $1::bigint + id, $2 || 'x', $3::bool from orders where id = $4";
    let row = client.query_one(text, &[&i64::MAX.wrapping_sub(10), &"a", &true, &7_i32]).await.unwrap();
    assert_eq!(row.get::<_, i32>("id"), 7);
    assert_eq!(row.get::<_, &str>(1), "linus");
    assert!(!row.get::<_, bool>(2));
    assert_eq!(row.get::<_, i64>(3), i64::MAX - 3);
    assert_eq!(row.get::<_, &str>(4), "ax");
    assert!(row.get::<_, bool>(5));
    let now = client.query_one("select now()", &[]).await.unwrap();
    let ago = now.get::<_, std::time::SystemTime>(0).elapsed().unwrap();
    assert!(ago < DEADLINE, "{ago:?}");
    let count: i64 = client.query_one("select count(*) from orders", &[]).await.unwrap().get(0);
    assert_eq!(count, 100);
    let null: Option<String> = client.query_one("select nullif($1, 'a')", &[&"a"]).await.unwrap().get(0);
    assert_eq!(null, None);
}

#[tokio::test]
async fn errors_name_code_hint_and_place_and_the_connection_goes_on() {
    let remotes = Remotes::start().await.unwrap();
    let client = connect(&remotes).await;
    let error = client.query("select nope from orders", &[]).await.unwrap_err();
    assert_eq!(state(&error), SqlState::UNDEFINED_COLUMN);
    let told = error.as_db_error().unwrap();
    assert!(told.hint().is_some_and(|hint| hint.contains("customer")), "{told:?}");
    assert_eq!(told.position(), Some(&tokio_postgres::error::ErrorPosition::Original(8)));
    let error = client.execute("delete from orders", &[]).await.unwrap_err();
    assert_eq!(state(&error), SqlState::READ_ONLY_SQL_TRANSACTION);
    assert_eq!(state(&client.query("select 1 / $1", &[&0_i32]).await.unwrap_err()), SqlState::DIVISION_BY_ZERO);
    assert_eq!(client.query_one("select 1", &[]).await.unwrap().get::<_, i32>(0), 1);
}

#[tokio::test]
async fn a_portal_gives_its_rows_in_parts() {
    let remotes = Remotes::start().await.unwrap();
    let mut client = connect(&remotes).await;
    let transaction = client.transaction().await.unwrap();
    let portal = transaction.bind("select n from generate_series(1, $1) n", &[&7_i64]).await.unwrap();
    let mut sizes = Vec::new();
    loop {
        let rows = transaction.query_portal(&portal, 3).await.unwrap();
        sizes.push(rows.len());
        if rows.len() < 3 {
            break;
        }
    }
    assert_eq!(sizes, [3, 3, 1]);
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn open_portals_share_what_a_connection_may_hold() {
    let remotes = Remotes::start().await.unwrap();
    let mut client = connect(&remotes).await;
    let transaction = client.transaction().await.unwrap();
    // A little more than 5 MiB each, of 16.
    let text = "select repeat('x', 1000000) || n as t from generate_series(1, 5) n order by t";
    let mut portals = Vec::new();
    for _ in 0..3 {
        portals.push(transaction.bind(text, &[]).await.unwrap());
    }
    let one = &portals[0];
    assert_eq!(transaction.query_portal(one, 1).await.unwrap().len(), 1);
    let error = transaction.query_portal(&portals[1], 1).await.unwrap_err();
    assert_eq!(state(&error), SqlState::PROGRAM_LIMIT_EXCEEDED);
}

#[tokio::test]
async fn prepared_statements_may_have_so_much_text() {
    let remotes = Remotes::start().await.unwrap();
    let client = connect(&remotes).await;
    let long = format!("select '{}'", "x".repeat(200 * 1024));
    let mut prepared = Vec::new();
    for _ in 0..5 {
        prepared.push(client.prepare(&long).await.unwrap());
    }
    let error = client.prepare(&long).await.unwrap_err();
    assert_eq!(state(&error), SqlState::PROGRAM_LIMIT_EXCEEDED);
}

#[tokio::test]
async fn several_statements_run_until_one_fails() {
    let remotes = Remotes::start().await.unwrap();
    let client = connect(&remotes).await;
    let messages = client.simple_query("select 1 as a; select 2 as b; show server_encoding").await.unwrap();
    let rows: Vec<_> = messages
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        })
        .collect();
    assert_eq!(rows, ["1", "2", "UTF8"]);
    let error = client.simple_query("select 1; select 1 / 0; select 2").await.unwrap_err();
    assert_eq!(state(&error), SqlState::DIVISION_BY_ZERO);
}

#[tokio::test]
async fn a_failed_transaction_takes_nothing_but_its_end() {
    let remotes = Remotes::start().await.unwrap();
    let client = connect(&remotes).await;
    client.batch_execute("begin").await.unwrap();
    client.batch_execute("select nope").await.unwrap_err();
    let error = client.batch_execute("select 1").await.unwrap_err();
    assert_eq!(state(&error), SqlState::IN_FAILED_SQL_TRANSACTION);
    let error = client.query("select 1", &[]).await.unwrap_err();
    assert_eq!(state(&error), SqlState::IN_FAILED_SQL_TRANSACTION);
    client.batch_execute("rollback").await.unwrap();
    client.batch_execute("select 1").await.unwrap();
}

#[tokio::test]
async fn settings_are_kept_and_what_cannot_be_had_is_refused() {
    let remotes = Remotes::start().await.unwrap();
    let client = connect(&remotes).await;
    client.batch_execute("set application_name = 'tests'; set extra_float_digits = 3").await.unwrap();
    let shown = client.query_one("show application_name", &[]).await.unwrap();
    assert_eq!(shown.get::<_, &str>(0), "tests");
    for refused in ["set timezone = 'Europe/Paris'", "set nope = 1", "set server_version = '1'", "show nope"] {
        let error = client.batch_execute(refused).await.unwrap_err();
        assert!(error.code().is_some(), "{refused}");
    }
    client.batch_execute("reset all; discard all").await.unwrap();
    let shown = client.query_one("show application_name", &[]).await.unwrap();
    assert_eq!(shown.get::<_, &str>(0), "");
}

#[tokio::test]
async fn a_query_can_be_cancelled_asleep_and_at_work() {
    let remotes = Remotes::start().await.unwrap();
    let client = connect(&remotes).await;
    for text in ["select pg_sleep(3600)", "select count(*) from generate_series(1, 9000000000000000000)"] {
        let cancel = client.cancel_token();
        let canceling = tokio::spawn(async move {
            // It does nothing before the query runs: until it has, it is asked for again.
            loop {
                cancel.cancel_query(NoTls).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let error = tokio::time::timeout(DEADLINE, client.query(text, &[])).await.unwrap().unwrap_err();
        canceling.abort();
        let _ = canceling.await;
        assert_eq!(state(&error), SqlState::QUERY_CANCELED, "{text}");
    }
    // A request that comes late may still end this one.
    while client.query_one("select 1", &[]).await.is_err() {}
}

#[tokio::test]
async fn a_large_result_waits_for_its_reader() {
    let remotes = Remotes::start().await.unwrap();
    let client = connect(&remotes).await;
    let text = "select n, repeat('x', 1000) from generate_series(1, 20000) n";
    let rows = client.query(text, &[]).await.unwrap();
    assert_eq!(rows.len(), 20_000);
    assert_eq!(rows[19_999].get::<_, i64>(0), 20_000);
}

#[tokio::test]
async fn copy_gives_text_and_csv() {
    use futures_util::TryStreamExt as _;
    let remotes = Remotes::start().await.unwrap();
    let client = connect(&remotes).await;
    // The driver prepares its COPY, which this database does not do: said politely, and nothing hangs.
    let refused = client.copy_out("copy (select 1) to stdout").await.err().unwrap();
    assert_eq!(state(&refused), SqlState::FEATURE_NOT_SUPPORTED);
    let rows: Vec<_> = client
        .query_raw("select id from orders limit 2", Vec::<i32>::new())
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(rows.len(), 2);
}
