//! What scripts rely on: exit codes, JSON shapes, what goes to which stream.

mod changes;
mod commands;
mod completion;
mod config;
mod errors;
mod exec;
mod exit_codes;
mod export;
mod hosts;
mod json;
mod logs;
mod output;
mod places;
mod service;
mod shells;
mod skew;
mod tree;
mod why;
