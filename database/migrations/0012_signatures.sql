-- HTTP message signatures (RFC 9421): by which keys clients sign, which institutions must, and what is kept of it.

-- Public keys only. A key that is no longer used stays, since it verifies what it has signed.
CREATE TABLE client_signing_keys (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id text NOT NULL REFERENCES clients (id),
    -- What the client calls it: the signature's keyid.
    kid text NOT NULL CHECK (kid ~ '^[!-~]{1,128}$'),
    algorithm text NOT NULL CHECK (algorithm IN ('ecdsa-p256-sha256', 'ed25519', 'rsa-pss-sha512')),
    public_jwk jsonb NOT NULL,
    -- RFC 7638.
    thumbprint text NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz
);
CREATE UNIQUE INDEX client_signing_keys_current ON client_signing_keys (client_id, kid) WHERE retired_at IS NULL;

-- The institutions whose clients may move no money without a signature.
CREATE TABLE signature_requirements (
    institution_id integer PRIMARY KEY REFERENCES institutions (id),
    required_since timestamptz NOT NULL DEFAULT now()
);

-- The client's own signature of what became of a payment, written in the transaction that it caused. What repeated it
-- later moved nothing and is not kept.
CREATE TABLE payment_signatures (
    id bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    payment_id bigint NOT NULL REFERENCES payments (id),
    event text NOT NULL CHECK (event IN ('ACCEPTED', 'REVERSED', 'REFUND_REQUESTED', 'REFUND_DECIDED')),
    kept_at timestamptz NOT NULL DEFAULT now(),
    key_id bigint NOT NULL REFERENCES client_signing_keys (id),
    signature bytea NOT NULL,
    -- The signature base and the body. The base holds the access token of the request, and the body may hold what a
    -- client puts into variables: both are sealed by the vault, bound to the signature.
    sealed_message bytea NOT NULL,
    data_key_id integer NOT NULL REFERENCES data_keys (id),
    -- A payment is accepted and reversed once; a refund may be asked for again after it was rejected.
    PRIMARY KEY (payment_id, event, kept_at)
);

CREATE CONSTRAINT TRIGGER audit_client_signing_key AFTER INSERT OR UPDATE OR DELETE ON client_signing_keys
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
EXECUTE FUNCTION audit_row('client_signing_key', 'client_id thumbprint', 'id algorithm registered_at retired_at');
CREATE CONSTRAINT TRIGGER audit_signature_requirement AFTER INSERT OR UPDATE OR DELETE ON signature_requirements
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
EXECUTE FUNCTION audit_row('signature_requirement', 'institution_id', 'required_since');

-- The service keeps a signature and reads it. Its role may own the table, and so gives up the rest by name; sealing
-- anew under another data key changes these two columns.
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON payment_signatures FROM PUBLIC, %I', current_user);
    EXECUTE format('GRANT UPDATE (sealed_message, data_key_id) ON payment_signatures TO %I', current_user);
END
$$;
