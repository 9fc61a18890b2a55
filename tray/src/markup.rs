//! Text for those who take it for a little HTML: tooltips and the bodies of notifications.

/// The text, with what would be markup written out.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_that_could_be_markup() {
        assert_eq!(escaped("a <b> & \"c\""), "a &lt;b&gt; &amp; \"c\"");
    }
}
