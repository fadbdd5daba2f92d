-- The customer desk: another program, another database, other habits.
-- It knows people by the address they once typed, and keeps JSON.
CREATE TABLE profiles (
	id      INTEGER PRIMARY KEY,
	profile TEXT NOT NULL
);
CREATE TABLE tickets (
	id          INTEGER PRIMARY KEY,
	customer_no INTEGER NOT NULL,
	opened_on   TEXT NOT NULL,
	subject     TEXT NOT NULL,
	messages    TEXT NOT NULL
);
CREATE TABLE questions (
	id      INTEGER PRIMARY KEY,
	product TEXT NOT NULL,
	posts   TEXT NOT NULL
);
CREATE TABLE newsletter (
	email   TEXT PRIMARY KEY,
	topics  TEXT NOT NULL,
	opted_in_on TEXT NOT NULL
);

INSERT INTO profiles VALUES
	(71, '{"contact": {"email": "Wilma.Frost@Example.com", "preferred": "phone"}, "nickname": "Frosty", "interests": ["clocks", "hiking"], "segment": "B"}'),
	(72, '{"contact": {"email": "tomas.lindqvist@example.com", "preferred": "email"}, "nickname": "Tom", "interests": ["camping"], "segment": "A"}'),
	(73, '{"contact": {"email": "AMARA.OKOYE@EXAMPLE.COM", "preferred": "email"}, "nickname": "Ama", "interests": ["astronomy", "maps"], "segment": "A"}');
INSERT INTO tickets VALUES
	(9001, 1, '2024-12-01', 'Engraving is misspelt', '[{"from": "customer", "text": "It should read G. Frost, not C. Frost. My father turns 70 next week!"}, {"from": "desk", "text": "So sorry, Wilma. A new one leaves today."}]'),
	(9002, 3, '2025-03-24', 'Telescope is late', '[{"from": "customer", "text": "Any news of my parcel?"}]'),
	(9003, 1, '2025-02-12', 'Change of address', '[{"from": "customer", "text": "I have moved to 12 Harbour Steps."}]');
INSERT INTO questions VALUES
	(301, 'Brass telescope', '[{"email": "amara.okoye@example.com", "text": "Does it show the rings of Saturn?"}, {"email": "WILMA.FROST@example.com", "text": "It does, I looked from my roof."}]'),
	(302, 'Camping kettle',  '[{"email": "tomas.lindqvist@example.com", "text": "How long until it boils?"}]');
INSERT INTO newsletter VALUES
	('wilma.frost@example.com', '["sales", "workshop diary"]', '2021-05-02'),
	('amara.okoye@example.com', '["workshop diary"]', '2023-01-11');
