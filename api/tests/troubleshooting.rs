//! The page on troubleshooting knows every kind of trouble by the words that lists show.

use tunnels_api::CauseKind;

#[test]
fn each_kind_of_cause_is_on_the_page() {
    let page = include_str!("../../docs/troubleshooting.md");
    for kind in CauseKind::ALL {
        let words = kind.words();
        assert!(page.contains(&format!("`{words}`")), "docs/troubleshooting.md says nothing of `{words}`");
    }
}
