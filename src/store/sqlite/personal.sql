-- Login sessions of personal API tokens: what one may do, and what its person calls it.
ALTER TABLE login_session ADD COLUMN token_scope TEXT;
ALTER TABLE login_session ADD COLUMN token_label TEXT;
