//! What tools found, and the full bodies under their digests; what it means is the analysts'.

use sqlx::SqliteConnection;

use super::rows::{self, Fields, json, micros};
use super::{Result, Store, StoreError, digest};
use crate::model::{CaseId, Evidence};

impl Store {
    /// Stores evidence and gives it its name in the case: `E1`, `E2` and so on; the name it came with is not looked at.
    pub async fn add_evidence(&self, mut evidence: Evidence) -> Result<Evidence> {
        let mut tx = self.begin().await?;
        insert(&mut tx, &mut evidence).await?;
        tx.commit().await?;
        Ok(evidence)
    }

    /// The evidence of a case, `E1` first.
    pub async fn evidence_of(&self, case: CaseId) -> Result<Vec<Evidence>> {
        let found = sqlx::query("SELECT * FROM evidence WHERE case_id = ?1 ORDER BY seq")
            .bind(case.0)
            .fetch_all(&self.readers)
            .await?;
        rows::all("evidence", &found)
    }

    /// Keeps bytes under their SHA-256, hex; equal bytes are kept once.
    pub async fn put_body(&self, bytes: &[u8]) -> Result<String> {
        let mut tx = self.begin().await?;
        let digest = keep(&mut tx, bytes).await?;
        tx.commit().await?;
        Ok(digest)
    }

    /// The bytes kept under a digest.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when what is kept has another digest.
    pub async fn body(&self, digest: &str) -> Result<Option<Vec<u8>>> {
        let found: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT bytes FROM bodies WHERE digest = ?1")
                .bind(digest)
                .fetch_optional(&self.readers)
                .await?;
        match found {
            Some(bytes) if digest::sha256_hex(&bytes) != digest => Err(StoreError::Corrupt {
                table: "bodies",
                id: digest.to_owned(),
                why: "the bytes do not have this digest".to_owned(),
            }),
            other => Ok(other),
        }
    }
}

/// Stores evidence within a larger transaction and gives it its name.
pub(super) async fn insert(db: &mut SqliteConnection, evidence: &mut Evidence) -> Result<()> {
    let seq: i64 = sqlx::query_scalar(
        "INSERT INTO evidence (case_id, seq, asked_by, tool, call, answer, summary, value, activities, trust, digest, at)
         VALUES (?1, (SELECT coalesce(max(seq), 0) + 1 FROM evidence WHERE case_id = ?1),
                 ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) RETURNING seq",
    )
    .bind(evidence.case.0)
    .bind(&evidence.asked_by)
    .bind(&evidence.tool)
    .bind(evidence.call)
    .bind(evidence.answer.as_str())
    .bind(&evidence.summary)
    .bind(json(&evidence.value)?)
    .bind(json(&evidence.activities)?)
    .bind(evidence.trust.as_str())
    .bind(&evidence.digest)
    .bind(micros(evidence.at))
    .fetch_one(db)
    .await?;
    evidence.reference = format!("E{seq}");
    Ok(())
}

/// Keeps bytes under their digest within a larger transaction.
pub(super) async fn keep(db: &mut SqliteConnection, bytes: &[u8]) -> Result<String> {
    let digest = digest::sha256_hex(bytes);
    sqlx::query(
        "INSERT INTO bodies (digest, bytes) SELECT ?1, ?2
         WHERE NOT EXISTS (SELECT 1 FROM bodies WHERE digest = ?1)",
    )
    .bind(&digest)
    .bind(bytes)
    .execute(db)
    .await?;
    Ok(digest)
}

impl<'r> TryFrom<Fields<'r>> for Evidence {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        Ok(Self {
            case: row.case("case_id")?,
            reference: format!("E{}", row.get::<i64>("seq")?),
            asked_by: row.get("asked_by")?,
            tool: row.get("tool")?,
            call: row.get("call")?,
            answer: row.word("answer")?,
            summary: row.get("summary")?,
            value: row.json("value")?,
            activities: row.json("activities")?,
            trust: row.word("trust")?,
            digest: row.get("digest")?,
            at: row.time("at")?,
        })
    }
}
