//! What people are told, when and how often: derived from the store, through every notifier alike.

mod apart;
mod beat;
mod contract;
mod outbox;
mod rights;
mod site;
mod words;
