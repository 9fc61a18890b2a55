//! docs/configuration.md: the reference of the configuration, made from the table of keys, so that it cannot say
//! anything else than the program does. Written anew by
//! `UPDATE_DOCS=1 cargo test -p tunnels-daemon published`.

use super::keys::{Fallback, KEYS, Row};
use super::published::published;
use std::fmt::Write as _;

const BEFORE: &str = include_str!("reference/before.txt");
const AFTER: &str = include_str!("reference/after.txt");

fn reference() -> String {
    let mut page = BEFORE.replacen("<!-- generated -->\n", "", 1);
    page.push_str("| key | default | |\n|---|---|---|\n");
    for row in KEYS {
        let _ = writeln!(page, "| [`{0}`](#{0}) | {1} | {2} |", row.name, default(row), first_sentence(row.meaning));
    }
    for row in KEYS {
        let _ = write!(
            page,
            "\n### `{}`\n\n{}\n\n- accepted: {}\n- default: {}\n- example: `{} = {}`\n",
            row.name,
            row.meaning,
            row.kind.accepted(),
            default(row),
            row.name,
            row.example,
        );
    }
    page + "\n" + AFTER
}

fn default(row: &Row) -> String {
    match row.default {
        Fallback::Own => "none; every tunnel says it itself".to_owned(),
        Fallback::Required => "none; it has to be said here or in `[defaults]`".to_owned(),
        Fallback::Value(value) => format!("`{value}`"),
        Fallback::Unset(instead) => instead.to_owned(),
    }
}

fn first_sentence(text: &str) -> &str {
    text.split_inclusive(". ").next().unwrap_or_default().trim_end()
}

#[test]
fn the_published_reference_is_this_one() {
    published("configuration.md", &reference());
}
