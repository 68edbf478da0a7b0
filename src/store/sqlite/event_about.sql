-- Events by the person whom they are about or who did them: addresses under e:, accounts under a:. The log itself holds both in the clear.
CREATE TABLE event_about (
    about TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (about, position)
) STRICT, WITHOUT ROWID;
-- Events of before. Who did one may stand with a token's id behind their own, which has 26 characters.
INSERT OR IGNORE INTO event_about
SELECT 'e:' || json_extract(CAST(bytes AS TEXT), '$.subject.email'), position FROM event
WHERE json_extract(CAST(bytes AS TEXT), '$.subject.email') IS NOT NULL;
INSERT OR IGNORE INTO event_about
SELECT 'a:' || json_extract(CAST(bytes AS TEXT), '$.subject.account'), position FROM event
WHERE json_extract(CAST(bytes AS TEXT), '$.subject.account') IS NOT NULL;
INSERT OR IGNORE INTO event_about
SELECT 'e:' || json_extract(CAST(bytes AS TEXT), '$.actor.address'), position FROM event
WHERE json_extract(CAST(bytes AS TEXT), '$.actor.address') IS NOT NULL;
INSERT OR IGNORE INTO event_about
SELECT 'a:' || substr(json_extract(CAST(bytes AS TEXT), '$.actor.id'), 1, 26), position FROM event
WHERE length(json_extract(CAST(bytes AS TEXT), '$.actor.id')) >= 26;
