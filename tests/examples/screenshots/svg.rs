//! A screen as an SVG image: text, so that it is sharp at every size and can be searched.

use std::fmt::Write as _;

use vt100::{Cell, Color, Screen};

/// Of a usual monospaced font, in pixels.
const WIDTH: f64 = 8.4;
const HEIGHT: f64 = 18.0;
const FONT: f64 = 14.0;
const MARGIN: f64 = 14.0;

/// The colours of a terminal.
#[derive(Debug)]
pub(crate) struct Colors {
    background: &'static str,
    foreground: &'static str,
    /// The sixteen that terminals have names for.
    named: [&'static str; 16],
}

pub(crate) static DARK: Colors = Colors {
    background: "#16191f",
    foreground: "#d7dae0",
    named: [
        "#16191f", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d7dae0", "#5c6370", "#ef7d86",
        "#a9d48a", "#f6d18c", "#72c0ff", "#d789ee", "#67c7d3", "#ffffff",
    ],
};

pub(crate) static LIGHT: Colors = Colors {
    background: "#ffffff",
    foreground: "#24292f",
    named: [
        "#24292f", "#cf222e", "#116329", "#9a6700", "#0969da", "#8250df", "#1b7c83", "#6e7781", "#57606a", "#a40e26",
        "#1a7f37", "#633c01", "#218bff", "#a475f9", "#3192aa", "#8c959f",
    ],
};

/// How a piece of text looks.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Look {
    front: String,
    back: String,
    bold: bool,
    dim: bool,
}

/// The image.
pub(crate) fn of(screen: &Screen, colors: &Colors) -> String {
    let back = colors.background;
    let (lines, columns) = screen.size();
    let (lines, columns) = (lines.get(), columns.get());
    let (wide, high) = (f64::from(columns) * WIDTH + 2.0 * MARGIN, f64::from(lines) * HEIGHT + 2.0 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{wide:.0}\" height=\"{high:.0}\" viewBox=\"0 0 {wide:.0} {high:.0}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{back}\"/>\n\
         <g font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"{FONT}\" xml:space=\"preserve\">\n"
    );
    for line in 0..lines {
        for (column, text, look) in runs(screen, line, columns, colors) {
            let (x, y) = (MARGIN + f64::from(column) * WIDTH, MARGIN + f64::from(line) * HEIGHT);
            let length = text.chars().count() as f64 * WIDTH;
            if look.back != colors.background {
                let _ = writeln!(
                    svg,
                    "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{length:.1}\" height=\"{HEIGHT}\" fill=\"{}\"/>",
                    look.back
                );
            }
            if text.trim().is_empty() {
                continue;
            }
            let weight = if look.bold { " font-weight=\"bold\"" } else { "" };
            let opacity = if look.dim { " opacity=\"0.6\"" } else { "" };
            let _ = writeln!(
                svg,
                "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{length:.1}\" fill=\"{}\"{weight}{opacity}>{}</text>",
                y + HEIGHT - 5.0,
                look.front,
                escaped(&text)
            );
        }
    }
    svg + "</g>\n</svg>\n"
}

/// Pieces of a line that look the same, with the column at which each begins.
fn runs(screen: &Screen, line: u16, columns: u16, colors: &Colors) -> Vec<(u16, String, Look)> {
    let mut runs: Vec<(u16, String, Look)> = Vec::new();
    for column in 0..columns {
        let Some(cell) = screen.cell(line, column) else { continue };
        let look = look(cell, colors);
        let text = if cell.has_contents() { cell.contents() } else { " " };
        match runs.last_mut() {
            Some((_, before, same)) if *same == look => before.push_str(text),
            _ => runs.push((column, text.to_owned(), look)),
        }
    }
    runs
}

fn look(cell: &Cell, colors: &Colors) -> Look {
    let color = |color, default| color_of(color, default, colors);
    let (mut front, mut back) = (color(cell.fgcolor(), colors.foreground), color(cell.bgcolor(), colors.background));
    if cell.inverse() {
        std::mem::swap(&mut front, &mut back);
    }
    Look { front, back, bold: cell.bold(), dim: cell.dim() }
}

fn color_of(color: Color, default: &str, colors: &Colors) -> String {
    match color {
        Color::Default => default.to_owned(),
        Color::Idx(index) => colors.named.get(usize::from(index)).copied().unwrap_or(colors.foreground).to_owned(),
        Color::Rgb(red, green, blue) => format!("#{red:02x}{green:02x}{blue:02x}"),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
