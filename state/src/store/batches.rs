//! Batches of equal proposed closes, and notices about the daemon itself: what people are told besides single cases.

use sqlx::SqliteConnection;

use super::rows::{self, Fields, micros};
use super::{Result, Store, StoreError, audit};
use crate::model::{Batch, CaseId, Time};

impl Store {
    /// Stores a batch; gives it as it stands. The same questions of the same likeness, or some of them, are the same batch,
    /// and one that has some of them goes on as the same question.
    pub async fn add_batch(&self, batch: &Batch, now: Time) -> Result<Batch> {
        // Read under the lock of the write: every notifier composes by itself, and all in the same moment.
        let mut tx = self.begin().await?;
        let last = last_of(&mut tx, &batch.likeness).await?;
        let mut root = batch.root;
        if let Some(last) = last {
            let of_it = batch
                .approvals
                .iter()
                .filter(|id| last.approvals.contains(id));
            let shared = of_it.count();
            if last.digest == batch.digest || (!last.split && shared == batch.approvals.len()) {
                return Ok(last);
            }
            if root == 0 && shared > 0 && !last.split {
                root = last.root;
            }
        }
        let cases: Vec<i64> = batch.sample.iter().map(|c| c.0).collect();
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO batches (likeness, root, approvals, digest, sample, at)
             VALUES (?1, coalesce(nullif(?2, 0), (SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'batches')),
                ?3, ?4, ?5, ?6) RETURNING id",
        )
        .bind(&batch.likeness)
        .bind(root)
        .bind(rows::json(&batch.approvals)?)
        .bind(&batch.digest)
        .bind(rows::json(&cases)?)
        .bind(micros(now))
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        self.batch(id).await
    }

    /// The batch of a likeness that an answer may be given to.
    pub async fn last_batch(&self, likeness: &str) -> Result<Option<Batch>> {
        last_of(&mut *self.readers.acquire().await?, likeness).await
    }

    /// The last batch of a question.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none that began with this id.
    pub async fn batch_of(&self, root: i64) -> Result<Batch> {
        let found = sqlx::query("SELECT * FROM batches WHERE root = ?1 ORDER BY id DESC LIMIT 1")
            .bind(root)
            .fetch_optional(&self.readers)
            .await?;
        rows::one("batches", found.as_ref())?
            .ok_or_else(|| StoreError::not_found(format!("batch {root}")))
    }

    /// One batch.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none with this id.
    pub async fn batch(&self, id: i64) -> Result<Batch> {
        let found = sqlx::query("SELECT * FROM batches WHERE id = ?1")
            .bind(id)
            .fetch_optional(&self.readers)
            .await?;
        rows::one("batches", found.as_ref())?
            .ok_or_else(|| StoreError::not_found(format!("batch {id}")))
    }

    /// A person wants to see each case of a batch by itself: they are told of as if something had happened to them. The audit
    /// entry is in the same transaction.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when it was taken apart before.
    pub async fn split_batch(&self, id: i64, now: Time, entry: &serde_json::Value) -> Result<()> {
        let mut tx = self.begin().await?;
        let split = sqlx::query("UPDATE batches SET split = 1 WHERE id = ?1 AND split = 0")
            .bind(id)
            .execute(&mut *tx)
            .await?;
        if split.rows_affected() == 0 {
            let what = format!("taking batch {id} apart: somebody did before");
            return Err(StoreError::refused(what));
        }
        audit::append(&mut tx, now, entry).await?;
        sqlx::query(
            "UPDATE posts SET seq = 0 WHERE place IS NULL AND key IN (
                SELECT 'case:' || a.case_id FROM batches b, json_each(b.approvals) j
                JOIN approvals a ON a.id = j.value WHERE b.id = ?1)",
        )
        .bind(id)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Batches that have something open, the newest first.
    pub async fn open_questions(&self) -> Result<Vec<Batch>> {
        let found = sqlx::query(
            "SELECT b.* FROM batches b WHERE b.split = 0
               AND b.id = (SELECT max(id) FROM batches l WHERE l.root = b.root)
               AND EXISTS (SELECT 1 FROM json_each(b.approvals) j JOIN approvals a ON a.id = j.value
                           WHERE a.state = 'pending')
             ORDER BY b.id DESC LIMIT 1000",
        )
        .fetch_all(&self.readers)
        .await?;
        rows::all("batches", &found)
    }

    /// Notes something about the daemon itself that people are to be told, once for a key.
    pub async fn add_notice(&self, key: &str, body: &serde_json::Value, now: Time) -> Result<()> {
        let known: Option<i64> = sqlx::query_scalar("SELECT id FROM notices WHERE key = ?1")
            .bind(key)
            .fetch_optional(&self.readers)
            .await?;
        if known.is_some() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO notices (key, body, at) VALUES (?1, ?2, ?3) ON CONFLICT (key) DO NOTHING",
        )
        .bind(key)
        .bind(rows::json(body)?)
        .bind(micros(now))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Notices after one and since then that this notifier has no post of: number, key and what they say, oldest first, at
    /// most 100.
    pub async fn notices(
        &self,
        notifier: &str,
        (since, after): (Time, i64),
    ) -> Result<Vec<(i64, String, serde_json::Value)>> {
        let found = sqlx::query(
            "SELECT n.* FROM notices n WHERE n.id > ?3 AND n.at >= ?2 AND NOT EXISTS (
                SELECT 1 FROM posts p WHERE p.notifier = ?1 AND p.key = n.key) ORDER BY n.id LIMIT 100",
        )
        .bind(notifier)
        .bind(micros(since))
        .bind(after)
        .fetch_all(&self.readers)
        .await?;
        found
            .iter()
            .map(|row| {
                let row = Fields::new("notices", row);
                Ok((row.get("id")?, row.get("key")?, row.json("body")?))
            })
            .collect()
    }
}

async fn last_of(db: &mut SqliteConnection, likeness: &str) -> Result<Option<Batch>> {
    let found = sqlx::query("SELECT * FROM batches WHERE likeness = ?1 ORDER BY id DESC LIMIT 1")
        .bind(likeness)
        .fetch_optional(db)
        .await?;
    rows::one("batches", found.as_ref())
}

impl<'r> TryFrom<Fields<'r>> for Batch {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        let sample: Vec<i64> = row.json("sample")?;
        Ok(Self {
            id: row.get("id")?,
            likeness: row.get("likeness")?,
            root: row.get("root")?,
            approvals: row.json("approvals")?,
            digest: row.get("digest")?,
            sample: sample.into_iter().map(CaseId).collect(),
            split: row.flag("split")?,
        })
    }
}
