//! An error as one line of text, for causes, answers and logs.

use std::error::Error;

/// The error's text and those of all that caused it, parted by colons. Libraries often repeat the inner text in the
/// outer one; such a text stands there once.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let more = source.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::chain;
    use std::fmt;

    /// A text, and what caused it.
    #[derive(Debug)]
    struct Trouble(&'static str, Option<Box<Trouble>>);

    impl fmt::Display for Trouble {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl std::error::Error for Trouble {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            self.1.as_deref().map(|cause| cause as _)
        }
    }

    #[test]
    fn every_text_stands_there_once() {
        let refused = || Some(Box::new(Trouble("refused", None)));
        let wrapped = Trouble("cannot dial: refused", Some(Box::new(Trouble("refused", refused()))));
        assert_eq!(chain(&wrapped), "cannot dial: refused");
        let plain = Trouble("no answer", Some(Box::new(Trouble("cannot dial", refused()))));
        assert_eq!(chain(&plain), "no answer: cannot dial: refused");
    }
}
