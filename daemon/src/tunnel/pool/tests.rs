//! The pool alone: what it asks for, given what sessions carry.

use super::*;

const SECOND: Duration = Duration::from_secs(1);
/// Just not long enough for an unused session to end.
const ALMOST: Duration = Duration::from_secs(UNUSED.as_secs() - 1);

/// Sessions as the pool is shown them, and the pool.
struct World {
    pool: Pool,
    views: Vec<View>,
    now: Instant,
    opened: usize,
    /// What became of what it asked for.
    asked: usize,
}

const IDLE: Load = Load { level: Level::Quiet, active: 0, lasts: false };

fn bulk(connections: usize) -> Load {
    Load { level: Level::Busy, active: connections, lasts: true }
}

impl World {
    fn new(most: usize) -> Self {
        let now = Instant::now();
        let mut world = Self { pool: Pool::new(most, 1, now), views: Vec::new(), now, opened: 0, asked: 0 };
        world.open();
        world
    }

    fn open(&mut self) {
        let id: SessionId = format!("s-{}", self.opened).into();
        self.opened += 1;
        self.views.push(View { id, since: self.now, streams: 0, load: IDLE, carries: true });
    }

    fn carries(&mut self, session: usize, streams: usize, load: Load) {
        self.views[session].streams = streams;
        self.views[session].load = load;
    }

    /// Shows the pool what there is; what it wants retired is, and what it wants opened is counted.
    fn look(&mut self) -> Vec<Action> {
        self.pool.look(self.views.clone(), true, self.now);
        self.actions()
    }

    fn actions(&mut self) -> Vec<Action> {
        let actions: Vec<Action> = std::iter::from_fn(|| self.pool.poll_action()).collect();
        for action in &actions {
            match action {
                Action::Open => self.asked += 1,
                Action::Retire(id) | Action::Release(id) => self.views.retain(|view| view.id != *id),
            }
        }
        actions
    }

    /// Opens all that was asked for, and what is asked for then, until there is no more.
    fn grow(&mut self) {
        self.look();
        while std::mem::take(&mut self.asked) > 0 {
            for _ in 0..self.pool.opening {
                self.pool.handle_opened();
                self.open();
            }
            self.look();
        }
    }

    /// Lets time pass as a task would.
    fn pass(&mut self, time: Duration) -> Vec<Action> {
        let end = self.now + time;
        let mut actions = self.look();
        while let Some(at) = self.pool.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.pool.handle_timeout(self.now);
            actions.extend(self.actions());
            actions.extend(self.look());
        }
        self.now = end;
        actions.extend(self.look());
        actions
    }

    fn ids(&self) -> Vec<&str> {
        self.views.iter().map(|view| &*view.id).collect()
    }
}

#[test]
fn an_idle_tunnel_has_one_session_and_nothing_to_do() {
    let mut world = World::new(4);
    world.carries(0, 100, IDLE);
    assert_eq!(world.look(), [], "connections that carry nothing are no load");
    assert_eq!(world.pool.poll_timeout(), None);
    world.carries(0, 1, Load { level: Level::Busy, active: 1, lasts: false });
    assert_eq!(world.look(), [], "a question is answered before a session would be open");
}

#[test]
fn one_is_opened_ahead_when_all_that_are_used_carry_something_lastingly() {
    let mut world = World::new(4);
    world.carries(0, 1, bulk(1));
    assert_eq!(world.look(), [Action::Open]);
    assert_eq!(world.look(), [], "it is on its way");
    world.pool.handle_opened();
    world.open();
    assert_eq!(world.look(), [], "one is unused");
    world.carries(1, 1, IDLE);
    assert_eq!(world.look(), [], "the next connection disturbs nobody there");
    world.carries(1, 1, Load { level: Level::Active, active: 1, lasts: true });
    assert_eq!(world.look(), [Action::Open]);
}

#[test]
fn who_shares_a_busy_session_gets_as_many_ahead_and_never_more_than_allowed() {
    let mut world = World::new(8);
    world.carries(0, 16, bulk(16));
    assert_eq!(world.look().len(), AT_ONCE, "not all at once");
    world.grow();
    assert_eq!(world.views.len(), 8);
    for session in 0..8 {
        world.carries(session, 2, bulk(2));
    }
    assert_eq!(world.pass(10 * SECOND), []);
    let mut world = World::new(8);
    world.carries(0, 3, bulk(3));
    world.grow();
    assert_eq!(world.views.len(), 3);
    let mut world = World::new(1);
    world.carries(0, 3, bulk(3));
    assert_eq!(world.look(), []);
}

#[test]
fn unused_sessions_end_after_their_time_and_the_last_stays() {
    let mut world = World::new(4);
    world.carries(0, 4, bulk(4));
    world.grow();
    assert_eq!(world.pass(UNUSED * 10), [], "they are in reserve for those that share");
    world.carries(0, 0, IDLE);
    assert_eq!(world.pass(ALMOST), []);
    assert_eq!(world.pass(SECOND).len(), 3);
    assert_eq!(world.ids(), ["s-0"]);
    assert_eq!(world.pass(UNUSED * 10), []);
}

#[test]
fn the_last_one_in_use_is_the_one_that_stays() {
    let mut world = World::new(4);
    world.carries(0, 1, bulk(1));
    world.grow();
    world.carries(1, 1, IDLE);
    world.carries(0, 0, IDLE);
    world.look();
    assert_eq!(world.pass(UNUSED), [Action::Release("s-0".into())]);
    assert_eq!(world.ids(), ["s-1"]);
}

#[test]
fn use_in_between_starts_the_time_anew() {
    let mut world = World::new(2);
    world.carries(0, 1, bulk(1));
    world.grow();
    world.carries(0, 1, IDLE);
    assert_eq!(world.pass(ALMOST), []);
    world.carries(1, 1, IDLE);
    world.look();
    world.carries(1, 0, IDLE);
    assert_eq!(world.pass(ALMOST), []);
    assert_eq!(world.pass(SECOND), [Action::Release("s-1".into())]);
}

#[test]
fn a_spare_is_kept_while_the_others_are_active_and_not_opened_for_it() {
    let mut world = World::new(2);
    let talks = Load { level: Level::Active, active: 1, lasts: false };
    world.carries(0, 1, talks);
    assert_eq!(world.look(), []);
    world.carries(0, 1, bulk(1));
    world.grow();
    world.carries(0, 1, talks);
    for _ in 0..100 {
        assert_eq!(world.pass(SECOND), []);
    }
    world.carries(0, 1, IDLE);
    assert_eq!(world.pass(UNUSED), [Action::Release("s-1".into())]);
}

#[test]
fn a_connection_that_finds_no_room_has_one_opened_at_once() {
    let mut world = World::new(2);
    world.carries(0, 1, Load { lasts: false, ..bulk(1) });
    assert_eq!(world.look(), []);
    assert!(world.pool.is_growing());
    world.pool.handle_crowd(world.now);
    assert_eq!(world.actions(), [Action::Open]);
    world.pool.handle_crowd(world.now);
    assert_eq!(world.actions(), []);
    world.pool.handle_opened();
    world.open();
    world.look();
    assert!(!world.pool.is_growing(), "there is nothing to wait for");
}

#[test]
fn what_cannot_be_opened_is_tried_again_later_and_later() {
    let mut world = World::new(4);
    world.carries(0, 1, bulk(1));
    let mut pauses = Vec::new();
    assert_eq!(world.look(), [Action::Open]);
    for _ in 0..8 {
        world.pool.handle_failed(Retry::Answered, world.now);
        assert_eq!(world.actions(), []);
        assert!(!world.pool.is_growing());
        let at = world.pool.poll_timeout().expect("it is tried again");
        pauses.push(at - world.now);
        world.now = at;
        world.pool.handle_timeout(at);
        assert_eq!(world.actions(), [Action::Open]);
    }
    assert!(pauses[0] >= Duration::from_millis(800) && pauses[7] >= Duration::from_secs(15), "{pauses:?}");
    world.pool.handle_failed(Retry::Login, world.now);
    world.pool.handle_nudge(Duration::ZERO, world.now);
    assert_eq!(world.actions(), [Action::Open], "what was in the way is gone");
    world.pool.handle_postponed(world.now + SECOND, world.now);
    assert_eq!(world.pool.poll_timeout(), Some(world.now + SECOND));
}

#[test]
fn a_tunnel_that_is_not_well_gets_no_more() {
    let mut world = World::new(4);
    world.carries(0, 1, bulk(1));
    world.pool.look(world.views.clone(), false, world.now);
    assert_eq!(world.actions(), []);
    world.views[0].carries = false;
    assert_eq!(world.look(), [], "nor one whose sessions have no channel");
}

#[test]
fn openings_in_a_row_run_out_and_come_back() {
    let mut world = World::new(2);
    let mut opened = 0;
    // As if every session that is opened ended at once.
    for _ in 0..100 {
        world.carries(0, 1, bulk(1));
        opened += world.look().len();
        world.pool.handle_opened();
    }
    assert_eq!(opened, BURST as usize);
    assert_eq!(world.pass(EVERY), [Action::Open]);
}

#[test]
fn an_edit_retires_what_is_too_much() {
    let mut world = World::new(4);
    world.carries(0, 8, bulk(8));
    world.grow();
    world.carries(2, 3, IDLE);
    world.pool.set_most(2);
    assert_eq!(world.look().len(), 2);
    assert_eq!(world.ids(), ["s-0", "s-2"], "those with connections stay");
    world.pool.set_most(1);
    assert_eq!(world.look(), [Action::Retire("s-2".into())]);
}

#[test]
fn a_member_takes_no_connections_when_its_life_is_nearly_over() {
    let mut world = World::new(2);
    world.carries(0, 2, bulk(2));
    world.grow();
    world.pool.set_longest(Duration::from_hours(1));
    assert_eq!(world.pass(Duration::from_secs(55 * 60 - 1)), []);
    assert_eq!(world.pass(SECOND), [Action::Retire("s-1".into()), Action::Open], "and another takes its place");
}

#[test]
fn a_member_without_a_channel_stands_by_for_a_moment_and_ends_like_any_other() {
    let mut world = World::new(3);
    world.carries(0, 1, bulk(1));
    world.grow();
    world.views[1].carries = false;
    assert_eq!(world.look(), [], "it is about to have one again");
    assert_eq!(world.pass(RESUMES), [Action::Open]);
    world.pool.handle_opened();
    world.open();
    assert_eq!(world.pass(UNUSED), [Action::Release("s-1".into())]);
}
