use super::*;

/// Each command as its words, those with more than text in them as `<…>`.
fn commands(text: &str) -> Vec<Vec<String>> {
    let show = |word: &Word| word.literal().map_or_else(|| format!("<{:?}>", word.parts), str::to_owned);
    let each = |statement: Statement| {
        Some(match statement {
            Statement::Command(words) => words.iter().map(show).collect(),
            Statement::Function(name) => vec![format!("{name}()")],
            Statement::End => vec!["}".to_owned()],
            _ => return None,
        })
    };
    statements(text, 1).into_iter().filter_map(each).collect()
}

#[test]
fn quotes_escapes_and_continuations() {
    for (text, expected) in [
        ("a 'b c' \"d e\" f\\ g", vec!["a", "b c", "d e", "f g"]),
        ("a 'it''s' \"q\\\"q\" \"back\\slash\" ''", vec!["a", "its", "q\"q", "back\\slash", ""]),
        ("a \\\n  b \\\r\n c", vec!["a", "b", "c"]),
        ("a ^\r\n b ^\n c", vec!["a", "b", "c"]),
        ("a `\n b", vec!["a", "b"]),
        ("a \"b \\\nc\"", vec!["a", "b c"]),
        ("a $'b\\'c\\n'", vec!["a", "b'c\n"]),
        ("a b#c # d e", vec!["a", "b#c"]),
        ("a >/dev/null 2>&1 b <in 3", vec!["a", "b", "3"]),
        ("a $ b", vec!["a", "$", "b"]),
    ] {
        assert_eq!(commands(text), [expected], "{text}");
    }
}

#[test]
fn commands_end_where_a_shell_ends_them() {
    assert_eq!(
        commands("a 1; b && c | d &\n(e)\n# f\ng"),
        [vec!["a", "1"], vec!["b"], vec!["c"], vec!["d"], vec!["e"], vec!["g"]]
    );
    assert_eq!(
        commands("db() {\n  a b\n}\nfunction x { c; }"),
        [vec!["db()"], vec!["a", "b"], vec!["}"], vec!["x()"], vec!["c"], vec!["}"]]
    );
    assert_eq!(commands("if a; then b; else c; fi"), [vec!["if", "a"], vec!["b"], vec!["else"], vec!["c"], vec!["fi"]]);
}

#[test]
fn what_stands_between_commands_is_told() {
    let between = |text: &str| {
        let all = statements(text, 1).into_iter();
        all.filter(|statement| !matches!(statement, Statement::Command(_))).collect::<Vec<_>>()
    };
    use Statement::{And, Case, End, Function, List, Open, Or};
    assert_eq!(between("a && b ||\n\n c\n\n;d"), [And, Or, List]);
    assert_eq!(between("f() { a & }\n{ b | c; }"), [Function("f".into()), Open, List, End, List, Open, List, End]);
    assert_eq!(between("case a in b) c;; d) e ;& f) g\nesac"), [Case, Case, List]);
}

#[test]
fn what_has_to_be_found_out_is_kept_apart() {
    let words = |text: &str| match statements(text, 1).remove(0) {
        Statement::Command(words) => words,
        other => panic!("{other:?}"),
    };
    let variable = |name: &str, default: Option<&str>| Part::Variable {
        name: name.to_owned(),
        default: default.map(str::to_owned),
    };
    assert_eq!(words("$A-b")[0].parts, [variable("A", None), Part::Text("-b".into())]);
    assert_eq!(words("\"${A}\"")[0].parts, [Part::Text(String::new()), variable("A", None)]);
    assert_eq!(words("${A:-b}")[0].parts, [variable("A", Some("b"))]);
    assert_eq!(words("$1x")[0].parts, [variable("1", None), Part::Text("x".into())]);
    assert_eq!(words("$(a \")\" (b))")[0].parts, [Part::Output("a \")\" (b)".into())]);
    assert_eq!(words("`a b`")[0].parts, [Part::Output("a b".into())]);
}

#[test]
fn lines_are_those_on_which_words_begin() {
    let lines: Vec<usize> = statements("a \\\n b\n\n'c\nd' e", 3)
        .into_iter()
        .flat_map(|statement| match statement {
            Statement::Command(words) => words.into_iter().map(|word| word.line).collect(),
            _ => Vec::new(),
        })
        .collect();
    assert_eq!(lines, [3, 4, 6, 7]);
}

#[test]
fn nothing_that_is_left_open_is_a_panic() {
    for text in ["'", "\"", "$(", "${", "`", "$'", "\\", "a(", ")(", "<", "\"$", "a 2>"] {
        let _ = commands(text);
    }
}
