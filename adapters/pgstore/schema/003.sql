-- What is configured at run time, in versions, and plain records beside it.
CREATE TABLE entries (
	kind       text COLLATE "C" NOT NULL,
	key        text COLLATE "C" NOT NULL,
	version    bigint NOT NULL,
	plain      smallint NOT NULL,
	since      bigint NOT NULL, -- the version of the catalogue it came with; 0 for plain ones
	until      bigint,          -- the first version without it; NULL for the current one
	updated_at timestamptz NOT NULL,
	data       bytea, -- JSON
	sealed     bytea,
	PRIMARY KEY (kind, key, since)
);
CREATE UNIQUE INDEX entries_current ON entries (kind, key) WHERE until IS NULL;

-- The version of the catalogue, in one row, which who makes the next one locks.
CREATE TABLE catalogue (
	version bigint NOT NULL
);
INSERT INTO catalogue VALUES (0);
