//! The simulator through its ports, as clients, agents and tests see it.

mod api;
mod control;
mod end_to_end;
mod external;
mod faults;
mod gateway;
mod identity;
mod messages;
mod outages;
mod scenario;
mod strict;
mod support;
