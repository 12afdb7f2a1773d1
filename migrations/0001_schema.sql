-- The whole domain. Times are microseconds UTC, 0 for unset; lists are JSON text; booleans are 0 or 1.
-- Identifiers are unique without regard to case, so every column that holds one is NOCASE.

CREATE TABLE projects (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL COLLATE NOCASE UNIQUE,
    name        TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE keys (
    seq         INTEGER PRIMARY KEY,
    project_id  TEXT NOT NULL COLLATE NOCASE,
    id          TEXT NOT NULL COLLATE NOCASE,
    name        TEXT NOT NULL,
    hash        TEXT NOT NULL UNIQUE,
    scopes      TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    UNIQUE (project_id, id)
) STRICT;

-- AUTOINCREMENT: executions and garbage point at seq, so a number must never come back.
CREATE TABLE functions (
    seq                             INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id                      TEXT NOT NULL COLLATE NOCASE,
    id                              TEXT NOT NULL COLLATE NOCASE,
    name                            TEXT NOT NULL,
    runtime                         TEXT NOT NULL,
    execute                         TEXT NOT NULL,
    events                          TEXT NOT NULL,
    schedule                        TEXT NOT NULL,
    timeout                         INTEGER NOT NULL,
    enabled                         INTEGER NOT NULL,
    logging                         INTEGER NOT NULL,
    live                            INTEGER NOT NULL,
    entrypoint                      TEXT NOT NULL,
    commands                        TEXT NOT NULL,
    scopes                          TEXT NOT NULL,
    version                         TEXT NOT NULL,
    installation_id                 TEXT NOT NULL,
    provider_repository_id          TEXT NOT NULL,
    provider_branch                 TEXT NOT NULL,
    provider_root_directory         TEXT NOT NULL,
    provider_silent_mode            INTEGER NOT NULL,
    provider_branches               TEXT NOT NULL,
    provider_paths                  TEXT NOT NULL,
    build_specification             TEXT NOT NULL,
    runtime_specification           TEXT NOT NULL,
    deployment_retention            INTEGER NOT NULL,
    deployment_id                   TEXT NOT NULL COLLATE NOCASE,
    deployment_created_at           INTEGER NOT NULL,
    latest_deployment_id            TEXT NOT NULL COLLATE NOCASE,
    latest_deployment_created_at    INTEGER NOT NULL,
    latest_deployment_status        TEXT NOT NULL,
    created_at                      INTEGER NOT NULL,
    updated_at                      INTEGER NOT NULL,
    UNIQUE (project_id, id)
) STRICT;

-- value: TEXT, or for a secret variable a BLOB (nonce and ciphertext) that DIR/secret opens.
CREATE TABLE variables (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id  TEXT NOT NULL COLLATE NOCASE,
    function_id TEXT NOT NULL COLLATE NOCASE,
    id          TEXT NOT NULL COLLATE NOCASE,
    key         TEXT NOT NULL,
    value       ANY NOT NULL,
    secret      INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    UNIQUE (project_id, id),
    UNIQUE (project_id, function_id, key)
) STRICT;

CREATE TABLE deployments (
    seq                         INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id                  TEXT NOT NULL COLLATE NOCASE,
    function_id                 TEXT NOT NULL COLLATE NOCASE,
    id                          TEXT NOT NULL COLLATE NOCASE,
    type                        TEXT NOT NULL,
    status                      TEXT NOT NULL,
    entrypoint                  TEXT NOT NULL,
    commands                    TEXT NOT NULL,
    activate                    INTEGER NOT NULL,
    source_hash                 TEXT NOT NULL,
    source_size                 INTEGER NOT NULL,
    build_size                  INTEGER NOT NULL,
    output_hash                 TEXT NOT NULL,
    build_duration              INTEGER NOT NULL,
    build_started_at            INTEGER NOT NULL,
    build_attempts              INTEGER NOT NULL,
    runtime                     TEXT NOT NULL,
    provider_repository_name    TEXT NOT NULL,
    provider_repository_owner   TEXT NOT NULL,
    provider_repository_url     TEXT NOT NULL,
    provider_branch             TEXT NOT NULL,
    provider_branch_url         TEXT NOT NULL,
    provider_commit_hash        TEXT NOT NULL,
    provider_commit_author      TEXT NOT NULL,
    provider_commit_author_url  TEXT NOT NULL,
    provider_commit_message     TEXT NOT NULL,
    provider_commit_url         TEXT NOT NULL,
    provider_root_directory     TEXT NOT NULL,
    upload_size                 INTEGER NOT NULL,
    upload_ranges               TEXT NOT NULL,
    created_at                  INTEGER NOT NULL,
    updated_at                  INTEGER NOT NULL,
    UNIQUE (project_id, id)
) STRICT;

CREATE INDEX deployments_of_function ON deployments (project_id, function_id);

-- A log is appended to, so it is kept in parts; part 0 is the line that says it was truncated.
CREATE TABLE deployment_logs (
    deployment_seq  INTEGER NOT NULL,
    part            INTEGER NOT NULL,
    bytes           INTEGER NOT NULL,
    text            TEXT NOT NULL,
    PRIMARY KEY (deployment_seq, part)
) STRICT, WITHOUT ROWID;

-- seq is the time of creation and the time part of the id, so neither needs an index. The hot table: two indexes, no more.
CREATE TABLE executions (
    seq              INTEGER PRIMARY KEY,
    function_seq     INTEGER NOT NULL,
    id               TEXT NOT NULL,
    deployment_id    TEXT NOT NULL,
    user_id          TEXT NOT NULL,
    trigger          TEXT NOT NULL,
    status           TEXT NOT NULL,
    request_method   TEXT NOT NULL,
    request_path     TEXT NOT NULL,
    request_headers  TEXT NOT NULL,
    response_status  INTEGER NOT NULL,
    response_headers TEXT NOT NULL,
    duration         REAL NOT NULL,
    scheduled_at     INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL
) STRICT;

-- An index ends with the row id, which is seq: this one also orders the executions of a function.
CREATE INDEX executions_of_function ON executions (function_seq);

-- OR and not IN: only so does SQLite see that status = 'waiting' is covered by it.
CREATE INDEX executions_pending ON executions (status)
    WHERE status = 'waiting' OR status = 'scheduled' OR status = 'processing';

CREATE TABLE execution_logs (
    seq     INTEGER PRIMARY KEY,
    logs    TEXT NOT NULL,
    errors  TEXT NOT NULL
) STRICT;

CREATE TABLE execution_inputs (
    seq     INTEGER PRIMARY KEY,
    headers TEXT NOT NULL,
    body    BLOB NOT NULL
) STRICT;

CREATE TABLE rules (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id      TEXT NOT NULL COLLATE NOCASE,
    id              TEXT NOT NULL COLLATE NOCASE,
    domain          TEXT NOT NULL COLLATE NOCASE UNIQUE,
    type            TEXT NOT NULL,
    trigger         TEXT NOT NULL,
    function_id     TEXT NOT NULL COLLATE NOCASE,
    deployment_id   TEXT COLLATE NOCASE,
    branch          TEXT NOT NULL,
    redirect_url    TEXT NOT NULL,
    redirect_status INTEGER NOT NULL,
    status          TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    UNIQUE (project_id, id)
) STRICT;

CREATE TABLE schedules (
    function_seq    INTEGER PRIMARY KEY,
    next_at         INTEGER NOT NULL,
    previous_at     INTEGER NOT NULL
) STRICT;

CREATE TABLE usage (
    project_id  TEXT NOT NULL COLLATE NOCASE,
    function_id TEXT NOT NULL COLLATE NOCASE,
    metric      TEXT NOT NULL,
    hour        INTEGER NOT NULL,
    amount      INTEGER NOT NULL,
    PRIMARY KEY (project_id, function_id, metric, hour)
) STRICT, WITHOUT ROWID;

-- Deleted functions whose executions are still to be removed, a few at a time when there is nothing else to write.
CREATE TABLE garbage (
    function_seq INTEGER PRIMARY KEY
) STRICT;
