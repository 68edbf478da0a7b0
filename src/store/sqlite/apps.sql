-- Login sessions of products' own apps: which app, the key that its tokens are bound to, and the number of the refresh token that holds.
ALTER TABLE login_session ADD COLUMN app TEXT;
ALTER TABLE login_session ADD COLUMN app_key BLOB;
ALTER TABLE login_session ADD COLUMN app_turn INTEGER;
ALTER TABLE login_session ADD COLUMN app_turned_at INTEGER;
