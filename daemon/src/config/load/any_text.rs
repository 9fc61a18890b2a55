//! Whatever a file holds: no panic, and every mistake has a place inside the file.

use super::*;
use proptest::prelude::*;

/// Texts near to a configuration: most mistakes are small ones.
fn nearly_toml() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("[tunnels.a]\n".to_owned()),
        Just("[defaults]\n".to_owned()),
        Just("[tunnels.\"b.c\"]\n".to_owned()),
        Just("remote = \"db:5432\"\n".to_owned()),
        Just("local = 15432\r\n".to_owned()),
        Just("target = [\"i-01234567\", { tag = \"Name=ä\" }]\n".to_owned()),
        Just("groups = [\n  \"a\", # ü\n  'b',\n]\n".to_owned()),
        Just("endpoints = { ssm = \"https://x\",\n sts = \"y\" }\n".to_owned()),
        Just("reason = \"\"\"\nmonthly\n\"\"\"\n".to_owned()),
        "[a-z_.]{0,8} ?[=:]? ?[0-9a-z\"'\\[\\]{}#,;\\\\é“$~]{0,12}\n",
        "\\PC{0,12}",
        any::<char>().prop_map(String::from),
    ];
    let slips = proptest::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..4);
    (proptest::collection::vec(part, 0..16), slips).prop_map(|(parts, slips)| {
        let mut chars: Vec<char> = parts.concat().chars().collect();
        for (index, double) in slips {
            if chars.is_empty() {
                break;
            }
            let at = index.index(chars.len());
            if double {
                chars.insert(at, chars[at]);
            } else {
                chars.remove(at);
            }
        }
        chars.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_a_configuration_or_a_report(text in nearly_toml()) {
        // Tools that write marks of the byte order may have written several.
        let is_toml = toml::de::DeTable::parse(text.trim_start_matches('\u{feff}')).is_ok();
        match parse_with(Path::new("config.toml"), &text, &|_| None) {
            Ok(_) => prop_assert!(is_toml, "accepted although it is no TOML"),
            Err(errors) => {
                prop_assert!(errors.iter().next().is_some());
                for error in &errors {
                    for place in error.place.iter().chain(error.other.as_ref().map(|(place, _)| place)) {
                        let (line, column) = place.line_column();
                        prop_assert!(place.file.text.get(place.span()).is_some());
                        let of_line = place.file.text.split('\n').nth(line - 1).expect("a line of the file");
                        prop_assert!(column <= of_line.chars().count() + 1);
                    }
                }
                // Rendering reads the spans as well.
                prop_assert!(errors.render(true).len() > errors.render(false).lines().count());
            }
        }
    }
}
