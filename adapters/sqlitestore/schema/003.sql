-- What is configured at run time, in versions, and plain records beside it.
CREATE TABLE entries (
	kind       TEXT    NOT NULL,
	key        TEXT    NOT NULL,
	version    INTEGER NOT NULL,
	plain      INTEGER NOT NULL,
	since      INTEGER NOT NULL, -- the version of the catalogue it came with; 0 for plain ones
	until      INTEGER,          -- the first version without it; NULL for the current one
	updated_at INTEGER NOT NULL,
	data       BLOB, -- JSON
	sealed     BLOB, -- of plain ones after the padding that keys.go explains, so it must be the last column
	PRIMARY KEY (kind, key, since)
) STRICT;
CREATE UNIQUE INDEX entries_current ON entries (kind, key) WHERE until IS NULL;

-- The version of the catalogue, in one row.
CREATE TABLE catalogue (
	version INTEGER NOT NULL
) STRICT;
INSERT INTO catalogue VALUES (0);
