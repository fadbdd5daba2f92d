-- Times are nanoseconds since 1970 in UTC; -9223372036854775808 is no time.
-- Texts are ordered by their bytes.
CREATE TABLE requests (
	id              TEXT    NOT NULL PRIMARY KEY,
	version         INTEGER NOT NULL,
	epoch           INTEGER NOT NULL,
	lease_until     INTEGER NOT NULL,
	external_id     TEXT    NOT NULL,
	policy          TEXT    NOT NULL,
	actions         TEXT    NOT NULL, -- between commas, such as ,access,erasure,
	location        TEXT    NOT NULL,
	status          TEXT    NOT NULL,
	stage           TEXT    NOT NULL,
	requested_at    INTEGER NOT NULL,
	created_at      INTEGER NOT NULL,
	updated_at      INTEGER NOT NULL,
	started_at      INTEGER NOT NULL,
	failed_at       INTEGER NOT NULL,
	finished_at     INTEGER NOT NULL,
	deleted_at      INTEGER NOT NULL,
	deadline_at     INTEGER NOT NULL,
	due_at          INTEGER NOT NULL,
	failure         TEXT    NOT NULL,
	identity        BLOB,
	details         BLOB,
	state           BLOB,
	audit_seq       INTEGER NOT NULL,
	audit_hash      BLOB,
	-- What queries need: texts without case, and what follows from others.
	id_folded       TEXT    NOT NULL,
	external_folded TEXT    NOT NULL,
	country         TEXT    NOT NULL,
	open            INTEGER NOT NULL,
	deleted         INTEGER NOT NULL
) STRICT;
-- Each order of a list. What is deleted, or has another status, is passed over
-- without a look at it.
CREATE INDEX requests_by_requested ON requests (requested_at, id, deleted, status);
CREATE INDEX requests_by_created ON requests (created_at, id, deleted);
CREATE INDEX requests_by_updated ON requests (updated_at, id, deleted, status);
CREATE INDEX requests_by_started ON requests (started_at, id, deleted, status);
CREATE INDEX requests_by_failed ON requests (failed_at, id, deleted, status);
CREATE INDEX requests_by_finished ON requests (finished_at, id, deleted, status);
CREATE INDEX requests_by_deadline ON requests (deadline_at, id, deleted, status);
CREATE INDEX requests_by_due ON requests (due_at, id, deleted, status);
-- Each filter in the usual order.
CREATE INDEX requests_by_status ON requests (status, created_at, id, deleted);
CREATE INDEX requests_by_policy ON requests (policy, created_at, id, deleted);
CREATE INDEX requests_by_actions ON requests (actions, created_at, id, deleted);
CREATE INDEX requests_by_country ON requests (country, created_at, id, deleted);
CREATE INDEX requests_by_location ON requests (location, created_at, id, deleted);
CREATE INDEX requests_open ON requests (created_at, id, deleted, status) WHERE open = 1;
CREATE INDEX requests_open_by_deadline ON requests (deadline_at, id, deleted, status) WHERE open = 1;
CREATE INDEX requests_by_external_id ON requests (external_id) WHERE external_id <> '';
CREATE INDEX requests_by_external_start ON requests (substr(external_folded, 1, 64)) WHERE external_folded <> '';

-- Plans and outcomes, apart from the requests, because they are large and
-- lists do not read them.
CREATE TABLE documents (
	request_id TEXT NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
	kind       TEXT NOT NULL,
	body       BLOB,
	PRIMARY KEY (request_id, kind)
) STRICT;

-- The keyed hashes of a request's identities, in their order.
CREATE TABLE lookups (
	request_id TEXT    NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
	position   INTEGER NOT NULL,
	hash       BLOB    NOT NULL,
	PRIMARY KEY (request_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX lookups_by_hash ON lookups (hash);

-- Wrapped keys as JSON, by purpose, after the padding that keys.go explains. A
-- key that is not there was shredded.
CREATE TABLE keys (
	request_id TEXT NOT NULL PRIMARY KEY REFERENCES requests (id) ON DELETE CASCADE,
	wrapped    BLOB NOT NULL
) STRICT;

CREATE TABLE journal (
	request_id TEXT    NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
	seq        INTEGER NOT NULL,
	step       TEXT    NOT NULL,
	rows       INTEGER NOT NULL,
	sealed     BLOB,
	PRIMARY KEY (request_id, seq)
) STRICT;

-- Apart from the journal, so that a tick does not rewrite a chunk.
CREATE TABLE ticks (
	request_id TEXT    NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
	seq        INTEGER NOT NULL,
	masked     INTEGER NOT NULL,
	gone       INTEGER NOT NULL,
	changed    INTEGER NOT NULL,
	PRIMARY KEY (request_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
	request_id TEXT    NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
	seq        INTEGER NOT NULL,
	time       INTEGER NOT NULL,
	kind       TEXT    NOT NULL,
	collection TEXT    NOT NULL,
	connection TEXT    NOT NULL,
	action     TEXT    NOT NULL,
	status     TEXT    NOT NULL,
	rows       INTEGER NOT NULL,
	message    TEXT    NOT NULL,
	fields     TEXT    NOT NULL, -- JSON
	PRIMARY KEY (request_id, seq)
) STRICT, WITHOUT ROWID;

-- The audit trail outlives its requests.
CREATE TABLE audit (
	request_id TEXT    NOT NULL,
	seq        INTEGER NOT NULL,
	time       INTEGER NOT NULL,
	action     TEXT    NOT NULL,
	actor      TEXT    NOT NULL,
	details    TEXT    NOT NULL, -- JSON
	prev       BLOB,
	hash       BLOB,
	mac        BLOB,
	PRIMARY KEY (request_id, seq)
) STRICT, WITHOUT ROWID;

-- The end of each chain, and how far a checkpoint has signed it.
CREATE TABLE heads (
	request_id TEXT    NOT NULL PRIMARY KEY,
	seq        INTEGER NOT NULL,
	hash       BLOB,
	signed     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX heads_unsigned ON heads (request_id) WHERE signed < seq;

CREATE TABLE checkpoints (
	seq       INTEGER NOT NULL PRIMARY KEY,
	time      INTEGER NOT NULL,
	prev      BLOB,
	heads     BLOB    NOT NULL, -- JSON
	hash      BLOB,
	signature BLOB
) STRICT;
