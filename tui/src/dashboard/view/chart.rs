//! The tabs that are charts: throughput, latency.
//!
//! Each curve has a chart of its own, so that they can be told without colour.

use super::body::waiting;
use super::line::span;
use crate::dashboard::model::{Detail, Model};
use crate::dashboard::theme::Theme;
use crate::units;
use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::Style;
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Block, Borders, Chart, Dataset, GraphType};
use tunnels_api::{Sample, Traffic};

/// Columns that a whole title needs.
const ROOMY: u16 = 72;

/// Columns that all figures need.
const NARROW: u16 = 56;

/// Lines that a chart needs for a curve to be seen.
const LEAST_HEIGHT: u16 = 5;

/// Both ways, one below the other.
pub(super) fn throughput(model: &Model, detail: &Detail, frame: &mut Frame<'_>, area: Rect) {
    let Some(traffic) = known(model, detail, frame, area) else { return };
    // Where there is no room for two curves the second is a line of figures.
    let half = if area.height / 2 < LEAST_HEIGHT { area.height.min(1) } else { area.height / 2 };
    let upper = Rect { height: area.height - half, ..area };
    let lower = Rect { y: area.y + upper.height, height: half, ..area };
    let rates = |rate: fn(&Sample) -> u64| Curve {
        values: traffic.samples.iter().map(|sample| Some(rate(sample) as f64)).collect(),
        unit: |rate| if rate < 0.5 { "0".to_owned() } else { units::rate(to_u64(rate)) },
        least: 1000.0,
    };
    let (back, out) = (rates(|sample| sample.rate_in), rates(|sample| sample.rate_out));
    back.draw("in, towards you", detail, model.theme.good(), frame, upper);
    out.draw("out, towards the remote", detail, model.theme.accent(), frame, lower);
}

/// Round trips to the agent.
pub(super) fn latency(model: &Model, detail: &Detail, frame: &mut Frame<'_>, area: Rect) {
    let Some(traffic) = known(model, detail, frame, area) else { return };
    let curve = Curve {
        values: traffic.samples.iter().map(|sample| sample.rtt_ms).collect(),
        unit: |millis| if millis <= 0.0 { "0".to_owned() } else { units::round_trip(Some(millis)) },
        least: 1.0,
    };
    curve.draw("round trip, to the agent", detail, model.theme.warning(), frame, area);
}

/// What there is to draw, or a word about why there is nothing.
fn known<'a>(model: &Model, detail: &'a Detail, frame: &mut Frame<'_>, area: Rect) -> Option<&'a Traffic> {
    let traffic = detail.seen.traffic.as_ref();
    let said = match traffic {
        None => waiting(model),
        Some(traffic) if traffic.samples.is_empty() => {
            Line::from(span("nothing yet: it was not up for long enough", Theme::dim()))
        }
        Some(_) => return traffic,
    };
    frame.render_widget(said, area);
    None
}

/// One value a step, the newest last; none where there was nothing to measure.
struct Curve {
    values: Vec<Option<f64>>,
    unit: fn(f64) -> String,
    /// The top of the axis is not below this: noise is not to look like something.
    least: f64,
}

impl Curve {
    fn draw(&self, title: &str, detail: &Detail, style: Style, frame: &mut Frame<'_>, area: Rect) {
        let known: Vec<f64> = self.values.iter().copied().flatten().collect();
        let most = known.iter().copied().fold(0.0, f64::max);
        let figure = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| (self.unit)(value));
        let mean = (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64);
        let most_seen = (!known.is_empty()).then_some(most);
        // Where there is little room the direction is enough.
        let title = if area.width < ROOMY { title.split(',').next().unwrap_or(title) } else { title };
        let mut heading = vec![span(format!("{title}  "), Theme::bold())];
        let figures = [("now", self.values.last().copied().flatten()), ("mean", mean), ("most", most_seen)];
        // What it was on the average can be seen.
        let shown = figures.into_iter().filter(|(what, _)| area.width >= NARROW || *what != "mean");
        for (what, value) in shown {
            heading.extend([span(format!("{what} "), Theme::dim()), Span::raw(format!("{:<10}", figure(value)))]);
        }
        let heading = Line::from(heading);
        if area.height < LEAST_HEIGHT {
            frame.render_widget(heading, area);
            return;
        }
        let top = nice(most.max(self.least));
        let samples = detail.span.samples();
        let step = f64::from(detail.span.step_s());
        let width = (samples as f64 - 1.0) * step;
        // The newest stands at the right end.
        let age = |at: usize| -((self.values.len() - 1 - at) as f64) * step;
        let stretches: Vec<Vec<(f64, f64)>> = self.stretches(age);
        let datasets = stretches.iter().map(|points| {
            Dataset::default().marker(Marker::Braille).graph_type(GraphType::Line).style(style).data(points)
        });
        let labels =
            [0.0, top / 2.0, top].map(|value| Span::styled(format!("{:>9}", (self.unit)(value)), Theme::dim()));
        let ago = match detail.span {
            tunnels_api::Span::Minute => ["1 min ago", "30 s", "now"],
            tunnels_api::Span::Quarter => ["15 min ago", "7 min 30 s", "now"],
            tunnels_api::Span::Hour => ["60 min ago", "30 min", "now"],
        };
        let chart = Chart::new(datasets.collect())
            .block(Block::new().borders(Borders::NONE).title(heading))
            .x_axis(Axis::default().style(Theme::dim()).bounds([-width, 0.0]).labels(ago))
            .y_axis(
                Axis::default()
                    .style(Theme::dim())
                    .bounds([0.0, top])
                    .labels(labels)
                    .labels_alignment(Alignment::Right),
            )
            .legend_position(None);
        frame.render_widget(chart, area);
    }

    /// The curve without the gaps where nothing was measured.
    fn stretches(&self, age: impl Fn(usize) -> f64) -> Vec<Vec<(f64, f64)>> {
        let mut stretches = vec![Vec::new()];
        for (at, value) in self.values.iter().enumerate() {
            match (value, stretches.last_mut()) {
                (Some(value), Some(stretch)) => stretch.push((age(at), *value)),
                (None, Some(stretch)) if !stretch.is_empty() => stretches.push(Vec::new()),
                _ => {}
            }
        }
        stretches.retain(|stretch| !stretch.is_empty());
        stretches
    }
}

/// The next of 1, 2, 5, 10 … from here on: a top that does not change with every sample.
fn nice(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    steps.into_iter().find(|step| *step >= value).unwrap_or(value)
}

fn to_u64(rate: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate is not negative, and `as` saturates"
    )]
    let whole = rate.round() as u64;
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_of_an_axis_is_a_round_number_that_holds_the_curve() {
        for (value, top) in [(1000.0, 1000.0), (1001.0, 2000.0), (730_000.0, 1_000_000.0), (3.0, 5.0), (0.7, 1.0)] {
            assert!((nice(value) - top).abs() < 1e-6 * top, "{value}: {}", nice(value));
        }
    }

    #[test]
    fn a_curve_has_gaps_where_nothing_was_measured() {
        let curve = Curve {
            values: vec![None, Some(1.0), Some(2.0), None, None, Some(3.0)],
            unit: |_| String::new(),
            least: 1.0,
        };
        let stretches = curve.stretches(|at| at as f64);
        assert_eq!(stretches, [vec![(1.0, 1.0), (2.0, 2.0)], vec![(5.0, 3.0)]]);
    }
}
