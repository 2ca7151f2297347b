-- Nobody looks for a message by its key, and two of 122 bits of chance are never the same. Their indexes were written
-- at a place of chance for each payment, which in a large database is a page that nobody else has just had.

ALTER TABLE postings DROP CONSTRAINT postings_idempotency_key_key;
ALTER TABLE events DROP CONSTRAINT events_message_id_key;
