-- Times are nanoseconds since 1970 in UTC; -9223372036854775808 is no time.
CREATE TABLE requests (
	id           TEXT    NOT NULL PRIMARY KEY,
	version      INTEGER NOT NULL,
	epoch        INTEGER NOT NULL,
	lease_until  INTEGER NOT NULL,
	external_id  TEXT    NOT NULL,
	policy       TEXT    NOT NULL,
	status       TEXT    NOT NULL,
	stage        TEXT    NOT NULL,
	requested_at INTEGER NOT NULL,
	created_at   INTEGER NOT NULL,
	updated_at   INTEGER NOT NULL,
	finished_at  INTEGER NOT NULL,
	due_at       INTEGER NOT NULL,
	failure      TEXT    NOT NULL,
	identity     BLOB,
	outcomes     BLOB
) STRICT;
CREATE INDEX requests_by_age ON requests (created_at, id);
CREATE INDEX requests_by_external_id ON requests (external_id);
CREATE INDEX requests_by_due ON requests (due_at);

-- Apart from the requests, because a plan is large and stays as it is.
CREATE TABLE plans (
	request_id TEXT NOT NULL PRIMARY KEY REFERENCES requests (id),
	plan       BLOB
) STRICT;

-- The keyed hashes of a request's identities, in their order.
CREATE TABLE lookups (
	request_id TEXT    NOT NULL REFERENCES requests (id),
	position   INTEGER NOT NULL,
	hash       BLOB    NOT NULL,
	PRIMARY KEY (request_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX lookups_by_hash ON lookups (hash);

-- Wrapped keys as JSON, by purpose, after the padding that keys.go explains. A
-- key that is not there was shredded.
CREATE TABLE keys (
	request_id TEXT NOT NULL PRIMARY KEY REFERENCES requests (id),
	wrapped    BLOB NOT NULL
) STRICT;

CREATE TABLE journal (
	request_id TEXT    NOT NULL REFERENCES requests (id),
	seq        INTEGER NOT NULL,
	step       TEXT    NOT NULL,
	rows       INTEGER NOT NULL,
	sealed     BLOB,
	PRIMARY KEY (request_id, seq)
) STRICT;

-- Apart from the journal, so that a tick does not rewrite a chunk.
CREATE TABLE ticks (
	request_id TEXT    NOT NULL REFERENCES requests (id),
	seq        INTEGER NOT NULL,
	masked     INTEGER NOT NULL,
	gone       INTEGER NOT NULL,
	changed    INTEGER NOT NULL,
	PRIMARY KEY (request_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
	request_id TEXT    NOT NULL REFERENCES requests (id),
	seq        INTEGER NOT NULL,
	time       INTEGER NOT NULL,
	kind       TEXT    NOT NULL,
	collection TEXT    NOT NULL,
	rows       INTEGER NOT NULL,
	message    TEXT    NOT NULL,
	PRIMARY KEY (request_id, seq)
) STRICT, WITHOUT ROWID;
