-- Policies and domains of the file carry a MAC as every row that gives power does. Rows from before have none that holds: they are
-- written anew, as those of another hand are.
ALTER TABLE policy ADD COLUMN mac BLOB NOT NULL DEFAULT (zeroblob(32));
ALTER TABLE domain ADD COLUMN mac BLOB NOT NULL DEFAULT (zeroblob(32));
