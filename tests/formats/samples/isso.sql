CREATE TABLE preferences (key VARCHAR PRIMARY KEY, value VARCHAR);
CREATE TABLE threads (id INTEGER PRIMARY KEY, uri VARCHAR(256) UNIQUE, title VARCHAR(256));
CREATE TABLE comments (
    tid REFERENCES threads(id), id INTEGER PRIMARY KEY, parent INTEGER, created FLOAT NOT NULL, modified FLOAT,
    mode INTEGER, remote_addr VARCHAR, text VARCHAR, author VARCHAR, email VARCHAR, website VARCHAR,
    likes INTEGER DEFAULT 0, dislikes INTEGER DEFAULT 0, voters BLOB NOT NULL, notification INTEGER DEFAULT 0
);
INSERT INTO threads VALUES (1, '/posts/lighthouse/', 'The lighthouse');
INSERT INTO threads VALUES (2, '/posts/fog.html', NULL);
INSERT INTO comments VALUES (1, 1, NULL, 1612137600.25, 1612137900.5, 1, '203.0.113.0',
    'Some **Markdown** with `code` and https://lamp.example/', 'Wilma', 'wilma@example.org', 'https://wilma.example/', 5, 2, x'00', 1);
INSERT INTO comments VALUES (1, 2, 1, 1612137700.0, NULL, 2, '2001:db8:5::', 'Waits for a decision', NULL, NULL, NULL, 0, 0, x'00', 0);
INSERT INTO comments VALUES (1, 3, 1, 1612137800.0, NULL, 4, '203.0.113.0', '', NULL, NULL, NULL, 0, 0, x'00', 0);
INSERT INTO comments VALUES (2, 4, NULL, 1612138000.0, NULL, 1, '198.51.100.0',
    '<p>Imported into Isso as <em>HTML</em>.</p><p>*not emphasis*</p>', 'Old', NULL, 'not a website', 0, 1, x'00', 0);
INSERT INTO comments VALUES (2, 5, 6, 1612138100.0, NULL, 1, '198.51.100.0', 'Before its parent', 'Early', NULL, NULL, 0, 0, x'00', 0);
INSERT INTO comments VALUES (2, 6, NULL, 1612138050.0, NULL, 1, '198.51.100.0', 'The parent', 'Late', NULL, NULL, 0, 0, x'00', 0);
