-- The outbox: what is to be sent, and what is to be done at a time.
CREATE TABLE messages (
	id         text COLLATE "C" PRIMARY KEY,
	version    bigint NOT NULL,
	request_id text COLLATE "C" REFERENCES requests (id) ON DELETE CASCADE,
	due_at     timestamptz NOT NULL,
	data       bytea,
	sealed     bytea
);
CREATE INDEX messages_by_due ON messages (due_at, id);
CREATE INDEX messages_by_request ON messages (request_id) WHERE request_id IS NOT NULL;
