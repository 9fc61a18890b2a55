//! The one table: orders of a small shop, computed and not stored.

use super::decimal::Decimal;
use super::value::{Type, Value};
use jiff::{Timestamp, ToSpan as _};

pub(crate) const NAME: &str = "orders";
/// What to say where another table is asked for.
pub(crate) const HINT: &str = "the demo's database has one table: orders";

pub(crate) const COLUMNS: [(&str, Type); 6] = [
    ("id", Type::Int4),
    ("customer", Type::Text),
    ("item", Type::Text),
    ("status", Type::Text),
    ("total", Type::Numeric),
    ("placed_at", Type::Timestamptz),
];

/// How many there are: a screen or two.
pub(crate) const ROWS: i64 = 100;

const CUSTOMERS: [&str; 5] = ["ada", "grace", "linus", "margaret", "edsger"];
const ITEMS: [(&str, i128); 7] = [
    ("keyboard", 8900),
    ("monitor", 24_950),
    ("cable", 1290),
    ("notebook", 450),
    ("headphones", 12_900),
    ("lamp", 3990),
    ("chair", 31_500),
];
const STATUSES: [&str; 4] = ["paid", "shipped", "delivered", "returned"];
/// The first one was placed then, each further one 7 h 13 min later.
const OPENED: Timestamp = Timestamp::constant(1_767_254_400, 0);
const MINUTES_BETWEEN: i64 = 433;

/// The row with this number, from 0.
pub(crate) fn row(number: i64) -> Vec<Value> {
    let of = |length: usize, step: i64| usize::try_from(number * step).unwrap_or(0) % length;
    let (item, price) = ITEMS[of(ITEMS.len(), 3)];
    let pieces = i128::from(1 + number % 3);
    let placed = OPENED.checked_add((number * MINUTES_BETWEEN).minutes()).unwrap_or(OPENED);
    vec![
        Value::Int(number + 1),
        Value::text(CUSTOMERS[of(CUSTOMERS.len(), 2)]),
        Value::text(item),
        Value::text(STATUSES[of(STATUSES.len(), 5)]),
        Value::Numeric(Decimal::new(price * pieces, 2)),
        Value::Timestamp(placed),
    ]
}
