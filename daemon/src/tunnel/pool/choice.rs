//! Which session a new connection gets. Pure: a function of what can be seen of each.

use super::load::Level;
use crate::tunnel::seats::Occupancy;
use std::cmp::Reverse;

/// Far below what an agent takes (docs/protocol.md §6.2), and below what a session refuses.
const MOST_STREAMS: usize = 900;

/// A session as a new connection sees it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::tunnel) struct Candidate {
    pub(in crate::tunnel) occupancy: Occupancy,
    /// Its channel works, as far as is known.
    pub(in crate::tunnel) carries: bool,
    /// It has ended.
    pub(in crate::tunnel) is_over: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tunnel) enum Choice {
    /// This one.
    Take(usize),
    /// Those there are would make it wait behind others.
    Busy(usize),
    /// There is none.
    Nothing,
}

impl Candidate {
    fn is_open(&self) -> bool {
        !self.is_over && !self.occupancy.is_closed && self.occupancy.streams < MOST_STREAMS
    }

    /// The smaller, the better. Who came after the last measurement came to do something; of several nobody knows how
    /// much.
    fn rank(&self) -> impl Ord + use<> {
        let Occupancy { streams, fresh, load, .. } = self.occupancy;
        let is_used = streams > 0;
        let level = load.level.max(match fresh {
            0 => Level::Quiet,
            1 => Level::Active,
            _ => Level::Busy,
        });
        let active = load.active + fresh;
        (Reverse(self.carries), is_used, is_used.then_some((level, active)), streams)
    }
}

/// An unused session, else the quietest, else the one with the fewest connections that do something. One that has
/// lost its channel only if there is no other: a connection that it gets is frozen until it has one again.
pub(in crate::tunnel) fn choose(candidates: &[Candidate]) -> Choice {
    let open = candidates.iter().enumerate().filter(|(_, candidate)| candidate.is_open());
    let Some((best, candidate)) = open.min_by_key(|(_, candidate)| candidate.rank()) else { return Choice::Nothing };
    let Occupancy { streams, load, .. } = candidate.occupancy;
    if candidate.carries && streams > 0 && load.level >= Level::Busy { Choice::Busy(best) } else { Choice::Take(best) }
}

#[cfg(test)]
mod tests {
    use super::super::load::Load;
    use super::*;

    fn session(streams: usize, level: Level, active: usize) -> Candidate {
        let load = Load { level, active, lasts: false };
        let occupancy = Occupancy { streams, fresh: 0, load, is_closed: false };
        Candidate { occupancy, carries: true, is_over: false }
    }

    const UNUSED: fn() -> Candidate = || session(0, Level::Quiet, 0);

    #[test]
    fn unused_then_quiet_then_active_then_busy() {
        let [quiet, active, busy, stalled] =
            [(9, Level::Quiet, 0), (1, Level::Active, 1), (1, Level::Busy, 1), (1, Level::Stalled, 0)]
                .map(|(streams, level, active)| session(streams, level, active));
        assert_eq!(choose(&[busy, active, quiet, UNUSED()]), Choice::Take(3));
        assert_eq!(choose(&[busy, active, quiet]), Choice::Take(2), "streams that carry nothing are no load");
        assert_eq!(choose(&[busy, active]), Choice::Take(1));
        assert_eq!(choose(&[stalled, busy]), Choice::Busy(1));
        assert_eq!(choose(&[stalled]), Choice::Busy(0), "better than nothing");
        assert_eq!(choose(&[]), Choice::Nothing);
    }

    #[test]
    fn a_burst_spreads_before_anything_is_measured() {
        let mut sessions = [UNUSED(), UNUSED(), UNUSED()];
        for _ in 0..9 {
            let Choice::Take(taken) = choose(&sessions) else { panic!("{sessions:?}") };
            sessions[taken].occupancy.streams += 1;
            sessions[taken].occupancy.fresh += 1;
        }
        assert!(sessions.iter().all(|session| session.occupancy.streams == 3), "{sessions:?}");
    }

    #[test]
    fn a_burst_does_not_pile_up_in_the_newest_session() {
        let mut sessions =
            [session(1, Level::Busy, 1), session(1, Level::Busy, 1), session(1, Level::Busy, 1), UNUSED()];
        for _ in 0..5 {
            let (Choice::Take(taken) | Choice::Busy(taken)) = choose(&sessions) else { panic!("{sessions:?}") };
            sessions[taken].occupancy.streams += 1;
            sessions[taken].occupancy.fresh += 1;
        }
        assert_eq!(sessions.map(|session| session.occupancy.streams), [2; 4]);
    }

    #[test]
    fn who_has_just_come_counts_as_busy_with_something() {
        let mut fresh = session(1, Level::Quiet, 0);
        fresh.occupancy.fresh = 1;
        assert_eq!(choose(&[fresh, session(5, Level::Quiet, 0)]), Choice::Take(1));
    }

    #[test]
    fn a_session_without_a_channel_is_the_last_choice_and_one_that_is_over_none() {
        let mut frozen = UNUSED();
        frozen.carries = false;
        assert_eq!(choose(&[frozen, session(8, Level::Busy, 8)]), Choice::Busy(1));
        assert_eq!(choose(&[frozen]), Choice::Take(0));
        frozen.is_over = true;
        assert_eq!(choose(&[frozen]), Choice::Nothing);
        let mut closed = UNUSED();
        closed.occupancy.is_closed = true;
        assert_eq!(choose(&[closed, session(MOST_STREAMS, Level::Quiet, 0)]), Choice::Nothing);
    }
}
