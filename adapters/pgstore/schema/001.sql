-- Times of -infinity are no time. IDs are ordered by their bytes.
CREATE TABLE requests (
	id           text COLLATE "C" PRIMARY KEY,
	version      bigint      NOT NULL,
	epoch        bigint      NOT NULL,
	external_id  text COLLATE "C" NOT NULL,
	policy       text        NOT NULL,
	status       text COLLATE "C" NOT NULL,
	stage        text        NOT NULL,
	failure      text        NOT NULL,
	lease_until  timestamptz NOT NULL,
	requested_at timestamptz NOT NULL,
	created_at   timestamptz NOT NULL,
	updated_at   timestamptz NOT NULL,
	finished_at  timestamptz NOT NULL,
	due_at       timestamptz NOT NULL,
	identity     bytea,
	outcomes     bytea
);
CREATE INDEX requests_by_age ON requests (created_at, id);
CREATE INDEX requests_by_status ON requests (status, created_at, id);
CREATE INDEX requests_by_due ON requests (due_at) WHERE due_at > '-infinity';
-- Hashed, because external IDs may be longer than a B-tree takes.
CREATE INDEX requests_by_external_id ON requests USING hash (external_id) WHERE external_id <> '';

-- Apart from the requests, because a plan is large and stays as it is.
CREATE TABLE plans (
	request_id text COLLATE "C" PRIMARY KEY REFERENCES requests (id),
	plan       bytea
);

-- The keyed hashes of a request's identities, in their order.
CREATE TABLE lookups (
	request_id text COLLATE "C" NOT NULL REFERENCES requests (id),
	position   bigint NOT NULL,
	hash       bytea  NOT NULL,
	PRIMARY KEY (request_id, position)
);
CREATE INDEX lookups_by_hash ON lookups (hash);

-- Wrapped keys. One that is not there was shredded.
CREATE TABLE keys (
	request_id text COLLATE "C" NOT NULL REFERENCES requests (id),
	purpose    text COLLATE "C" NOT NULL,
	wrapped    bytea NOT NULL,
	PRIMARY KEY (request_id, purpose)
);

CREATE TABLE journal (
	request_id text COLLATE "C" NOT NULL REFERENCES requests (id),
	seq        bigint NOT NULL,
	step       text   NOT NULL,
	rows       bigint NOT NULL,
	sealed     bytea,
	PRIMARY KEY (request_id, seq)
);
-- What is encrypted cannot be compressed.
ALTER TABLE journal ALTER COLUMN sealed SET STORAGE EXTERNAL;

-- Apart from the journal, as in the other stores, so that a tick is small.
CREATE TABLE ticks (
	request_id text COLLATE "C" NOT NULL REFERENCES requests (id),
	seq        bigint NOT NULL,
	masked     bigint NOT NULL,
	gone       bigint NOT NULL,
	changed    bigint NOT NULL,
	PRIMARY KEY (request_id, seq)
);

CREATE TABLE events (
	request_id text COLLATE "C" NOT NULL REFERENCES requests (id),
	seq        bigint      NOT NULL,
	time       timestamptz NOT NULL,
	kind       text        NOT NULL,
	collection text        NOT NULL,
	rows       bigint      NOT NULL,
	message    text        NOT NULL,
	PRIMARY KEY (request_id, seq)
);
