//! The gate against what an attacker, or a model that obeys one, would try; what people answer is in `scenarios`.

mod adversary;
mod definitions;
mod fuzz;
mod held;
mod ledger;
mod noninterference;
mod pins;
