//! The value of `--parameters`: JSON, or the AWS CLI's shorthand (`host=db,portNumber=5432,5433`).

use serde_json::Value;
use std::collections::BTreeMap;

/// Names with the values of each.
pub(crate) type Parameters = BTreeMap<String, Vec<String>>;

/// Reads either form; an error says what is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Parameters, String> {
    if text.trim_start().starts_with('{') {
        // As it is written for cmd and PowerShell, where quotes within quotes want a backslash.
        let parsed = serde_json::from_str(text)
            .or_else(|error| serde_json::from_str(&text.replace("\\\"", "\"")).map_err(|_| error));
        return from_json(&parsed.map_err(|error| format!("is no JSON: {error}"))?);
    }
    shorthand(text)
}

/// An object whose values are lists of texts, or single texts.
pub(crate) fn from_json(value: &Value) -> Result<Parameters, String> {
    let Some(object) = value.as_object() else { return Err("is no JSON object".to_owned()) };
    let one = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let each = |(name, value): (&String, &Value)| {
        let values = match value {
            Value::Array(values) => values.iter().map(one).collect::<Option<Vec<_>>>(),
            value => one(value).map(|value| vec![value]),
        };
        Ok((name.clone(), values.ok_or_else(|| format!("has a `{name}` that is neither a text nor a list of texts"))?))
    };
    object.iter().map(each).collect()
}

/// `KEY=VALUE,KEY=VALUE,VALUE,KEY=[VALUE,VALUE]`; values may be quoted.
fn shorthand(text: &str) -> Result<Parameters, String> {
    let mut parameters = Parameters::new();
    let mut last: Option<String> = None;
    for item in split(text)? {
        let (key, value) = match item.split_once('=') {
            // A value may hold an `=`, but only within quotes or behind its key.
            Some((key, value)) if is_key(key.trim()) => (Some(key.trim().to_owned()), value.trim()),
            _ => (None, item.trim()),
        };
        let Some(key) = key.or_else(|| last.clone()) else {
            return Err(format!("has a value without a name: `{value}`"));
        };
        let values = match value.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
            Some(inner) => split(inner)?.iter().map(|value| unquoted(value.trim()).to_owned()).collect(),
            None => vec![unquoted(value).to_owned()],
        };
        parameters.entry(key.clone()).or_default().extend(values);
        last = Some(key);
    }
    Ok(parameters)
}

fn is_key(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

fn unquoted(value: &str) -> &str {
    ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(value)
}

/// At commas that stand in neither quotes nor brackets.
fn split(text: &str) -> Result<Vec<String>, String> {
    let (mut items, mut item, mut quote, mut depth) = (Vec::new(), String::new(), None, 0_usize);
    for c in text.chars() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                items.push(std::mem::take(&mut item));
                continue;
            }
            _ => {}
        }
        item.push(c);
    }
    if quote.is_some() || depth > 0 {
        return Err("has a quote or bracket that is not closed".to_owned());
    }
    items.push(item);
    items.retain(|item| !item.trim().is_empty());
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &[&str])]) -> Parameters {
        pairs.iter().map(|(key, values)| ((*key).to_owned(), values.iter().map(|&v| v.to_owned()).collect())).collect()
    }

    #[test]
    fn all_forms_say_the_same() {
        let expected = of(&[("host", &["db.example"]), ("localPortNumber", &["15432"]), ("portNumber", &["5432"])]);
        for text in [
            r#"{"host":["db.example"],"portNumber":["5432"],"localPortNumber":["15432"]}"#,
            r#"{"host":"db.example","portNumber":5432,"localPortNumber":["15432"]}"#,
            r#"{\"host\":[\"db.example\"],\"portNumber\":[\"5432\"],\"localPortNumber\":[\"15432\"]}"#,
            "host=db.example,portNumber=5432,localPortNumber=15432",
            "host=\"db.example\",portNumber=\"5432\",localPortNumber='15432'",
            "host=[db.example], portNumber=[\"5432\"], localPortNumber=[15432],",
        ] {
            assert_eq!(parse(text), Ok(expected.clone()), "{text}");
        }
        assert_eq!(parse("command=a,b,c=d"), Ok(of(&[("command", &["a", "b"]), ("c", &["d"])])));
        assert_eq!(parse("command=\"a,b=c\""), Ok(of(&[("command", &["a,b=c"])])));
    }

    #[test]
    fn what_is_neither_says_so() {
        for (text, expected) in [
            ("{\"host\": [", "is no JSON"),
            ("{\"host\": {}}", "`host`"),
            ("db.example", "a value without a name"),
            ("host=\"db", "not closed"),
            ("host=[db", "not closed"),
        ] {
            assert!(parse(text).unwrap_err().contains(expected), "{text}");
        }
        assert_eq!(parse(""), Ok(Parameters::new()));
    }
}
