//! The outbox: what each notifier is to show and what it shows; composing and sending posts is the daemon's.

use sqlx::SqliteConnection;

use super::rows::{self, Fields, micros};
use super::{Result, Store, StoreError, digest};
use crate::model::{CaseId, NewPost, PostState, StoredPost, Telling, Time};

impl Store {
    /// Since when a notifier is told; from now on when it is new.
    pub async fn told_since(&self, notifier: &str, now: Time) -> Result<Time> {
        if let Some(since) = since(&self.readers, notifier).await? {
            return Ok(since);
        }
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO notifiers (name, since) VALUES (?1, ?2) ON CONFLICT DO NOTHING")
            .bind(notifier)
            .bind(micros(now))
            .execute(&mut *tx)
            .await?;
        let since = since(&mut *tx, notifier).await?;
        tx.commit().await?;
        Ok(since.unwrap_or(now))
    }

    /// Cases after one that need a person since then and have no post, and such whose post does not tell of their last
    /// event; by id, at most `most`.
    pub async fn to_tell_after(
        &self,
        notifier: &str,
        (since, after): (Time, CaseId),
        most: i64,
    ) -> Result<Vec<Telling>> {
        to_tell(self, "> ?3", (notifier, since), (after.0.to_string(), most)).await
    }

    /// The same of these cases.
    pub async fn to_tell_of(
        &self,
        notifier: &str,
        since: Time,
        cases: &[CaseId],
    ) -> Result<Vec<Telling>> {
        let ids: Vec<i64> = cases.iter().map(|c| c.0).collect();
        let one_of = "IN (SELECT value FROM json_each(?3))";
        to_tell(
            self,
            one_of,
            (notifier, since),
            (rows::json(&ids)?, i64::MAX),
        )
        .await
    }

    /// Puts posts in the outbox, all or none. One that says what is there already is not due again.
    pub async fn queue_posts(&self, posts: &[NewPost], now: Time) -> Result<()> {
        let mut tx = self.begin().await?;
        for post in posts {
            queue(&mut tx, post, now).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Posts of a notifier that can be sent now: what people are newly asked first, then the oldest; one that belongs under
    /// another waits for it, and all wait while the notifier wants to be left alone.
    pub async fn due_posts(&self, notifier: &str, now: Time, most: i64) -> Result<Vec<StoredPost>> {
        let found = sqlx::query(
            "SELECT * FROM posts_placed WHERE notifier = ?1 AND state = 'due' AND next <= ?2
               AND (under IS NULL OR under_place IS NOT NULL)
               AND NOT EXISTS (SELECT 1 FROM notifiers n WHERE n.name = ?1 AND n.not_before > ?2)
             ORDER BY rank, id LIMIT ?3",
        )
        .bind(notifier)
        .bind(micros(now))
        .bind(most)
        .fetch_all(&self.readers)
        .await?;
        rows::all("posts", &found)
    }

    /// People see this body now; a body that came in the meantime stays due.
    pub async fn post_shown(
        &self,
        post: &StoredPost,
        place: &serde_json::Value,
        now: Time,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "UPDATE posts SET shown = ?2, place = ?3, attempts = 0, why = '',
                first_sent = coalesce(first_sent, ?4), rank = max(rank, 2),
                state = CASE WHEN digest <> ?2 THEN 'due' WHEN settles THEN 'settled' ELSE 'sent' END
             WHERE id = ?1",
        )
        .bind(post.id)
        .bind(&post.digest)
        .bind(rows::json(place)?)
        .bind(micros(now))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// People see a part of it; the rest is tried at `next`.
    pub async fn post_partly(
        &self,
        post: &StoredPost,
        place: &serde_json::Value,
        (next, why): (Time, &str),
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE posts SET place = ?2, shown = NULL WHERE id = ?1")
            .bind(post.id)
            .bind(rows::json(place)?)
            .execute(&mut *tx)
            .await?;
        fail(&mut tx, post.id, Some(next), why).await?;
        tx.commit().await?;
        Ok(())
    }

    /// A notifier wants to be left alone until then.
    pub async fn hold_notifier(&self, notifier: &str, until: Time) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE notifiers SET not_before = max(not_before, ?2) WHERE name = ?1")
            .bind(notifier)
            .bind(micros(until))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// An attempt failed; it is tried again at `next`, or never when there is none.
    pub async fn post_failed(&self, id: i64, next: Option<Time>, why: &str) -> Result<()> {
        let mut tx = self.begin().await?;
        fail(&mut tx, id, next, why).await?;
        tx.commit().await?;
        Ok(())
    }

    /// What people see may not be what it should be: it is shown again.
    pub async fn show_again(&self, notifier: &str, key: &str, now: Time) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "UPDATE posts SET state = 'due', shown = NULL, attempts = 0, next = ?3
             WHERE notifier = ?1 AND key = ?2 AND place IS NOT NULL",
        )
        .bind(notifier)
        .bind(key)
        .bind(micros(now))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Failed posts are due again; gives how many.
    pub async fn retry_posts(&self, now: Time) -> Result<u64> {
        let mut tx = self.begin().await?;
        let again = sqlx::query(
            "UPDATE posts SET state = 'due', attempts = 0, next = ?1 WHERE state = 'failed'",
        )
        .bind(micros(now))
        .execute(&mut *tx)
        .await?;
        sqlx::query("UPDATE notifiers SET not_before = 0")
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(again.rows_affected())
    }

    /// Posts in a state, or all; the newest first.
    pub async fn posts(&self, state: Option<PostState>, most: i64) -> Result<Vec<StoredPost>> {
        let found = sqlx::query(
            "SELECT * FROM posts_placed WHERE ?1 IS NULL OR state = ?1 ORDER BY id DESC LIMIT ?2",
        )
        .bind(state.map(PostState::as_str))
        .bind(most)
        .fetch_all(&self.readers)
        .await?;
        rows::all("posts", &found)
    }

    /// The post of a notifier about something.
    pub async fn post(&self, notifier: &str, key: &str) -> Result<Option<StoredPost>> {
        let found = sqlx::query("SELECT * FROM posts_placed WHERE notifier = ?1 AND key = ?2")
            .bind(notifier)
            .bind(key)
            .fetch_optional(&self.readers)
            .await?;
        rows::one("posts", found.as_ref())
    }

    /// A case that people are told of in another post: it has none of its own until something else happens to it.
    pub async fn hold_posts(&self, posts: &[NewPost], now: Time) -> Result<()> {
        let mut tx = self.begin().await?;
        for post in posts {
            queue(&mut tx, post, now).await?;
            sqlx::query(
                "UPDATE posts SET state = 'settled', shown = digest WHERE notifier = ?1 AND key = ?2 AND place IS NULL",
            )
            .bind(&post.notifier)
            .bind(&post.key)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Batches that a notifier shows as open, by their first one. Open posts that are of no case have an index: it costs as
    /// much as there are of them.
    pub async fn open_batches(&self, notifier: &str) -> Result<Vec<i64>> {
        let found = sqlx::query_scalar(
            "SELECT CAST(substr(key, length('batch:') + 1) AS INTEGER) FROM posts INDEXED BY posts_open
             WHERE notifier = ?1 AND case_id IS NULL AND state IN ('due', 'sent')
               AND key >= 'batch:' AND key < 'batch;' ORDER BY id",
        )
        .bind(notifier)
        .fetch_all(&self.readers)
        .await?;
        Ok(found)
    }

    /// Batches that a notifier shows as open and that ask about one of these cases, by their first one.
    pub async fn batches_about(&self, notifier: &str, cases: &[CaseId]) -> Result<Vec<i64>> {
        let ids: Vec<i64> = cases.iter().map(|c| c.0).collect();
        let found = sqlx::query_scalar(
            "SELECT DISTINCT b.root FROM posts p INDEXED BY posts_open
             JOIN batches b ON b.root = CAST(substr(p.key, length('batch:') + 1) AS INTEGER)
             WHERE p.notifier = ?1 AND p.case_id IS NULL AND p.state IN ('due', 'sent')
               AND p.key >= 'batch:' AND p.key < 'batch;'
               AND EXISTS (SELECT 1 FROM json_each(b.approvals) j JOIN approvals a ON a.id = j.value
                           WHERE a.case_id IN (SELECT value FROM json_each(?2)))",
        )
        .bind(notifier)
        .bind(rows::json(&ids)?)
        .fetch_all(&self.readers)
        .await?;
        Ok(found)
    }

    /// Posts of cases and batches that people see and that are not settled.
    pub async fn seen_posts(&self, notifier: &str) -> Result<Vec<StoredPost>> {
        seen(self, notifier, ("?2 = ''", String::new())).await
    }

    /// Those of them with these keys.
    pub async fn seen_posts_of(&self, notifier: &str, keys: &[String]) -> Result<Vec<StoredPost>> {
        let one_of = "key IN (SELECT value FROM json_each(?2))";
        seen(self, notifier, (one_of, rows::json(&keys)?)).await
    }
}

async fn since(
    db: impl sqlx::Executor<'_, Database = sqlx::Sqlite>,
    notifier: &str,
) -> Result<Option<Time>> {
    let found = sqlx::query("SELECT since FROM notifiers WHERE name = ?1")
        .bind(notifier)
        .fetch_optional(db)
        .await?;
    let since = found.map(|row| Fields::new("notifiers", &row).time("since"));
    since.transpose()
}

/// `which`: what holds of the case's id, over the third parameter.
async fn to_tell(
    store: &Store,
    which: &'static str,
    (notifier, since): (&str, Time),
    (third, most): (String, i64),
) -> Result<Vec<Telling>> {
    let sql = format!(
        "SELECT c.id AS id, p.seq AS told FROM cases c
         LEFT JOIN posts p ON p.notifier = ?1 AND p.key = 'case:' || c.id
         WHERE c.id {which} AND c.canary = 0 AND c.status IN ('escalated', 'awaiting_approval') AND (
            (p.id IS NULL AND c.updated >= ?2)
            OR p.seq < (SELECT max(seq) FROM timeline_events t WHERE t.case_id = c.id))
         UNION
         SELECT p.case_id, p.seq FROM posts p
         WHERE p.notifier = ?1 AND p.state IN ('due', 'sent') AND p.case_id {which} AND p.under IS NULL
           AND p.seq < (SELECT max(seq) FROM timeline_events t WHERE t.case_id = p.case_id)
         ORDER BY 1 LIMIT ?4"
    );
    let found = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(notifier)
        .bind(micros(since))
        .bind(third)
        .bind(most)
        .fetch_all(&store.readers)
        .await?;
    found
        .iter()
        .map(|row| {
            let row = Fields::new("cases", row);
            Ok(Telling {
                case: row.case("id")?,
                told: row.get("told")?,
            })
        })
        .collect()
}

/// `which`: what holds of the post, over the second parameter.
async fn seen(
    store: &Store,
    notifier: &str,
    (which, second): (&'static str, String),
) -> Result<Vec<StoredPost>> {
    let sql = format!(
        "SELECT * FROM posts_placed WHERE notifier = ?1 AND {which} AND state IN ('due', 'sent')
           AND under IS NULL AND first_sent IS NOT NULL
           AND (case_id IS NOT NULL OR (key >= 'batch:' AND key < 'batch;')) ORDER BY id"
    );
    let found = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(notifier)
        .bind(second)
        .fetch_all(&store.readers)
        .await?;
    rows::all("posts", &found)
}

async fn fail(db: &mut SqliteConnection, id: i64, next: Option<Time>, why: &str) -> Result<()> {
    sqlx::query(
        "UPDATE posts SET attempts = attempts + 1, why = ?2, next = coalesce(?3, next),
            state = CASE WHEN ?3 IS NULL THEN 'failed' ELSE 'due' END
         WHERE id = ?1",
    )
    .bind(id)
    .bind(why)
    .bind(next.map(micros))
    .execute(db)
    .await?;
    Ok(())
}

/// What goes first: 0 what people are newly asked, 1 reminders and notices, 3 lines; a later form is 2.
fn rank(key: &str) -> i64 {
    match key.split(':').next() {
        Some("case" | "batch") => 0,
        Some("line") => 3,
        _ => 1,
    }
}

async fn queue(db: &mut SqliteConnection, post: &NewPost, now: Time) -> Result<()> {
    let body = digest::canonical(&post.body);
    sqlx::query(
        "INSERT INTO posts (notifier, key, case_id, under, body, digest, seq, settles, state, next, created, rank)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'due', ?9, ?9, ?10)
         ON CONFLICT (notifier, key) DO UPDATE SET
            body = excluded.body, digest = excluded.digest, settles = excluded.settles,
            seq = max(seq, excluded.seq),
            attempts = CASE WHEN digest = excluded.digest THEN attempts ELSE 0 END,
            next = CASE WHEN digest = excluded.digest THEN next ELSE excluded.next END,
            state = CASE
                WHEN shown IS NOT excluded.digest THEN
                    CASE WHEN state = 'failed' AND digest = excluded.digest THEN 'failed' ELSE 'due' END
                WHEN excluded.settles THEN 'settled' ELSE 'sent' END",
    )
    .bind(&post.notifier)
    .bind(&post.key)
    .bind(post.case.map(|c| c.0))
    .bind(&post.under)
    .bind(&body)
    .bind(digest::sha256_hex(body.as_bytes()))
    .bind(post.seq)
    .bind(i64::from(post.settles))
    .bind(micros(now))
    .bind(rank(&post.key))
    .execute(db)
    .await?;
    Ok(())
}

impl<'r> TryFrom<Fields<'r>> for StoredPost {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            notifier: row.get("notifier")?,
            key: row.get("key")?,
            case: row.get::<Option<i64>>("case_id")?.map(CaseId),
            body: row.json("body")?,
            digest: row.get("digest")?,
            place: row.opt_json("place")?,
            under: row.opt_json("under_place")?,
            state: row.word("state")?,
            attempts: row.get("attempts")?,
            why: row.get("why")?,
            first_sent: row.opt_time("first_sent")?,
        })
    }
}
