//! Whole runs over whole labs: what goes in, what comes out, and what must not happen.

mod acting;
mod audit;
mod baselines;
mod curve;
mod daemon;
mod demo;
mod effects;
mod faults;
mod feedback;
mod forged;
mod held;
mod integrity;
mod learn;
mod model;
mod people;
mod proof;
mod queries;
mod replay;
mod reports;
mod selftest;
mod split;
mod storm;
mod tickets;
mod turns;
mod watch;
mod write_back;
