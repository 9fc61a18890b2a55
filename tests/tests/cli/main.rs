//! What scripts rely on: exit codes, JSON shapes, what goes to which stream.

mod commands;
mod completion;
mod config;
mod errors;
mod exit_codes;
mod json;
mod logs;
mod output;
mod places;
mod service;
mod skew;
mod why;
