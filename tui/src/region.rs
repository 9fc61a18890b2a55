//! Lines at the end of a terminal that are drawn over in place, above them whatever was there before.
//!
//! Owns nothing but the cursor's place: no alternate screen and no hidden cursor, so that a program that is
//! killed in the middle leaves a terminal that works.

use crate::text;
use crossterm::{cursor, queue, terminal};
use std::io::{self, Write};

/// The lines that were drawn last.
#[derive(Debug, Default)]
pub(crate) struct Region {
    /// How many columns each of them took.
    widths: Vec<usize>,
}

impl Region {
    /// Draws `lines` over those of the last call; a terminal that has become narrower since has wrapped
    /// those, which is taken into account.
    pub(crate) fn draw(&mut self, out: &mut impl Write, lines: &[String], columns: usize) -> io::Result<()> {
        // Synchronized, so that a terminal that knows how shows the whole at once; no line is cleared
        // before it is drawn, which would flicker.
        queue!(out, terminal::BeginSynchronizedUpdate)?;
        self.return_to_start(out, columns)?;
        for line in lines {
            overwrite(out, line, columns)?;
            write!(out, "\r\n")?;
        }
        queue!(out, terminal::Clear(terminal::ClearType::FromCursorDown), terminal::EndSynchronizedUpdate)?;
        out.flush()?;
        self.widths = lines.iter().map(|line| width(line)).collect();
        Ok(())
    }

    /// Takes the lines away again.
    pub(crate) fn clear(&mut self, out: &mut impl Write, columns: usize) -> io::Result<()> {
        if self.widths.is_empty() {
            return Ok(());
        }
        self.return_to_start(out, columns)?;
        queue!(out, terminal::Clear(terminal::ClearType::FromCursorDown))?;
        out.flush()?;
        self.widths.clear();
        Ok(())
    }

    fn return_to_start(&self, out: &mut impl Write, columns: usize) -> io::Result<()> {
        let rows: usize = self.widths.iter().map(|width| width.div_ceil(columns.max(1)).max(1)).sum();
        match u16::try_from(rows) {
            Ok(0) | Err(_) => queue!(out, cursor::MoveToColumn(0)),
            Ok(rows) => queue!(out, cursor::MoveToPreviousLine(rows)),
        }
    }
}

/// Writes a line over one that may have been longer.
pub(crate) fn overwrite(out: &mut impl Write, line: &str, columns: usize) -> io::Result<()> {
    write!(out, "{line}")?;
    // After a full line the cursor still stands on its last character, which would be cleared.
    if width(line) < columns {
        queue!(out, terminal::Clear(terminal::ClearType::UntilNewLine))?;
    }
    Ok(())
}

/// Columns of a line that may have styles.
fn width(line: &str) -> usize {
    text::width(&anstream::adapter::strip_str(line).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(region: &mut Region, lines: &[&str], columns: usize) -> String {
        let lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
        let mut out = Vec::new();
        region.draw(&mut out, &lines, columns).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn goes_up_by_what_it_drew_before() {
        let mut region = Region::default();
        assert!(!drawn(&mut region, &["a", "b"], 80).contains('F'), "there is nothing to go back to");
        let again = drawn(&mut region, &["c"], 80);
        assert!(again.contains("\x1b[2F") && again.contains("c\x1b[K\r\n\x1b[J"), "{again:?}");
        let once_more = drawn(&mut region, &["d"], 80);
        assert!(once_more.contains("\x1b[1F"), "{once_more:?}");
    }

    #[test]
    fn lines_that_a_narrower_terminal_has_wrapped_count_twice() {
        let mut region = Region::default();
        drawn(&mut region, &["0123456789", "\x1b[32mabc\x1b[0m"], 80);
        assert!(drawn(&mut region, &[], 6).contains("\x1b[3F"));
    }

    #[test]
    fn the_last_character_of_a_full_line_is_left_alone() {
        let text = drawn(&mut Region::default(), &["\x1b[32m123456\x1b[0m", "12345"], 6);
        assert!(text.contains("123456\x1b[0m\r\n12345\x1b[K\r\n"), "{text:?}");
    }

    #[test]
    fn is_cleared_once() {
        let mut region = Region::default();
        drawn(&mut region, &["a"], 80);
        let mut out = Vec::new();
        region.clear(&mut out, 80).unwrap();
        assert_eq!(out, b"\x1b[1F\x1b[J");
        out.clear();
        region.clear(&mut out, 80).unwrap();
        assert_eq!(out, b"");
    }
}
