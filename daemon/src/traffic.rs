//! The rates and round trips of one tunnel in the last hour, coarser the longer ago. Pure.
//!
//! A sample comes in each second. Of each span a ring is kept: 480 samples in all, some 6 kB for a tunnel that
//! has been up.

use std::collections::VecDeque;
use tunnels_api::{Sample, Span};

/// What one tunnel carried lately.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    rings: [Ring; Span::ALL.len()],
}

#[derive(Debug, Default)]
struct Ring {
    samples: VecDeque<Packed>,
    /// Of the step that is not over yet.
    sum: Sum,
}

/// A sample in twelve bytes: 4 GB/s are more than one tunnel carries.
#[derive(Debug, Clone, Copy)]
struct Packed {
    rate_in: u32,
    rate_out: u32,
    /// Milliseconds; not a number where none was measured.
    rtt: f32,
}

#[derive(Debug, Default)]
struct Sum {
    seconds: u32,
    rate_in: u64,
    rate_out: u64,
    rtt: f64,
    measured: u32,
}

impl Traffic {
    /// Takes in what the last second came to.
    pub(crate) fn add(&mut self, second: Sample) {
        for (span, ring) in Span::ALL.into_iter().zip(&mut self.rings) {
            ring.sum.add(second);
            if ring.sum.seconds < span.step_s() {
                continue;
            }
            if ring.samples.len() == span.samples() {
                ring.samples.pop_front();
            }
            ring.samples.push_back(std::mem::take(&mut ring.sum).mean());
        }
    }

    /// Whether there was anything yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.rings[0].samples.is_empty()
    }

    /// The whole steps of a span, the oldest first.
    pub(crate) fn samples(&self, span: Span) -> Vec<Sample> {
        let ring = Span::ALL.into_iter().zip(&self.rings).find(|(known, _)| *known == span);
        ring.map_or_else(Vec::new, |(_, ring)| ring.samples.iter().copied().map(Sample::from).collect())
    }
}

impl Sum {
    fn add(&mut self, second: Sample) {
        self.seconds += 1;
        self.rate_in = self.rate_in.saturating_add(second.rate_in);
        self.rate_out = self.rate_out.saturating_add(second.rate_out);
        if let Some(rtt) = second.rtt_ms {
            self.rtt += rtt;
            self.measured += 1;
        }
    }

    fn mean(self) -> Packed {
        let mean = |sum: u64| u32::try_from(sum / u64::from(self.seconds.max(1))).unwrap_or(u32::MAX);
        #[expect(clippy::cast_possible_truncation, reason = "seven digits of a round trip are enough")]
        let rtt = if self.measured == 0 { f32::NAN } else { (self.rtt / f64::from(self.measured)) as f32 };
        Packed { rate_in: mean(self.rate_in), rate_out: mean(self.rate_out), rtt }
    }
}

impl From<Packed> for Sample {
    fn from(packed: Packed) -> Self {
        let rtt = (!packed.rtt.is_nan()).then(|| (f64::from(packed.rtt) * 1e3).round() / 1e3);
        Self { rate_in: packed.rate_in.into(), rate_out: packed.rate_out.into(), rtt_ms: rtt }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(rate_in: u64, rtt_ms: Option<f64>) -> Sample {
        Sample { rate_in, rate_out: 2 * rate_in, rtt_ms }
    }

    #[test]
    fn each_span_has_the_means_of_its_steps() {
        let mut traffic = Traffic::default();
        assert!(traffic.is_empty());
        for number in 0..30 {
            traffic.add(second(number, (number % 5 == 0).then_some(4.0)));
        }
        assert_eq!(traffic.samples(Span::Minute).len(), 30);
        assert_eq!(traffic.samples(Span::Minute)[1], second(1, None));
        let quarter = traffic.samples(Span::Quarter);
        assert_eq!(quarter.len(), 6);
        assert_eq!(quarter[0], second(2, Some(4.0)), "round trips that were not measured do not count as none");
        assert_eq!(quarter[5], second(27, Some(4.0)));
        assert_eq!(traffic.samples(Span::Hour), [second(7, Some(4.0)), second(22, Some(4.0))]);
    }

    #[test]
    fn a_span_is_as_long_as_it_says_and_no_longer() {
        let mut traffic = Traffic::default();
        for number in 0..2 * 3600 {
            traffic.add(second(number, None));
        }
        for span in Span::ALL {
            assert_eq!(traffic.samples(span).len(), span.samples(), "{span:?}");
        }
        assert_eq!(traffic.samples(Span::Minute).last(), Some(&second(7199, None)));
        assert_eq!(traffic.samples(Span::Minute)[0], second(7140, None));
    }

    #[test]
    fn a_rate_beyond_all_measure_is_the_largest() {
        let mut traffic = Traffic::default();
        traffic.add(Sample { rate_in: u64::MAX, rate_out: 0, rtt_ms: None });
        assert_eq!(traffic.samples(Span::Minute)[0].rate_in, u64::from(u32::MAX));
    }
}
