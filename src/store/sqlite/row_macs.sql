-- Policies and domains of the file carry a MAC as every row that gives power does. Rows from before have none that holds: they are
-- written anew, as those of another hand are.
-- The default is a literal: SQLite takes no other for a table that has rows.
ALTER TABLE policy ADD COLUMN mac BLOB NOT NULL DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000';
ALTER TABLE domain ADD COLUMN mac BLOB NOT NULL DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000';

-- No query has a use for these; they were written at each login.
DROP INDEX IF EXISTS login_session_abs_at;
DROP INDEX IF EXISTS product_session_abs_at;
