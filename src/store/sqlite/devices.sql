-- What a browser called itself at its login, for its owner to recognize (values::Device).
ALTER TABLE login_session ADD COLUMN device TEXT;
