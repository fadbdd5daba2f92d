-- What is to be sent, and what is to be done at a time.
CREATE TABLE messages (
	id         text COLLATE "C" PRIMARY KEY,
	version    bigint NOT NULL,
	request_id text COLLATE "C" REFERENCES requests (id) ON DELETE CASCADE, -- of none if NULL
	due_at     timestamptz NOT NULL,
	data       bytea, -- JSON
	sealed     bytea
);
CREATE INDEX messages_by_due ON messages (due_at, id);
CREATE INDEX messages_by_request ON messages (request_id);
