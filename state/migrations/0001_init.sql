-- Times are microseconds since 1970-01-01 UTC; JSON is kept as TEXT; closed lists are held by CHECK.

CREATE TABLE cases (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    title TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('new', 'triaging', 'awaiting_approval', 'escalated', 'closed')),
    outcome TEXT CHECK (outcome IN ('closed', 'escalated', 'awaiting_approval')),
    opened INTEGER NOT NULL,
    alert_time INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    fence INTEGER NOT NULL DEFAULT 0 CHECK (fence >= 0),
    owner TEXT,
    lease_until INTEGER,
    CHECK ((status = 'triaging') = (owner IS NOT NULL AND lease_until IS NOT NULL))
) STRICT;
CREATE INDEX cases_by_status ON cases (status, alert_time, id);
CREATE INDEX cases_by_time ON cases (alert_time, id);

-- What a case has spent, summed over all its runs.
CREATE TABLE case_spent (
    case_id INTEGER PRIMARY KEY REFERENCES cases (id),
    tool_calls INTEGER NOT NULL,
    turns INTEGER NOT NULL,
    tokens_in INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL,
    usd REAL NOT NULL
) STRICT;

-- Closes that no person made: the hourly cap counts them.
CREATE TABLE unattended_closes (
    id INTEGER PRIMARY KEY,
    case_id INTEGER NOT NULL REFERENCES cases (id),
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX unattended_closes_by_time ON unattended_closes (at);

CREATE TABLE alerts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    case_id INTEGER REFERENCES cases (id),
    -- fence of the case when the alert was put into it: equal to that of a claim, it came while that worker was at it
    joined_fence INTEGER,
    source TEXT NOT NULL,
    -- an empty id would make different alerts look like one
    source_alert_id TEXT NOT NULL CHECK (source_alert_id <> ''),
    mapping TEXT NOT NULL,
    product TEXT NOT NULL,
    rule_id TEXT NOT NULL,
    rule_name TEXT NOT NULL,
    rule_groups TEXT NOT NULL CHECK (json_valid(rule_groups)),
    severity TEXT NOT NULL CHECK (severity IN ('unknown', 'informational', 'low', 'medium', 'high', 'critical', 'fatal')),
    time INTEGER NOT NULL,
    received INTEGER NOT NULL,
    attacks TEXT NOT NULL CHECK (json_valid(attacks)),
    entities TEXT NOT NULL CHECK (json_valid(entities)),
    observables TEXT NOT NULL CHECK (json_valid(observables)),
    activities TEXT NOT NULL CHECK (json_valid(activities)),
    raw TEXT NOT NULL,
    UNIQUE (source, source_alert_id)
) STRICT;
CREATE INDEX alerts_by_case ON alerts (case_id, time, id);
CREATE INDEX alerts_without_case ON alerts (time, id) WHERE case_id IS NULL;

CREATE TRIGGER alerts_keep_their_case BEFORE UPDATE OF case_id ON alerts
WHEN OLD.case_id IS NOT NULL AND NEW.case_id IS NOT OLD.case_id
BEGIN SELECT RAISE(ABORT, 'an alert stays in its case'); END;
CREATE TRIGGER alerts_keep_what_came BEFORE UPDATE OF
    id, source, source_alert_id, mapping, product, rule_id, rule_name, rule_groups, severity, time, received,
    attacks, entities, observables, activities, raw ON alerts
BEGIN SELECT RAISE(ABORT, 'alerts are kept as received'); END;
CREATE TRIGGER alerts_stay BEFORE DELETE ON alerts
BEGIN SELECT RAISE(ABORT, 'alerts are never deleted'); END;

CREATE TABLE dead_letters (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    raw BLOB NOT NULL,
    reason TEXT NOT NULL,
    received INTEGER NOT NULL,
    UNIQUE (source, sha256)
) STRICT;

CREATE TABLE cursors (
    source TEXT PRIMARY KEY,
    position TEXT NOT NULL CHECK (json_valid(position)),
    updated INTEGER NOT NULL
) STRICT;

CREATE TABLE case_entities (
    case_id INTEGER NOT NULL REFERENCES cases (id),
    kind TEXT NOT NULL CHECK (kind IN ('user', 'host', 'account', 'resource', 'address')),
    role TEXT NOT NULL CHECK (role IN ('principal', 'target', 'peer', 'place')),
    trust TEXT NOT NULL CHECK (trust IN ('trusted', 'endorsed', 'untrusted')),
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    joins INTEGER NOT NULL CHECK (joins IN (0, 1)),
    PRIMARY KEY (case_id, kind, role, trust, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX case_entities_by_key ON case_entities (key, joins, case_id);

CREATE TABLE bodies (
    digest TEXT PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;

CREATE TABLE tool_calls (
    id INTEGER PRIMARY KEY,
    case_id INTEGER NOT NULL REFERENCES cases (id),
    tier INTEGER NOT NULL CHECK (tier IN (1, 2, 3)),
    asked_by TEXT NOT NULL,
    tool TEXT NOT NULL,
    class TEXT NOT NULL CHECK (class IN ('read_internal', 'read_egress', 'write', 'suppress', 'destructive')),
    arguments TEXT NOT NULL CHECK (json_valid(arguments)),
    outcome TEXT NOT NULL CHECK (outcome IN ('started', 'ok', 'denied', 'tool_error', 'timed_out', 'unavailable', 'unknown')),
    reason TEXT,
    digest TEXT,
    started INTEGER NOT NULL,
    millis INTEGER
) STRICT;
CREATE INDEX tool_calls_by_case ON tool_calls (case_id, id);
CREATE INDEX tool_calls_started ON tool_calls (case_id, id) WHERE outcome = 'started';

CREATE TABLE evidence (
    case_id INTEGER NOT NULL REFERENCES cases (id),
    seq INTEGER NOT NULL CHECK (seq > 0),
    asked_by TEXT NOT NULL,
    tool TEXT NOT NULL,
    call INTEGER REFERENCES tool_calls (id),
    answer TEXT NOT NULL CHECK (answer IN ('found', 'empty', 'partial', 'not_here', 'failed')),
    summary TEXT NOT NULL,
    value TEXT NOT NULL CHECK (json_valid(value)),
    activities TEXT NOT NULL CHECK (json_valid(activities)),
    trust TEXT NOT NULL CHECK (trust IN ('trusted', 'endorsed', 'untrusted')),
    digest TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (case_id, seq)
) STRICT;
CREATE TRIGGER evidence_stays_as_found BEFORE UPDATE ON evidence
BEGIN SELECT RAISE(ABORT, 'evidence is append-only'); END;
CREATE TRIGGER evidence_stays BEFORE DELETE ON evidence
BEGIN SELECT RAISE(ABORT, 'evidence is append-only'); END;

CREATE TABLE step_runs (
    case_id INTEGER NOT NULL REFERENCES cases (id),
    alert_id INTEGER NOT NULL REFERENCES alerts (id),
    step TEXT NOT NULL,
    tier INTEGER NOT NULL CHECK (tier IN (1, 2, 3)),
    class TEXT NOT NULL CHECK (class IN ('read_internal', 'read_egress', 'write', 'suppress', 'destructive')),
    state TEXT NOT NULL CHECK (state IN ('started', 'done')),
    evidence TEXT,
    started INTEGER NOT NULL,
    PRIMARY KEY (case_id, alert_id, step)
) STRICT;

CREATE TABLE assessments (
    id INTEGER PRIMARY KEY,
    case_id INTEGER NOT NULL REFERENCES cases (id),
    alert_id INTEGER NOT NULL REFERENCES alerts (id),
    tier INTEGER NOT NULL CHECK (tier IN (1, 2, 3)),
    analyst TEXT NOT NULL CHECK (analyst IN ('playbook', 'model', 'playbook_after_model_failure', 'human')),
    body TEXT NOT NULL CHECK (json_valid(body))
) STRICT;
CREATE INDEX assessments_by_case ON assessments (case_id, id);

CREATE TABLE verdicts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    case_id INTEGER NOT NULL REFERENCES cases (id),
    alert_id INTEGER NOT NULL REFERENCES alerts (id),
    kind TEXT NOT NULL CHECK (kind IN ('true_positive', 'benign_positive', 'false_positive', 'suspicious', 'undetermined', 'duplicate')),
    -- how bad: the verdict of highest rank stands for its case
    rank INTEGER NOT NULL,
    reason TEXT NOT NULL CHECK (reason IN ('malicious_activity', 'policy_violation', 'attempt_blocked', 'attempt_failed', 'compromised_account', 'malware', 'phishing', 'authorized_test', 'admin_activity', 'expected_business', 'maintenance', 'incorrect_logic', 'inaccurate_data', 'needs_human', 'needs_data', 'insufficient_data', 'tool_failure', 'same_alert', 'same_incident')),
    impact TEXT NOT NULL CHECK (impact IN ('none', 'attempted', 'confirmed', 'unknown')),
    confidence INTEGER NOT NULL CHECK (confidence BETWEEN 0 AND 100),
    close_allowed INTEGER NOT NULL CHECK (close_allowed IN (0, 1)),
    tier INTEGER NOT NULL CHECK (tier IN (1, 2, 3)),
    vetoes TEXT NOT NULL CHECK (json_valid(vetoes)),
    basis TEXT NOT NULL CHECK (json_valid(basis)),
    provenance TEXT NOT NULL CHECK (json_valid(provenance)),
    at INTEGER NOT NULL,
    superseded INTEGER NOT NULL DEFAULT 0 CHECK (superseded IN (0, 1))
) STRICT;
CREATE INDEX verdicts_by_case ON verdicts (case_id, superseded, rank);
-- One alert has one verdict in force.
CREATE UNIQUE INDEX verdicts_in_force ON verdicts (alert_id) WHERE superseded = 0;
CREATE TRIGGER verdicts_stay_as_given BEFORE UPDATE OF
    id, case_id, alert_id, kind, rank, reason, impact, confidence, close_allowed, tier, vetoes, basis, provenance, at
    ON verdicts
BEGIN SELECT RAISE(ABORT, 'verdicts are append-only'); END;
CREATE TRIGGER verdicts_stay_superseded BEFORE UPDATE OF superseded ON verdicts WHEN NEW.superseded < OLD.superseded
BEGIN SELECT RAISE(ABORT, 'a superseded verdict stays superseded'); END;
CREATE TRIGGER verdicts_stay BEFORE DELETE ON verdicts
BEGIN SELECT RAISE(ABORT, 'verdicts are append-only'); END;

CREATE TABLE approvals (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    case_id INTEGER NOT NULL REFERENCES cases (id),
    action TEXT NOT NULL,
    summary TEXT NOT NULL,
    digest TEXT NOT NULL,
    -- what was asked, whole: the digest is over this
    binding TEXT NOT NULL CHECK (json_valid(binding)),
    state TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'denied', 'expired', 'used')),
    asked INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    answered_by TEXT,
    answered_at INTEGER
) STRICT;
CREATE INDEX approvals_by_state ON approvals (state, expires);
CREATE INDEX approvals_by_case ON approvals (case_id, state);
CREATE TRIGGER approvals_answer_once BEFORE UPDATE OF state ON approvals
WHEN OLD.state IS NOT NEW.state AND NOT (
    (OLD.state = 'pending' AND NEW.state IN ('approved', 'denied', 'expired'))
    OR (OLD.state = 'approved' AND NEW.state IN ('used', 'expired')))
BEGIN SELECT RAISE(ABORT, 'an approval is answered once and used once'); END;
CREATE TRIGGER approvals_keep_their_question BEFORE UPDATE OF id, case_id, action, summary, digest, binding, asked, expires ON approvals
BEGIN SELECT RAISE(ABORT, 'what an approval asks never changes'); END;
CREATE TRIGGER approvals_stay BEFORE DELETE ON approvals
BEGIN SELECT RAISE(ABORT, 'approvals are never deleted'); END;

CREATE TABLE effects (
    id INTEGER PRIMARY KEY,
    case_id INTEGER NOT NULL REFERENCES cases (id),
    tool TEXT NOT NULL,
    class TEXT NOT NULL CHECK (class IN ('read_internal', 'read_egress', 'write', 'suppress', 'destructive')),
    target TEXT NOT NULL,
    arguments TEXT NOT NULL CHECK (json_valid(arguments)),
    arguments_digest TEXT NOT NULL,
    decision TEXT NOT NULL CHECK (decision IN ('dry_run', 'denied', 'awaiting_approval', 'due', 'started', 'executed', 'failed', 'unknown')),
    reason TEXT NOT NULL,
    approval_id INTEGER REFERENCES approvals (id),
    raises INTEGER NOT NULL CHECK (raises IN (0, 1)),
    d3fend TEXT,
    at INTEGER NOT NULL,
    UNIQUE (case_id, tool, arguments_digest)
) STRICT;
CREATE INDEX effects_open ON effects (decision, id) WHERE decision IN ('due', 'started');
CREATE INDEX effects_by_approval ON effects (approval_id);
-- What was sent can't be unsent, and what may have been done is never done again.
CREATE TRIGGER effects_go_forward BEFORE UPDATE OF decision ON effects
WHEN OLD.decision IS NOT NEW.decision AND (
    OLD.decision = 'executed'
    OR (OLD.decision = 'started' AND NEW.decision NOT IN ('executed', 'failed', 'unknown'))
    OR (OLD.decision = 'unknown' AND NEW.decision IS NOT 'executed')
    OR (NEW.decision = 'started' AND OLD.decision IS NOT 'due'))
BEGIN SELECT RAISE(ABORT, 'an effect is sent once'); END;
CREATE TRIGGER effects_keep_what_they_are BEFORE UPDATE OF id, case_id, tool, class, target, arguments, arguments_digest, raises ON effects
BEGIN SELECT RAISE(ABORT, 'what an effect would do never changes'); END;
CREATE TRIGGER effects_stay BEFORE DELETE ON effects
BEGIN SELECT RAISE(ABORT, 'effects are never deleted'); END;

-- Destructive actions that were begun: the hourly cap counts them.
CREATE TABLE destructive_actions (
    id INTEGER PRIMARY KEY,
    effect_id INTEGER NOT NULL REFERENCES effects (id),
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX destructive_actions_by_time ON destructive_actions (at);

CREATE TABLE timeline_events (
    case_id INTEGER NOT NULL REFERENCES cases (id),
    seq INTEGER NOT NULL CHECK (seq > 0),
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('opened', 'joined', 'claimed', 'released', 'planned', 'step_done', 'step_failed', 'denied', 'assessed', 'tier_reached', 'model_failed', 'flagged', 'effect_proposed', 'effect_carried_out', 'verdict_given', 'closed', 'escalated', 'asked', 'answered')),
    message TEXT NOT NULL,
    data TEXT NOT NULL CHECK (json_valid(data)),
    PRIMARY KEY (case_id, seq)
) STRICT;
CREATE TRIGGER timeline_events_stay_as_written BEFORE UPDATE ON timeline_events
BEGIN SELECT RAISE(ABORT, 'the timeline is append-only'); END;
CREATE TRIGGER timeline_events_stay BEFORE DELETE ON timeline_events
BEGIN SELECT RAISE(ABORT, 'the timeline is append-only'); END;

-- hash = sha256(previous hash, seq, at, entry), each followed by a line feed; see store/audit.rs.
CREATE TABLE audit_log (
    seq INTEGER PRIMARY KEY CHECK (seq > 0),
    at INTEGER NOT NULL,
    entry TEXT NOT NULL CHECK (json_valid(entry)),
    hash TEXT NOT NULL
) STRICT;
CREATE INDEX audit_log_by_case ON audit_log (entry ->> '$.case', seq);
CREATE TRIGGER audit_log_stays_as_written BEFORE UPDATE ON audit_log
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_log_stays BEFORE DELETE ON audit_log
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

-- The last entry, kept apart so that a cut tail is seen.
CREATE TABLE audit_head (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    seq INTEGER NOT NULL,
    hash TEXT NOT NULL
) STRICT;
INSERT INTO audit_head (id, seq, hash)
VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');
CREATE TRIGGER audit_head_goes_forward BEFORE UPDATE ON audit_head WHEN NEW.seq IS NOT OLD.seq + 1
BEGIN SELECT RAISE(ABORT, 'the audit head moves one entry at a time'); END;
CREATE TRIGGER audit_head_stays BEFORE DELETE ON audit_head
BEGIN SELECT RAISE(ABORT, 'the audit head is never deleted'); END;
