-- Tokens that are worth nothing to whoever steals them (RFC 9449, RFC 8705), and signing keys that rotate.

-- Whose tokens must be bound: DPOP to a key that the client proves to hold with each request, CERTIFICATE to the
-- certificate of its TLS connection. An institution's rule holds for its clients that have none of their own.
ALTER TABLE institutions
ADD COLUMN bound_tokens text CHECK (bound_tokens IN ('DPOP', 'CERTIFICATE'));
ALTER TABLE clients
ADD COLUMN bound_tokens text CHECK (bound_tokens IN ('DPOP', 'CERTIFICATE'));

-- Proofs that have been used, each for as long as its time would still be good. Every request with a bound token adds
-- one: unlogged, so that it waits for no disk.
CREATE UNLOGGED TABLE dpop_proofs (
    -- Of the key's thumbprint and the proof's jti.
    digest bytea PRIMARY KEY CHECK (length(digest) = 16),
    ended_at timestamptz NOT NULL
);
CREATE INDEX dpop_proofs_end ON dpop_proofs (ended_at);

-- A crash or a failover empties both tables. Nonces are made of the epoch, and so are the proofs that hold them: with
-- the memory of used proofs, all proofs of before it end.
CREATE UNLOGGED TABLE dpop_epochs (
    only_row boolean PRIMARY KEY DEFAULT TRUE CHECK (only_row),
    epoch uuid NOT NULL DEFAULT gen_random_uuid()
);

-- A new key is published at once and signs from here on, when every copy of the published keys holds it. The key before
-- it has that very time as its retired_at, so that of the rows one signs at any time.
ALTER TABLE signing_keys
ADD COLUMN signs_from timestamptz NOT NULL DEFAULT now();

-- The audit trail tells the new columns, too.
DROP TRIGGER audit_signing_key ON signing_keys;
CREATE CONSTRAINT TRIGGER audit_signing_key AFTER INSERT OR UPDATE OR DELETE ON signing_keys
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
EXECUTE FUNCTION audit_row('signing_key', 'id', 'algorithm data_key_id signs_from retired_at');
DROP TRIGGER audit_institution ON institutions;
CREATE CONSTRAINT TRIGGER audit_institution AFTER INSERT OR UPDATE OR DELETE ON institutions
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
EXECUTE FUNCTION audit_row('institution', 'code', 'id name kind strong_authentication bound_tokens');
DROP TRIGGER audit_client ON clients;
CREATE CONSTRAINT TRIGGER audit_client AFTER INSERT OR UPDATE OR DELETE ON clients
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
EXECUTE FUNCTION audit_row(
    'client', 'id',
    'institution_id channel scopes sandbox auth_method secret_rotated_at previous_secret_ends_at keys_replaced_at'
    ' revoked_at bound_tokens'
);
