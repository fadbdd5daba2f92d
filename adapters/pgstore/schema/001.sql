-- Times of -infinity are no time. Texts are ordered by their bytes.
CREATE TABLE requests (
	id              text COLLATE "C" PRIMARY KEY,
	version         bigint NOT NULL,
	epoch           bigint NOT NULL,
	lease_until     timestamptz NOT NULL,
	external_id     text COLLATE "C" NOT NULL,
	policy          text COLLATE "C" NOT NULL,
	actions         text COLLATE "C" NOT NULL, -- between commas, such as ,access,erasure,
	location        text COLLATE "C" NOT NULL,
	status          text COLLATE "C" NOT NULL,
	stage           text COLLATE "C" NOT NULL,
	requested_at    timestamptz NOT NULL,
	created_at      timestamptz NOT NULL,
	updated_at      timestamptz NOT NULL,
	started_at      timestamptz NOT NULL,
	failed_at       timestamptz NOT NULL,
	finished_at     timestamptz NOT NULL,
	deleted_at      timestamptz NOT NULL,
	deadline_at     timestamptz NOT NULL,
	due_at          timestamptz NOT NULL,
	failure         text COLLATE "C" NOT NULL,
	identity        bytea,
	details         bytea,
	state           bytea,
	audit_seq       bigint NOT NULL,
	audit_hash      bytea,
	-- What queries need: texts without case, and what follows from others.
	id_folded       text COLLATE "C" NOT NULL,
	external_folded text COLLATE "C" NOT NULL,
	country         text COLLATE "C" NOT NULL,
	open            smallint NOT NULL,
	deleted         smallint NOT NULL
);
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
-- Hashed, because external IDs may be longer than a B-tree takes.
CREATE INDEX requests_by_external_id ON requests USING hash (external_id) WHERE external_id <> '';
CREATE INDEX requests_by_external_start ON requests (substr(external_folded, 1, 64)) WHERE external_folded <> '';

-- Plans and outcomes, apart from the requests, because they are large and
-- lists do not read them.
CREATE TABLE documents (
	request_id text COLLATE "C" NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
	kind       text COLLATE "C" NOT NULL,
	body       bytea,
	PRIMARY KEY (request_id, kind)
);

-- The keyed hashes of a request's identities, in their order.
CREATE TABLE lookups (
	request_id text COLLATE "C" NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
	position   bigint NOT NULL,
	hash       bytea NOT NULL,
	PRIMARY KEY (request_id, position)
);
CREATE INDEX lookups_by_hash ON lookups (hash);

-- Wrapped keys. One that is not there was shredded.
CREATE TABLE keys (
	request_id text COLLATE "C" NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
	purpose    text COLLATE "C" NOT NULL,
	wrapped    bytea NOT NULL,
	PRIMARY KEY (request_id, purpose)
);

CREATE TABLE journal (
	request_id text COLLATE "C" NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
	seq        bigint NOT NULL,
	step       text COLLATE "C" NOT NULL,
	rows       bigint NOT NULL,
	sealed     bytea,
	PRIMARY KEY (request_id, seq)
);

-- What is encrypted cannot be compressed.
ALTER TABLE journal ALTER COLUMN sealed SET STORAGE EXTERNAL;

-- Apart from the journal, as in the other stores, so that a tick is small.
CREATE TABLE ticks (
	request_id text COLLATE "C" NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
	seq        bigint NOT NULL,
	masked     bigint NOT NULL,
	gone       bigint NOT NULL,
	changed    bigint NOT NULL,
	PRIMARY KEY (request_id, seq)
);

CREATE TABLE events (
	request_id text COLLATE "C" NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
	seq        bigint NOT NULL,
	time       timestamptz NOT NULL,
	kind       text COLLATE "C" NOT NULL,
	collection text COLLATE "C" NOT NULL,
	connection text COLLATE "C" NOT NULL,
	action     text COLLATE "C" NOT NULL,
	status     text COLLATE "C" NOT NULL,
	rows       bigint NOT NULL,
	message    text COLLATE "C" NOT NULL,
	fields     text COLLATE "C" NOT NULL, -- JSON
	PRIMARY KEY (request_id, seq)
);

-- The audit trail outlives its requests.
CREATE TABLE audit (
	request_id text COLLATE "C" NOT NULL,
	seq        bigint NOT NULL,
	time       timestamptz NOT NULL,
	action     text COLLATE "C" NOT NULL,
	actor      text COLLATE "C" NOT NULL,
	details    text COLLATE "C" NOT NULL, -- JSON
	prev       bytea,
	hash       bytea,
	mac        bytea,
	PRIMARY KEY (request_id, seq)
);

-- The end of each chain, and how far a checkpoint has signed it.
CREATE TABLE heads (
	request_id text COLLATE "C" PRIMARY KEY,
	seq        bigint NOT NULL,
	hash       bytea,
	signed     bigint NOT NULL
);
CREATE INDEX heads_unsigned ON heads (request_id) WHERE signed < seq;

CREATE TABLE checkpoints (
	seq       bigint PRIMARY KEY,
	time      timestamptz NOT NULL,
	prev      bytea,
	heads     bytea NOT NULL, -- JSON
	hash      bytea,
	signature bytea
);
