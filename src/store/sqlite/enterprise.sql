-- Enterprises of products: to which a record belongs, which of them switched it off, and when it asked its person to move.
ALTER TABLE product_account ADD COLUMN enterprise TEXT;
ALTER TABLE product_account ADD COLUMN off_by TEXT;
ALTER TABLE product_account ADD COLUMN asked_at INTEGER;
CREATE INDEX product_account_enterprise ON product_account (product, enterprise, id) WHERE enterprise IS NOT NULL;
