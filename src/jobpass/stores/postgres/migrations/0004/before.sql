-- How much of each day a platform could be used.

ALTER TABLE platform ADD COLUMN presence bytea NOT NULL DEFAULT '\x7b7d'; -- JSON object, see authority/presence.py
