//! The list of schema changes; when they are run is decided where the store is opened.

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// Every schema change, oldest first; a file that was released is never edited.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "init", include_str!("../../migrations/0001_init.sql")),
    (2, "watch", include_str!("../../migrations/0002_watch.sql")),
    (
        3,
        "feedback",
        include_str!("../../migrations/0003_feedback.sql"),
    ),
    (
        4,
        "correlate",
        include_str!("../../migrations/0004_correlate.sql"),
    ),
    (
        5,
        "shadow",
        include_str!("../../migrations/0005_shadow.sql"),
    ),
    (
        6,
        "assurance",
        include_str!("../../migrations/0006_assurance.sql"),
    ),
    (
        7,
        "people",
        include_str!("../../migrations/0007_people.sql"),
    ),
    (8, "acts", include_str!("../../migrations/0008_acts.sql")),
    (
        9,
        "metrics",
        include_str!("../../migrations/0009_metrics.sql"),
    ),
    (
        10,
        "sources",
        include_str!("../../migrations/0010_sources.sql"),
    ),
    (11, "held", include_str!("../../migrations/0011_held.sql")),
    (
        12,
        "review",
        include_str!("../../migrations/0012_review.sql"),
    ),
    (
        13,
        "baselines",
        include_str!("../../migrations/0013_baselines.sql"),
    ),
    (
        14,
        "origins",
        include_str!("../../migrations/0014_origins.sql"),
    ),
    (
        15,
        "unrecorded",
        include_str!("../../migrations/0015_unrecorded.sql"),
    ),
    (
        16,
        "requested",
        include_str!("../../migrations/0016_requested.sql"),
    ),
];

/// Number of the newest one.
pub(super) fn latest() -> i64 {
    MIGRATIONS.last().map_or(0, |m| m.0)
}

/// All of them as sqlx runs them.
pub(super) fn migrator() -> Migrator {
    Migrator::with_migrations(
        MIGRATIONS
            .iter()
            .map(|(version, name, sql)| {
                Migration::new(
                    *version,
                    (*name).into(),
                    MigrationType::Simple,
                    sql.into_sql_str(),
                    false,
                )
            })
            .collect(),
    )
}
