-- Vouchers (电子缴费凭证): how often each was drawn as a page, and the public check of one.

CREATE TABLE receipt_prints (
    payment_id bigint PRIMARY KEY REFERENCES receipts (payment_id),
    prints integer NOT NULL DEFAULT 1 CHECK (prints > 0),
    first_printed_at timestamptz NOT NULL DEFAULT now(),
    last_printed_at timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE receipt_prints ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY of_payment ON receipt_prints USING (
    EXISTS (
        SELECT 1 FROM payments AS p
        WHERE p.id = receipt_prints.payment_id
    )
);

-- What the holder of a number and its verification code may know, whoever holds them; no row for any other pair.
-- It acts for no institution, whomever the connection acted for before.
CREATE FUNCTION verified_receipt(p_number text, p_verification_code text)
RETURNS TABLE (
    voided_at timestamptz,
    masked_name text,
    masked_resident_id text,
    insurance text,
    pooling_area text,
    first_month integer,
    last_month integer,
    amount numeric,
    institution_name text,
    issued_at timestamptz
)
LANGUAGE plpgsql AS $$
DECLARE
    acted_for text := current_setting('gateway.institution_id', TRUE);
BEGIN
    PERFORM set_config('gateway.institution_id', '', TRUE);
    RETURN QUERY
    SELECT
        coalesce(p.reversed_at, p.refunded_at),
        y.masked_name,
        y.masked_resident_id,
        p.insurance,
        a.name,
        lower(p.months),
        upper(p.months) - 1,
        p.amount,
        i.name,
        r.issued_at
    FROM receipts AS r
    INNER JOIN payments AS p ON r.payment_id = p.id
    INNER JOIN payers AS y ON p.payer_id = y.id
    INNER JOIN pooling_areas AS a ON p.pooling_area = a.code
    INNER JOIN institutions AS i ON p.institution_id = i.id
    WHERE r.number = p_number AND r.verification_code = p_verification_code;
    PERFORM set_config('gateway.institution_id', coalesce(acted_for, ''), TRUE);
END
$$;

-- The certificates that vouchers were signed by: each stays, since it verifies what it has signed. The sandbox makes
-- its own, and the private key is sealed by the vault, bound to the fingerprint; others' keys are never here.
CREATE TABLE voucher_certificates (
    -- SHA-256 of the DER form, in hexadecimal.
    fingerprint text PRIMARY KEY CHECK (fingerprint ~ '^[0-9a-f]{64}$'),
    certificate bytea NOT NULL,
    sealed_private_key bytea,
    data_key_id integer REFERENCES data_keys (id),
    used_since timestamptz NOT NULL DEFAULT now(),
    CHECK (num_nulls(sealed_private_key, data_key_id) IN (0, 2))
);
CREATE UNIQUE INDEX voucher_certificates_own ON voucher_certificates ((sealed_private_key IS NULL))
WHERE sealed_private_key IS NOT NULL;
