//! The weekly metrics: every number once more by other means, the forms of the export, and the export on schedule.

mod desk;
mod dwell;
mod export;
mod gaps;
mod numbers;
mod oracle;
mod outside;
mod readers;
mod sample;
mod shown;
mod weekly;
