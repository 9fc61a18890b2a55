use super::bind::bind;
use super::evaluate::Identity;
use super::execution::{Execution, Step};
use super::statement::statements;
use super::value::Value;
use crate::postgres::error::{SqlError, code};
use crate::postgres::sql::ast::Statement;
use std::sync::Arc;
use std::time::Duration;

/// The rows of a query as text, a column between bars; null is `-`.
fn run(text: &str) -> Result<Vec<String>, SqlError> {
    let mut rows = Vec::new();
    each(text, |row, _| rows.push(row))?;
    Ok(rows)
}

fn each(text: &str, mut take: impl FnMut(String, Duration)) -> Result<(), SqlError> {
    let Some(Statement::Select(select)) = statements(text)?.pop().map(|parsed| parsed.statement) else {
        panic!("no query: {text}")
    };
    let identity = Identity { user: "ada".into(), database: "demo".into(), pid: 7 };
    let mut execution = Execution::new(Arc::new(bind(&select, &[])?), Arc::new(identity), Vec::new())?;
    loop {
        match execution.step()? {
            Step::Row(row, pause) => {
                let shown = |value: &Value| if *value == Value::Null { "-".to_owned() } else { value.to_text() };
                take(row.iter().map(shown).collect::<Vec<_>>().join("|"), pause);
            }
            Step::Busy => {}
            Step::End => return Ok(()),
        }
    }
}

#[test]
fn constant_expressions() {
    for (text, expected) in [
        ("select 1", "1"),
        ("select 1 + 2 * 3 - 4 / 2", "5"),
        ("select 7 / 2, 7 % 2, -7 / 2, 7.0 / 2", "3|1|-3|3.5000000000000000"),
        ("select 0.1 + 0.2, 1.50 * 2", "0.3|3.00"),
        ("select 2147483648 + 1", "2147483649"),
        ("select 'it''s', e'a\\tb', current_user", "it's|a\tb|ada"),
        ("select 'a' || 1 || null, concat('a', null, 1)", "-|a1"),
        ("select true and null, false and null, true or null, not true", "-|f|t|f"),
        ("select 1 = 1.0, '2' > 1, 'a' < 'b', null = null", "t|t|t|-"),
        ("select 1 in (1, 2), 3 not in (1, null), 2 between 1 and 3", "t|-|t"),
        ("select null between 1 and 2, 1 between 2 and null, 2 between 1 and null, '2' between 1 and 3.5", "-|f|-|t"),
        (
            "select 3 not between 1 and 2, (1 between 0 and 2) between false and true, 1 between 0 and 2 is null",
            "t|t|f",
        ),
        ("select 'abc' like 'a%', 'abc' not like '_', 'ABC' ilike 'abc'", "t|t|t"),
        ("select null is null, 1 is not null", "t|t"),
        (
            "select '42'::int + 1, cast('1.5' as numeric), 1.5::int, 't'::bool, date '2026-11-21'",
            "43|1.5|2|t|2026-11-21",
        ),
        ("select '2026-11-21 08:30:00.25+01'::timestamptz", "2026-11-21 07:30:00.25+00"),
        ("select date_trunc('month', timestamptz '2026-11-21 08:30:00')", "2026-11-01 00:00:00+00"),
        ("select length('äö'), upper('a'), left('abc', 2), right('abc', -1), repeat('ab', 2)", "2|A|ab|bc|abab"),
        ("select coalesce(null, 2), nullif(1, 1), abs(-1.5), round(2.345, 2), round(2.5)", "2|-|1.5|2.35|3"),
        ("select current_user, current_database(), pg_backend_pid(), pg_typeof(1.5)", "ada|demo|7|numeric"),
        ("select /* a /* nested */ one */ 1 -- and the rest\n", "1"),
        ("SELECT 1 AS \"One\" ; ;", "1"),
    ] {
        assert_eq!(run(text).unwrap_or_else(|error| panic!("{text}: {error:?}")), [expected], "{text}");
    }
}

#[test]
fn the_table() {
    assert_eq!(run("select * from orders").unwrap().len(), 100);
    assert_eq!(run("select id, customer, total from orders where id = 3").unwrap(), ["3|edsger|945.00"]);
    assert_eq!(
        run("select o.id from public.orders as o where o.status = 'paid' limit 2 offset 1").unwrap(),
        ["5", "9"]
    );
    assert_eq!(
        run("select count(*), count(null), min(id), max(id), sum(id), avg(id) from orders").unwrap(),
        ["100|0|1|100|5050|50.5000000000000000"]
    );
    assert_eq!(run("select count(*), sum(total) from orders where id < 0").unwrap(), ["0|-"]);
    let by_status = "select status, count(*) as n from orders group by status order by n desc, 1 limit 2";
    assert_eq!(run(by_status).unwrap(), ["delivered|25", "paid|25"]);
    let by_upper = "select upper(status), count(*) + 1 from orders group by upper(status) order by 1";
    assert_eq!(run(by_upper).unwrap()[3], "SHIPPED|26");
    assert_eq!(run("select distinct status from orders order by status desc").unwrap()[0], "shipped");
    assert_eq!(
        run("select placed_at::date, count(*) from orders group by 1 order by 1 limit 1").unwrap(),
        ["2026-01-01|3"]
    );
    assert!(run("select id from orders where status = 'paid' group by status").is_err());
}

#[test]
fn series() {
    assert_eq!(run("select n * n from generate_series(1, 3) as n").unwrap(), ["1", "4", "9"]);
    assert_eq!(run("select * from generate_series(3, 1, -2)").unwrap(), ["3", "1"]);
    assert_eq!(run("select count(*) from generate_series(1, 0)").unwrap(), ["0"]);
    let last = "select n from generate_series(9223372036854775806, 9223372036854775807) n";
    assert_eq!(run(last).unwrap().len(), 2);
    assert_eq!(run("select n from generate_series(1, 9000000000000000000) n limit 1 offset 1").unwrap(), ["2"]);
    assert_eq!(run("select n from generate_series(1, 2, 0) n").unwrap_err().code, code::INVALID_VALUE);
}

#[test]
fn a_pause_is_asked_for_with_its_row() {
    let mut pauses = Vec::new();
    each("select n, pg_sleep(0.5 * n) from generate_series(1, 2) n", |_, pause| pauses.push(pause)).unwrap();
    assert_eq!(pauses, [Duration::from_millis(500), Duration::from_secs(1)]);
}

#[test]
fn what_is_wrong_is_refused_with_its_code_and_place() {
    for (text, expected, at) in [
        ("selec 1", code::SYNTAX, Some(0)),
        ("select 1 +", code::SYNTAX, Some(10)),
        ("select 1 from orders x y", code::SYNTAX, Some(23)),
        ("select 'open", code::SYNTAX, Some(7)),
        ("select 1 where", code::SYNTAX, Some(14)),
        ("select nope from orders", code::NO_COLUMN, Some(7)),
        ("select 1 from nope", code::NO_TABLE, Some(14)),
        ("select nope(1)", code::NO_FUNCTION, Some(7)),
        ("select length(1)", code::NO_FUNCTION, Some(7)),
        ("select 1 + true", code::NO_FUNCTION, Some(9)),
        ("select 1::nope", code::NO_OBJECT, Some(8)),
        ("select 'x'::int", code::INVALID_TEXT, Some(7)),
        ("select id from orders where id = 'x'", code::INVALID_TEXT, Some(33)),
        ("select 1 from orders where 1", code::TYPE_MISMATCH, Some(27)),
        ("select id, count(*) from orders", code::GROUPING, Some(7)),
        ("select 1 from orders where count(*) > 1", code::GROUPING, Some(27)),
        ("select 1 / 0", code::DIVISION_BY_ZERO, None),
        ("select 2147483647 + 1", code::OUT_OF_RANGE, None),
        ("select abs((-2147483647 - 1)::int)", code::OUT_OF_RANGE, None),
        ("select 1 between 0 and 2 between 0 and 1", code::SYNTAX, Some(25)),
        ("select 1 in (1) in (2)", code::SYNTAX, Some(16)),
        ("select 99999999999999999999999999999999999999 * 9", code::OUT_OF_RANGE, None),
        ("select repeat('x', 2000000)", code::TOO_LARGE, None),
        ("select n from generate_series(1, 1000000) n order by 1", code::TOO_LARGE, None),
        ("select max(repeat('x', 1000000)) from generate_series(1, 100) n group by n", code::TOO_LARGE, None),
        (
            "select LARGE, LARGE, LARGE, concat(null, LARGE), coalesce(LARGE, LARGE, LARGE, LARGE, LARGE, LARGE, LARGE, LARGE), LARGE, LARGE, LARGE, LARGE",
            code::TOO_LARGE,
            None,
        ),
        ("select LARGE, LARGE, LARGE, LARGE, LARGE, LARGE, LARGE, LARGE, LARGE", code::TOO_LARGE, None),
        ("insert into orders values (1)", code::READ_ONLY, Some(0)),
        ("drop table orders", code::READ_ONLY, Some(0)),
        ("select 1 from orders join orders on true", code::UNSUPPORTED, Some(21)),
        ("select (select 1)", code::UNSUPPORTED, Some(7)),
        ("select 1 union select 2", code::UNSUPPORTED, Some(9)),
        ("select count(*) from orders having true", code::UNSUPPORTED, Some(28)),
        ("with a as (select 1) select 1", code::UNSUPPORTED, Some(0)),
        ("select relname from pg_catalog.pg_class", code::UNSUPPORTED, None),
        ("select $0", code::NO_PARAMETER, Some(7)),
    ] {
        let error = run(&text.replace("LARGE", "repeat('x', 1000000)")).map(|rows| rows.len()).expect_err(text);
        assert_eq!((error.code, error.at), (expected, at), "{text}: {}", error.message);
    }
}

#[test]
fn what_nests_too_deep_is_refused_and_not_followed() {
    let deep = 100_000;
    for text in [
        format!("select {}1{}", "(".repeat(deep), ")".repeat(deep)),
        format!("select {}1", "- ".repeat(deep)),
        format!("select {} true", "not ".repeat(deep)),
        format!("select 1{}", " + 1".repeat(deep)),
        format!("select 1{}", "::int".repeat(deep)),
        format!("select {}1{}", "(".repeat(deep), ") between 1 and 2".repeat(deep)),
        format!("select 1{}", ", 1 + 1".repeat(deep)),
        format!("select *{} from orders", ", *".repeat(deep)),
        format!("select 1 in (1{}) from orders order by 1{}", ", 1".repeat(900), ", 1".repeat(900)),
    ] {
        assert_eq!(run(&text).expect_err("too deep").code, code::TOO_COMPLEX);
    }
    assert_eq!(run(&format!("select 1 in ({}1)", "1,".repeat(2000))).unwrap_err().code, code::TOO_COMPLEX);
    let slow = "select repeat('a', 1000000) like '%' || repeat('a', 10000) || 'b'";
    assert_eq!(run(slow).unwrap_err().code, code::TOO_COMPLEX);
}

#[test]
fn a_chain_of_between_grows_by_its_links_only() {
    let links = 60;
    let chain = "(".repeat(links) + "true" + &" between false and true)".repeat(links);
    assert_eq!(run(&format!("select {chain}")).unwrap(), ["t"]);
}

#[test]
fn statements_that_are_no_queries() {
    let first = |text: &str| statements(text).map(|mut all| all.remove(0).statement);
    let set = |name: &str, value: &str| Ok(Statement::Set(name.to_owned(), Some(value.to_owned())));
    assert_eq!(first("SET extra_float_digits = 3"), set("extra_float_digits", "3"));
    assert_eq!(first("set application_name to 'a b'"), set("application_name", "a b"));
    assert_eq!(first("set time zone 'UTC'"), set("timezone", "UTC"));
    assert_eq!(first("set search_path = public, other"), set("search_path", "public, other"));
    assert_eq!(first("show transaction isolation level"), Ok(Statement::Show("transaction_isolation".into())));
    assert_eq!(first("begin transaction isolation level serializable, read only"), Ok(Statement::Begin));
    assert_eq!(first("END"), Ok(Statement::Commit));
    assert!(matches!(first("copy orders to stdout with (format csv, header)"), Ok(Statement::CopyOut(..))));
    assert_eq!(first("copy orders from stdin").unwrap_err().code, code::READ_ONLY);
    assert_eq!(first("copy orders to '/tmp/x'").unwrap_err().code, code::UNSUPPORTED);
    assert_eq!(statements("select 1; begin;; show all").unwrap().len(), 3);
    assert!(statements(" ; -- nothing\n").unwrap().is_empty());
}

#[test]
fn no_text_makes_it_panic() {
    let words = [
        "select",
        "from",
        "orders",
        "(",
        ")",
        ",",
        "1",
        "'a'",
        "+",
        "-",
        "*",
        "/",
        "%",
        "::",
        "int",
        "and",
        "not",
        "in",
        "like",
        "between",
        "group",
        "by",
        "order",
        "limit",
        "id",
        "count",
        "$1",
        "null",
        "is",
        "date",
        "generate_series",
        "cast",
        "as",
        "9223372036854775807",
        "0.5",
        "||",
        ".",
        "sum",
        "repeat",
        "copy",
        "to",
        "stdout",
        "set",
        "=",
    ];
    let mut dice = fastrand::Rng::with_seed(5);
    for _ in 0..20_000 {
        let text: Vec<_> = (0..dice.usize(..16)).map(|_| words[dice.usize(..words.len())]).collect();
        for parsed in statements(&text.join(" ")).unwrap_or_default() {
            let Statement::Select(select) = parsed.statement else { continue };
            let Ok(plan) = bind(&select, &[]) else { continue };
            let parameters = plan.parameters.iter().map(|_| Value::Null).collect();
            let identity = Identity { user: String::new(), database: String::new(), pid: 0 };
            let Ok(mut execution) = Execution::new(Arc::new(plan), Arc::new(identity), parameters) else { continue };
            // A series may be endless.
            for _ in 0..300 {
                if !matches!(execution.step(), Ok(Step::Row(..) | Step::Busy)) {
                    break;
                }
            }
        }
    }
}
