-- How much of each day a platform could be used.

ALTER TABLE platform ADD COLUMN presence BLOB NOT NULL DEFAULT x'7b7d'; -- JSON object, see authority/presence.py
