-- 退费: asked for by the bank after the payment's business day, decided by the agency of the insurance.
CREATE TABLE refunds (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id bigint NOT NULL REFERENCES payments (id),
    reason text NOT NULL,
    requested_by text NOT NULL REFERENCES clients (id),
    requested_at timestamptz NOT NULL DEFAULT now(),
    approved boolean,
    decided_by text REFERENCES clients (id),
    decided_at timestamptz,
    decision_reason text,
    CHECK (num_nonnulls(approved, decided_by, decided_at, decision_reason) IN (0, 4))
);
-- One open or granted request for a payment; a rejected one can be asked for again.
CREATE UNIQUE INDEX refunds_standing ON refunds (payment_id) WHERE approved IS DISTINCT FROM FALSE;
CREATE INDEX refunds_undecided ON refunds (id) WHERE approved IS NULL;
