//! Attacks on the way of clicks into the daemon, as data; what a good daemon does with each is the tests' to say.
