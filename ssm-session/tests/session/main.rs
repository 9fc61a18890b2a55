//! Client and agent sessions talking to each other, over memory and over real websockets on loopback.

mod back_pressure;
mod connecting;
mod ending;
mod gateway;
mod harness;
mod proxying;
mod resuming;
mod tls;
mod traffic;
