-- A small shop. Everybody in it is made up.
CREATE TABLE customers (
	id    INTEGER PRIMARY KEY,
	email TEXT NOT NULL UNIQUE,
	name  TEXT NOT NULL,
	phone TEXT
);
CREATE TABLE orders (
	id          INTEGER PRIMARY KEY,
	customer_id INTEGER NOT NULL REFERENCES customers (id),
	placed_on   TEXT NOT NULL,
	product     TEXT NOT NULL,
	note        TEXT
);
INSERT INTO customers VALUES
	(1, 'nia.vale@example.com',   'Nia Vale',    '+44 20 7946 0102'),
	(2, 'otto.brandt@example.com', 'Otto Brandt', NULL);
INSERT INTO orders VALUES
	(1, 1, '2026-03-02', 'Teapot',        'Leave it with the neighbour'),
	(2, 2, '2026-03-05', 'Storm lantern', NULL),
	(3, 1, '2026-04-11', 'Cups, six',     'For Mira''s birthday');
