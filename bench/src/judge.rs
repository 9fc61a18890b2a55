//! Verdicts on goals: a figure that was measured against what was promised.

use crate::report::{Goal, Row, short};

/// What is said where the figure was not measured.
const NOT_MEASURED: &str = "not measured: a program that it needs is not named";

impl Row {
    /// `value` has to reach `least`; `label` says of what it is.
    pub(crate) fn at_least(&mut self, goal: &str, label: &str, value: Option<f64>, least: f64) {
        self.compare(goal, label, value, |value| value >= least);
    }

    /// `value` must not exceed `most`.
    pub(crate) fn at_most(&mut self, goal: &str, label: &str, value: Option<f64>, most: f64) {
        self.compare(goal, label, value, |value| value <= most);
    }

    fn compare(&mut self, goal: &str, label: &str, value: Option<f64>, is_met: impl FnOnce(f64) -> bool) {
        let found = value.map_or_else(|| NOT_MEASURED.to_owned(), |value| format!("{} {label}", short(value)));
        self.judge(Goal { promise: goal.to_owned(), found, is_met: value.map(is_met) });
    }
}
