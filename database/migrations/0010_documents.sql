-- What each client may send to /graphql: its limits, its trusted documents, and what it has left to spend.

CREATE TABLE client_limits (
    client_id text PRIMARY KEY REFERENCES clients (id),
    trusted_documents_only boolean NOT NULL DEFAULT FALSE,
    -- Points a minute; 0 is without a limit. Null: what the setting says.
    budget bigint CHECK (budget BETWEEN 0 AND 1000000000000)
);

CREATE TABLE trusted_documents (
    client_id text NOT NULL REFERENCES clients (id),
    sha256 text NOT NULL,
    document text NOT NULL CHECK (length(document) BETWEEN 1 AND 16384),
    registered_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (client_id, sha256),
    -- The name of a document is what it says: a row that was changed by hand is found under no name.
    CHECK (sha256 = encode(sha256(convert_to(document, 'UTF8')), 'hex'))
);

-- The buckets that every process takes its shares from. Nothing is lost with them but a minute's patience: unlogged,
-- a share costs no write to the disk, and after a crash or a failover every bucket is full.
CREATE UNLOGGED TABLE client_budgets (
    client_id text PRIMARY KEY,
    -- What was left at `filled_at`, and what the last process to ask was given of it.
    points double precision NOT NULL,
    share double precision NOT NULL,
    filled_at timestamptz NOT NULL
) WITH (fillfactor = 25);

CREATE CONSTRAINT TRIGGER audit_client_limit AFTER INSERT OR UPDATE OR DELETE ON client_limits
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
EXECUTE FUNCTION audit_row('client_limit', 'client_id', 'trusted_documents_only budget');
CREATE CONSTRAINT TRIGGER audit_trusted_document AFTER INSERT OR UPDATE OR DELETE ON trusted_documents
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
EXECUTE FUNCTION audit_row('trusted_document', 'client_id sha256', 'registered_at');
