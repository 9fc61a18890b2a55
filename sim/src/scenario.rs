//! A scenario: what goes wrong when, from a TOML file, so that a bug report can be played again.
//!
//! Owns the file's form (docs/simulator.md) and the plan that it becomes with a seed. The acts
//! themselves are those of `/_sim`; [`play`] carries them out.

mod play;
mod time;

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

pub(crate) use self::play::play;
use self::time::Time;
use crate::dice::Dice;
use crate::faults::{FaultError, Faults};
use crate::sim_api::Cut;

/// Most acts of one scenario: those of a day with one each second.
const MOST_ACTS: usize = 86_400;

/// What goes wrong when.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// What the times count from.
    pub from: From,
    /// The file's own seed; `--seed` goes before it.
    pub seed: Option<u64>,
    /// The faults in force from the start, and again after those of a step are over.
    pub faults: Faults,
    steps: Vec<Step>,
}

/// What a scenario's times count from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum From {
    /// The start of the simulator.
    #[default]
    Start,
    /// The first StartSession that succeeds.
    FirstSession,
}

/// Why a scenario cannot be played.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// No TOML, an unknown key or a value of the wrong type; the text shows the line.
    #[error("{0}")]
    Form(#[from] toml::de::Error),
    /// `[faults]` makes no sense.
    #[error("[faults]: {0}")]
    Faults(FaultError),
    /// One step makes no sense.
    #[error("step {number}, at {at:?}: {reason}")]
    Step {
        /// Which one, counted from 1.
        number: usize,
        /// Its time.
        at: Duration,
        /// What is wrong with it.
        reason: String,
    },
    /// There are too many acts.
    #[error("the steps add up to more than {MOST_ACTS} acts")]
    TooLong,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    from: From,
    seed: Option<u64>,
    #[serde(default)]
    faults: Map<String, Value>,
    #[serde(default, rename = "step")]
    steps: Vec<Step>,
}

/// One `[[step]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    at: Time,
    #[serde(rename = "for")]
    lasts: Option<Time>,
    every: Option<Time>,
    times: Option<usize>,
    #[serde(default)]
    jitter: Time,
    faults: Option<Map<String, Value>>,
    cut: Option<Cut>,
    close: Option<String>,
    #[serde(default)]
    restart_agents: bool,
    #[serde(default)]
    clear: bool,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Act {
    /// Change these faults.
    Faults(Value),
    /// Back to the scenario's own `[faults]`.
    Clear,
    Cut(Cut),
    /// End every session with this text for its user.
    Close(String),
    RestartAgents,
}

/// When to do what.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Moment {
    pub(crate) at: Duration,
    pub(crate) act: Act,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9.3} s  ", self.at.as_secs_f64())?;
        match &self.act {
            Act::Faults(patch) => write!(f, "faults {patch}"),
            Act::Clear => f.write_str("clear"),
            Act::Cut(cut) => {
                write!(f, "cut {:?} {:?}", cut.side, cut.how)?;
                match cut.for_s {
                    Some(seconds) => write!(f, " for {seconds} s"),
                    None => Ok(()),
                }
            }
            Act::Close(output) => write!(f, "close {output:?}"),
            Act::RestartAgents => f.write_str("restart agents"),
        }
    }
}

impl Scenario {
    /// Reads and checks a scenario file.
    ///
    /// # Errors
    /// [`ScenarioError`]: with the line, or the step that makes no sense.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let file: File = toml::from_str(text)?;
        let faults = Faults::default().patched(&file.faults.into()).map_err(ScenarioError::Faults)?;
        for (index, step) in file.steps.iter().enumerate() {
            step.check(&faults).map_err(|reason| ScenarioError::Step { number: index + 1, at: step.at.0, reason })?;
        }
        let acts = file.steps.iter().map(|step| 2 * step.times());
        if acts.fold(0, usize::saturating_add) > MOST_ACTS {
            return Err(ScenarioError::TooLong);
        }
        Ok(Self { from: file.from, seed: file.seed, faults, steps: file.steps })
    }

    /// All acts in the order of their times; the same for the same seed.
    pub(crate) fn plan(&self, dice: &Dice) -> Vec<Moment> {
        let dice = dice.branch("scenario");
        let mut moments = Vec::new();
        for step in &self.steps {
            for round in 0..step.times() {
                let rounds = u32::try_from(round).unwrap_or(u32::MAX);
                let pause = step.every.unwrap_or_default().0.saturating_mul(rounds);
                let at = step.at.0.saturating_add(pause).saturating_add(dice.up_to(step.jitter.0));
                moments.extend(step.acts().map(|act| Moment { at, act }));
                if let (Some(Time(lasts)), Some(faults)) = (step.lasts, &step.faults) {
                    moments.push(Moment { at: at.saturating_add(lasts), act: self.end_of(faults) });
                }
            }
        }
        moments.sort_by_key(|moment| moment.at);
        moments
    }

    /// What ends faults: the same keys as `[faults]` has them.
    fn end_of(&self, faults: &Map<String, Value>) -> Act {
        let usual = json!(self.faults);
        Act::Faults(faults.keys().map(|key| (key.clone(), usual[key].clone())).collect())
    }
}

impl Step {
    fn times(&self) -> usize {
        self.times.unwrap_or(1)
    }

    /// In the order in which they are carried out.
    fn acts(&self) -> impl Iterator<Item = Act> {
        [
            self.clear.then_some(Act::Clear),
            self.faults.clone().map(|faults| Act::Faults(faults.into())),
            self.cut.clone().map(Act::Cut),
            self.restart_agents.then_some(Act::RestartAgents),
            self.close.clone().map(Act::Close),
        ]
        .into_iter()
        .flatten()
    }

    /// What is wrong with it, in words.
    fn check(&self, usual: &Faults) -> Result<(), String> {
        if let Some(faults) = &self.faults {
            usual.patched(&faults.clone().into()).map_err(|error| format!("faults: {error}"))?;
        }
        if self.acts().next().is_none() {
            return Err("nothing to do: write faults, cut, close, restart_agents or clear".to_owned());
        }
        if self.lasts.is_some() && self.faults.is_none() {
            return Err("`for` belongs to faults; the length of a cut is its for_s".to_owned());
        }
        match (self.every, self.times) {
            (None, None) => Ok(()),
            (Some(Time(pause)), Some(1..)) if !pause.is_zero() => Ok(()),
            _ => Err("`every` and `times` belong together, and both are more than nothing".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
