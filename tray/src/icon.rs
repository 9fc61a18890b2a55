//! The icon for each overall state, drawn here: the mouth of a tunnel.
//!
//! Pure. Names of icons would be looked up in the desktop's theme, which may not have them, and some panels then show a
//! placeholder though there is a picture, too. Each state has a shape of its own, so that it is told without colour;
//! each colour stands out from light and dark panels alike.

use crate::overall::Overall;
use std::sync::LazyLock;

/// The sizes that panels ask for, in pixels; others are scaled from these.
const SIZES: [u16; 5] = [16, 22, 24, 32, 48];
/// Samples of a pixel's side, for smooth edges.
const SAMPLES: u16 = 4;

/// A square picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pixmap {
    /// Pixels of a side.
    pub(crate) side: i32,
    /// Alpha, red, green, blue for each pixel, line by line; colours are not multiplied by alpha.
    pub(crate) argb: Vec<u8>,
}

/// The icon in every size; drawn once.
pub(crate) fn of(overall: Overall) -> &'static [Pixmap] {
    static DRAWN: LazyLock<[Vec<Pixmap>; 6]> =
        LazyLock::new(|| Overall::ALL.map(|overall| SIZES.iter().map(|&side| draw(overall, side)).collect()));
    let at = Overall::ALL.iter().position(|&known| known == overall).unwrap_or(0);
    &DRAWN[at]
}

type Rgb = [u8; 3];

const GREY: Rgb = [0x7d, 0x85, 0x90];
const GREEN: Rgb = [0x2d, 0x96, 0x4a];
const BLUE: Rgb = [0x2f, 0x81, 0xd7];
const ORANGE: Rgb = [0xc4, 0x6a, 0x00];
const RED: Rgb = [0xd7, 0x3a, 0x3f];
const WHITE: Rgb = [0xff; 3];

fn color(overall: Overall) -> Rgb {
    match overall {
        Overall::NoDaemon | Overall::Down => GREY,
        Overall::Ready => GREEN,
        Overall::Busy => BLUE,
        Overall::Trouble => RED,
        Overall::NeedsLogin => ORANGE,
    }
}

fn draw(overall: Overall, side: u16) -> Pixmap {
    let at =
        |pixel: u16, sample: u16| (f32::from(pixel) + (f32::from(sample) + 0.5) / f32::from(SAMPLES)) / f32::from(side);
    let mut argb = Vec::with_capacity(usize::from(side).pow(2) * 4);
    for line in 0..side {
        for column in 0..side {
            let (mut painted, mut sum) = (0, [0_u32; 3]);
            for (down, right) in (0..SAMPLES).flat_map(|down| (0..SAMPLES).map(move |right| (down, right))) {
                let Some(rgb) = point(overall, at(column, right), at(line, down)) else { continue };
                painted += 1;
                for (sum, part) in sum.iter_mut().zip(rgb) {
                    *sum += u32::from(part);
                }
            }
            let mean = |sum: u32| u8::try_from(sum / painted.max(1)).unwrap_or(u8::MAX);
            let alpha = painted * 255 / u32::from(SAMPLES).pow(2);
            argb.push(u8::try_from(alpha).unwrap_or(u8::MAX));
            argb.extend(sum.map(mean));
        }
    }
    Pixmap { side: side.into(), argb }
}

/// The colour at a point of the unit square, from the top left; none is transparent.
fn point(overall: Overall, x: f32, y: f32) -> Option<Rgb> {
    let color = color(overall);
    let is_mouth = arch(x, y, 0.0);
    let is_hollow = arch(x, y, 0.13);
    match overall {
        Overall::Down => (is_mouth && !is_hollow).then_some(color),
        Overall::NoDaemon => {
            // A bar through it, with a gap beside it, so that it is seen in the smallest size.
            let from_bar = (x + y - 1.0).abs();
            let is_bar = from_bar < 0.09 && (0.04..0.96).contains(&x);
            (is_bar || is_mouth && !is_hollow && from_bar > 0.2).then_some(color)
        }
        _ if is_mouth => Some(if sign(overall, x, y) { WHITE } else { color }),
        _ => None,
    }
}

/// The mouth of a tunnel, so much smaller on each side: a half circle on a rectangle.
fn arch(x: f32, y: f32, inset: f32) -> bool {
    const HALF: f32 = 0.45;
    const SPRING: f32 = 0.5;
    const FLOOR: f32 = 0.95;
    let half = HALF - inset;
    let across = x - 0.5;
    if y < SPRING { across.hypot(y - SPRING) < half } else { across.abs() < half && y < FLOOR - inset }
}

/// What stands in white in the mouth.
fn sign(overall: Overall, x: f32, y: f32) -> bool {
    let is_near = |to: (f32, f32), radius: f32| (x - to.0).hypot(y - to.1) < radius;
    let across = (x - 0.5).abs();
    match overall {
        // The way through: the other end, and the road that leads there.
        Overall::Ready => {
            let end = if y < 0.5 { (x - 0.5).hypot(y - 0.5) < 0.2 } else { across < 0.2 && y < 0.62 };
            let road = (0.62..0.95).contains(&y) && across < 0.2 + (y - 0.62) * 0.35;
            end || road
        }
        Overall::Busy => [0.24, 0.5, 0.76].iter().any(|&dot| is_near((dot, 0.58), 0.105)),
        Overall::Trouble => (0.2..0.6).contains(&y) && across < 0.085 || is_near((0.5, 0.76), 0.1),
        Overall::NeedsLogin => {
            // A keyhole.
            is_near((0.5, 0.42), 0.17) || (0.42..0.8).contains(&y) && across < 0.06 + (y - 0.42) * 0.25
        }
        Overall::NoDaemon | Overall::Down => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance, as WCAG 2 defines it.
    fn luminance(rgb: Rgb) -> f64 {
        let linear = rgb.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    fn contrast(a: Rgb, b: Rgb) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn every_icon_stands_out_from_light_and_dark_panels() {
        // What WCAG asks of graphics is 3.
        const DARK_PANEL: Rgb = [0x24; 3];
        for overall in Overall::ALL {
            let color = color(overall);
            for (panel, what) in [(WHITE, "light"), (DARK_PANEL, "dark")] {
                let contrast = contrast(color, panel);
                assert!(contrast >= 3.0, "{overall:?} has a contrast of {contrast:.1} on a {what} panel");
            }
        }
    }

    #[test]
    fn every_icon_is_there_in_every_size() {
        for overall in Overall::ALL {
            let sides: Vec<i32> = of(overall).iter().map(|pixmap| pixmap.side).collect();
            assert_eq!(sides, SIZES.map(i32::from));
            for Pixmap { side, argb } in of(overall) {
                assert_eq!(argb.len(), usize::try_from(side * side * 4).unwrap());
                let corner = [argb[0], argb[argb.len() - 4]];
                assert_eq!(corner[0], 0, "{overall:?}: round at the top");
                let painted = argb.iter().step_by(4).filter(|&&alpha| alpha > 127).count();
                let share = painted * 100 / (argb.len() / 4);
                assert!((20..90).contains(&share), "{overall:?} at {side}: {share} % painted");
            }
        }
    }

    /// The icon as letters: `#` its colour, `o` white, `.` nothing.
    fn letters(overall: Overall, side: u16) -> String {
        let Pixmap { argb, .. } = draw(overall, side);
        let letter = |pixel: &[u8]| match pixel {
            [..128, ..] => '.',
            [_, rgb @ ..] if contrast([rgb[0], rgb[1], rgb[2]], WHITE) < 1.8 => 'o',
            _ => '#',
        };
        let lines = argb.chunks(usize::from(side) * 4);
        lines.map(|line| line.chunks(4).map(letter).collect::<String>()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_shapes_differ_without_colour_in_the_smallest_size() {
        let shapes: Vec<String> = Overall::ALL.iter().map(|&overall| letters(overall, SIZES[0])).collect();
        for (at, shape) in shapes.iter().enumerate() {
            for other in &shapes[..at] {
                let differing = shape.chars().zip(other.chars()).filter(|(a, b)| a != b).count();
                assert!(differing >= 20, "only {differing} pixels differ:\n{shape}\n\n{other}");
            }
        }
    }
}
