//! End to end: the real program against the simulated AWS side, with real TCP on both ends.

mod harness;
