-- The web shop: who bought what, and where it was sent.
-- Everybody in it is made up.
CREATE TABLE customers (
	id       INTEGER PRIMARY KEY,
	email    TEXT NOT NULL UNIQUE,
	name     TEXT NOT NULL,
	phone    TEXT,
	birthday TEXT,
	since    TEXT NOT NULL
);
CREATE TABLE addresses (
	id          INTEGER PRIMARY KEY,
	customer_id INTEGER NOT NULL REFERENCES customers (id),
	street      TEXT NOT NULL,
	postcode    TEXT NOT NULL,
	city        TEXT NOT NULL
);
CREATE TABLE orders (
	id          INTEGER PRIMARY KEY,
	customer_id INTEGER NOT NULL REFERENCES customers (id),
	address_id  INTEGER NOT NULL REFERENCES addresses (id),
	placed_on   TEXT NOT NULL,
	total_cents INTEGER NOT NULL,
	gift_note   TEXT
);
CREATE TABLE order_items (
	order_id  INTEGER NOT NULL REFERENCES orders (id),
	line      INTEGER NOT NULL,
	product   TEXT NOT NULL,
	quantity  INTEGER NOT NULL,
	engraving TEXT,
	PRIMARY KEY (order_id, line)
);
CREATE TABLE payment_cards (
	id          INTEGER PRIMARY KEY,
	customer_id INTEGER NOT NULL REFERENCES customers (id),
	brand       TEXT NOT NULL,
	last_four   TEXT NOT NULL,
	holder      TEXT NOT NULL
);

INSERT INTO customers VALUES
	(1, 'wilma.frost@example.com',   'Wilma Frost',   '+44 20 7946 0321', '1987-03-14', '2021-05-02'),
	(2, 'tomas.lindqvist@example.com', 'Tomas Lindqvist', '+44 20 7946 0655', '1979-11-30', '2019-08-17'),
	(3, 'amara.okoye@example.com',   'Amara Okoye',   NULL,               '1994-07-08', '2023-01-11');
INSERT INTO addresses VALUES
	(1, 1, '7 Lantern Row',     'ZZ1 4QA', 'Frostwick'),
	(2, 1, '12 Harbour Steps',  'ZZ9 2LB', 'Saltmere'),
	(3, 2, '3 Orchard Mews',    'ZZ4 8HT', 'Appledown'),
	(4, 3, '41 Observatory Hill', 'ZZ6 1RN', 'Starling Cross');
INSERT INTO orders VALUES
	(1001, 1, 1, '2024-11-28', 8450, 'Happy birthday, Dad! Love, Wilma'),
	(1002, 2, 3, '2024-12-02', 2999, NULL),
	(1003, 1, 2, '2025-02-09', 1995, NULL),
	(1004, 3, 4, '2025-03-21', 12900, 'For Chidi, who never sleeps'),
	(1005, 2, 3, '2025-04-05', 4500, 'See you at the lake');
INSERT INTO order_items VALUES
	(1001, 1, 'Pocket watch',      1, 'For G. Frost, 1955'),
	(1001, 2, 'Gift wrapping',     1, NULL),
	(1002, 1, 'Storm lantern',     1, NULL),
	(1003, 1, 'Wool blanket',      1, NULL),
	(1004, 1, 'Brass telescope',   1, 'Look up'),
	(1005, 1, 'Camping kettle',    2, 'T.L.'),
	(1005, 2, 'Enamel mug',        4, NULL);
INSERT INTO payment_cards VALUES
	(501, 1, 'Visa',       '4242', 'W FROST'),
	(502, 1, 'Mastercard', '4444', 'WILMA FROST'),
	(503, 2, 'Visa',       '1881', 'T LINDQVIST'),
	(504, 3, 'Amex',       '0005', 'A OKOYE');
