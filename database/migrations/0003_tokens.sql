-- Access tokens taken back before their time (RFC 7009). A token is signed and carries its own end, so that
-- only the revoked ones are kept, and each only until it would have ended.
CREATE TABLE revoked_tokens (
    jti text PRIMARY KEY CHECK (length(jti) BETWEEN 1 AND 64),
    expires_at timestamptz NOT NULL
);
CREATE INDEX revoked_tokens_expiry ON revoked_tokens (expires_at);
