-- What is to be sent, and what is to be done at a time.
CREATE TABLE messages (
	id         TEXT    NOT NULL PRIMARY KEY,
	version    INTEGER NOT NULL,
	request_id TEXT REFERENCES requests (id) ON DELETE CASCADE, -- of none if NULL
	due_at     INTEGER NOT NULL,
	data       BLOB, -- JSON
	sealed     BLOB
) STRICT;
CREATE INDEX messages_by_due ON messages (due_at, id);
CREATE INDEX messages_by_request ON messages (request_id);
