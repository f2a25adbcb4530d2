-- What people are told and what they say: votes on a question, cases taken over, batches of equal questions, and the posts
-- that go out to notifiers.

-- How many people must say yes; part of what is asked.
ALTER TABLE approvals ADD COLUMN needed INTEGER NOT NULL DEFAULT 1 CHECK (needed > 0);
CREATE TRIGGER approvals_keep_how_many BEFORE UPDATE OF needed ON approvals
BEGIN SELECT RAISE(ABORT, 'what an approval asks never changes'); END;

CREATE TABLE approval_votes (
    approval_id INTEGER NOT NULL REFERENCES approvals (id),
    person TEXT NOT NULL CHECK (person <> ''),
    answer TEXT NOT NULL CHECK (answer IN ('approve', 'deny')),
    reason TEXT NOT NULL,
    channel TEXT NOT NULL,
    at INTEGER NOT NULL,
    -- One person counts once.
    PRIMARY KEY (approval_id, person)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER approval_votes_stay_as_given BEFORE UPDATE ON approval_votes
BEGIN SELECT RAISE(ABORT, 'votes are append-only'); END;
CREATE TRIGGER approval_votes_stay BEFORE DELETE ON approval_votes
BEGIN SELECT RAISE(ABORT, 'votes are append-only'); END;

-- The last one who took a case over has it.
CREATE TABLE takeovers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    case_id INTEGER NOT NULL REFERENCES cases (id),
    by TEXT NOT NULL CHECK (by <> ''),
    channel TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX takeovers_by_case ON takeovers (case_id, id);
CREATE TRIGGER takeovers_stay_as_made BEFORE UPDATE ON takeovers
BEGIN SELECT RAISE(ABORT, 'takeovers are append-only'); END;
CREATE TRIGGER takeovers_stay BEFORE DELETE ON takeovers
BEGIN SELECT RAISE(ABORT, 'takeovers are append-only'); END;

-- Equal proposed closes that one answer can settle. Another set of questions is another batch of the same likeness; an
-- answer to one that is not the last of its likeness is stale.
CREATE TABLE batches (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    likeness TEXT NOT NULL,
    -- the first batch of this question: later ones hold what was still open of it, and more
    root INTEGER NOT NULL,
    -- ids of the questions, ascending, and the digest over their digests
    approvals TEXT NOT NULL CHECK (json_valid(approvals)),
    digest TEXT NOT NULL,
    -- cases drawn at random, which are shown whole
    sample TEXT NOT NULL CHECK (json_valid(sample)),
    at INTEGER NOT NULL,
    -- set when a person wants to see each case by itself
    split INTEGER NOT NULL DEFAULT 0 CHECK (split IN (0, 1))
) STRICT;
CREATE INDEX batches_by_likeness ON batches (likeness, id);
CREATE INDEX batches_by_root ON batches (root, id);
CREATE TRIGGER batches_stay_as_they_are BEFORE UPDATE OF id, likeness, root, approvals, digest, sample, at ON batches
BEGIN SELECT RAISE(ABORT, 'what a batch holds never changes'); END;
CREATE TRIGGER batches_stay BEFORE DELETE ON batches
BEGIN SELECT RAISE(ABORT, 'batches are never deleted'); END;

-- Since when a notifier is told: what is older is not told after the fact.
CREATE TABLE notifiers (
    name TEXT PRIMARY KEY,
    since INTEGER NOT NULL,
    -- it wants to be left alone until then
    not_before INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Things about the daemon itself that people are told once.
CREATE TABLE notices (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL CHECK (json_valid(body)),
    at INTEGER NOT NULL
) STRICT;

-- The outbox: what each notifier is to show, and what it shows.
CREATE TABLE posts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    notifier TEXT NOT NULL,
    -- what it is about: case:7, batch:3, line:7:12, reminder:7:1, notice:3, digest:2026-W47
    key TEXT NOT NULL,
    case_id INTEGER REFERENCES cases (id),
    -- key of the post that it belongs under
    under TEXT,
    body TEXT NOT NULL CHECK (json_valid(body)),
    digest TEXT NOT NULL,
    -- last event of the case that the body tells of
    seq INTEGER NOT NULL,
    -- whether nothing more is to be told once people see this body
    settles INTEGER NOT NULL CHECK (settles IN (0, 1)),
    -- digest of the body that people see; none before the first
    shown TEXT,
    place TEXT CHECK (json_valid(place)),
    state TEXT NOT NULL CHECK (state IN ('due', 'sent', 'settled', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    next INTEGER NOT NULL,
    why TEXT NOT NULL DEFAULT '',
    -- what goes first: 0 what people are newly asked, 1 reminders and notices, 2 later forms, 3 lines
    rank INTEGER NOT NULL,
    created INTEGER NOT NULL,
    first_sent INTEGER,
    UNIQUE (notifier, key)
) STRICT;
CREATE INDEX posts_due ON posts (notifier, rank, id) WHERE state = 'due';
CREATE INDEX posts_open ON posts (notifier, case_id) WHERE state IN ('due', 'sent');
CREATE INDEX posts_by_case ON posts (case_id, notifier);
CREATE VIEW posts_placed AS
SELECT p.*, u.place AS under_place FROM posts p
LEFT JOIN posts u ON u.notifier = p.notifier AND u.key = p.under;
