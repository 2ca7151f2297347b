-- How clients prove who they are: by a secret, by assertions that their keys sign (RFC 7523), or by the certificate
-- of their connection (RFC 8705). One method a client.

ALTER TABLE clients
ALTER COLUMN secret_hash DROP NOT NULL,
ADD COLUMN auth_method text NOT NULL DEFAULT 'client_secret_basic'
CHECK (auth_method IN ('client_secret_basic', 'private_key_jwt', 'tls_client_auth')),
-- The secret before the last rotation, which still opens until then: two secrets at the most.
ADD COLUMN previous_secret_hash text,
ADD COLUMN previous_secret_ends_at timestamptz,
-- Public keys only, here or where the client publishes them.
ADD COLUMN jwks jsonb,
ADD COLUMN jwks_uri text CHECK (length(jwks_uri) <= 2048),
ADD COLUMN keys_replaced_at timestamptz,
-- What the certificate must name: its whole subject (RFC 4514), or one of its alternative names.
ADD COLUMN certificate_name_type text CHECK (certificate_name_type IN ('SUBJECT_DN', 'SAN_DNS', 'SAN_URI')),
ADD COLUMN certificate_name text CHECK (length(certificate_name) BETWEEN 1 AND 1024),
ADD CONSTRAINT clients_auth_method CHECK (
    CASE auth_method
        WHEN 'client_secret_basic'
            THEN secret_hash IS NOT NULL AND num_nonnulls(jwks, jwks_uri, certificate_name_type, certificate_name) = 0
        WHEN 'private_key_jwt'
            THEN
                num_nonnulls(jwks, jwks_uri) = 1
                AND num_nonnulls(secret_hash, certificate_name_type, certificate_name) = 0
        ELSE num_nonnulls(certificate_name_type, certificate_name) = 2 AND num_nonnulls(secret_hash, jwks, jwks_uri) = 0
    END
),
ADD CONSTRAINT clients_previous_secret CHECK (
    num_nonnulls(previous_secret_hash, previous_secret_ends_at) = 0
    OR (num_nonnulls(secret_hash, previous_secret_hash, previous_secret_ends_at) = 3)
);

-- An institution whose clients may not use secrets.
ALTER TABLE institutions ADD COLUMN strong_authentication boolean NOT NULL DEFAULT FALSE;

-- Assertions that have been used, by the hash of their ids, each until it could not be used any more.
CREATE TABLE client_assertions (
    client_id text NOT NULL REFERENCES clients (id),
    jti_sha256 bytea NOT NULL CHECK (length(jti_sha256) = 32),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (client_id, jti_sha256)
);
CREATE INDEX client_assertions_expiry ON client_assertions (expires_at);

DROP TRIGGER audit_institution ON institutions;
CREATE CONSTRAINT TRIGGER audit_institution AFTER INSERT OR UPDATE OR DELETE ON institutions
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
EXECUTE FUNCTION audit_row('institution', 'code', 'id name kind strong_authentication');
-- Neither keys nor a certificate's name: the one is long, the other is free text.
DROP TRIGGER audit_client ON clients;
CREATE CONSTRAINT TRIGGER audit_client AFTER INSERT OR UPDATE OR DELETE ON clients
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
EXECUTE FUNCTION audit_row(
    'client', 'id',
    'institution_id channel scopes sandbox auth_method secret_rotated_at previous_secret_ends_at keys_replaced_at'
    ' revoked_at'
);

-- Every process remembers for a while whose a token is: it is told, at commit, of what must be looked up again.
-- Commits that notify wait for one another, and so nothing that a payment does may notify.
CREATE FUNCTION notify_authorization() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify(
        'authorization_changed', TG_ARGV[0] || ':' || (to_jsonb(CASE TG_OP WHEN 'INSERT' THEN NEW ELSE OLD END) ->> TG_ARGV[1])
    );
    RETURN NULL;
END
$$;
CREATE TRIGGER notify_client AFTER UPDATE OR DELETE ON clients
FOR EACH ROW EXECUTE FUNCTION notify_authorization('client', 'id');
CREATE TRIGGER notify_institution AFTER UPDATE OR DELETE ON institutions
FOR EACH ROW EXECUTE FUNCTION notify_authorization('institution', 'id');
CREATE TRIGGER notify_revoked_token AFTER INSERT ON revoked_tokens
FOR EACH ROW EXECUTE FUNCTION notify_authorization('token', 'jti');
