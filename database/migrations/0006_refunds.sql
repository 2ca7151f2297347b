-- 退费: asked for by the bank after the payment's business day, decided by the agency of the insurance.
CREATE TABLE refunds (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id bigint NOT NULL REFERENCES payments (id),
    -- The payment's own, which never change: the bank's list and the agency's are each a walk along one index.
    institution_id integer NOT NULL REFERENCES institutions (id),
    payer_id bigint NOT NULL REFERENCES payers (id),
    insurance text NOT NULL CHECK (insurance IN ('PENSION', 'MEDICAL')),
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
CREATE INDEX refunds_of_payment ON refunds (payment_id, id);
CREATE INDEX refunds_of_institution ON refunds (institution_id, id);
CREATE INDEX refunds_of_insurance ON refunds (insurance, id);
CREATE INDEX refunds_undecided ON refunds (insurance, id) WHERE approved IS NULL;

CREATE FUNCTION refuse_second_decision() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'refund % has been decided', OLD.id USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER refuse_second_decision BEFORE UPDATE ON refunds
FOR EACH ROW WHEN (old.approved IS NOT NULL) EXECUTE FUNCTION refuse_second_decision();

CREATE TYPE refund_outcome AS (
    -- REQUESTED, DECIDED, REPLAYED, or the reason why not.
    outcome text,
    refund refunds,
    payment payments,
    receipt receipts,
    -- PAYMENT_NOT_REFUNDABLE, PAYMENT_STILL_REVERSIBLE: what the payment is. REFUND_NOT_DECIDABLE: what the refund is.
    status text
);

-- Ask for the refund of one payment whose business day is over. While a request stands, asking again finds it.
CREATE FUNCTION request_refund(
    p_institution_id integer, p_client_id text, p_bank_reference text, p_reason text, p_business_date date
) RETURNS refund_outcome
LANGUAGE plpgsql AS $$
DECLARE
    result refund_outcome;
    payment payments;
    receipt receipts;
    refund refunds;
BEGIN
    PERFORM act_as_client(p_client_id);
    SELECT * INTO payment FROM payments AS p
    WHERE p.institution_id = p_institution_id AND p.bank_reference = p_bank_reference;
    IF NOT FOUND THEN
        result.outcome := 'PAYMENT_NOT_FOUND';
        RETURN result;
    END IF;
    PERFORM pg_advisory_xact_lock(payment.payer_id);
    SELECT * INTO payment FROM payments AS p WHERE p.id = payment.id;

    SELECT * INTO refund FROM refunds AS r
    WHERE r.payment_id = payment.id AND r.approved IS DISTINCT FROM FALSE;
    IF FOUND THEN
        result.outcome := 'REPLAYED';
    ELSIF
        payment.reversed_at IS NOT NULL OR payment.refunded_at IS NOT NULL
        OR payment.business_date >= p_business_date
    THEN
        result.status := CASE
            WHEN payment.refunded_at IS NOT NULL THEN 'REFUNDED'
            WHEN payment.reversed_at IS NOT NULL THEN 'REVERSED'
            WHEN payment.posted_at IS NOT NULL THEN 'POSTED'
            ELSE 'ACCEPTED'
        END;
        result.outcome := CASE
            WHEN result.status IN ('REFUNDED', 'REVERSED') THEN 'PAYMENT_NOT_REFUNDABLE'
            ELSE 'PAYMENT_STILL_REVERSIBLE'
        END;
        RETURN result;
    ELSE
        INSERT INTO refunds (payment_id, institution_id, payer_id, insurance, reason, requested_by)
        VALUES (payment.id, payment.institution_id, payment.payer_id, payment.insurance, p_reason, p_client_id)
        RETURNING * INTO refund;
        result.outcome := 'REQUESTED';
    END IF;
    SELECT * INTO receipt FROM receipts AS t WHERE t.payment_id = payment.id;
    result.refund := refund;
    result.payment := payment;
    result.receipt := receipt;
    RETURN result;
END
$$;

-- Grant or reject a request, once. p_insurance is what the caller's agency decides about, NULL for anybody else. A
-- refund leaves the settlement of the payment's business day as it was: the bank did collect the money on that day.
CREATE FUNCTION decide_refund(
    p_client_id text, p_insurance text, p_refund_id bigint, p_approve boolean, p_reason text
) RETURNS refund_outcome
LANGUAGE plpgsql AS $$
DECLARE
    result refund_outcome;
    payment payments;
    receipt receipts;
    refund refunds;
BEGIN
    PERFORM act_as_client(p_client_id);
    SELECT * INTO refund FROM refunds AS r WHERE r.id = p_refund_id AND r.insurance = p_insurance;
    IF NOT FOUND THEN
        result.outcome := 'REFUND_NOT_FOUND';
        RETURN result;
    END IF;
    PERFORM pg_advisory_xact_lock(refund.payer_id);
    SELECT * INTO refund FROM refunds AS r WHERE r.id = refund.id FOR UPDATE;

    IF refund.approved <> p_approve THEN
        result.outcome := 'REFUND_NOT_DECIDABLE';
        result.status := CASE WHEN refund.approved THEN 'REFUNDED' ELSE 'REJECTED' END;
        RETURN result;
    ELSIF refund.approved = p_approve THEN
        result.outcome := 'REPLAYED';
    ELSE
        UPDATE refunds AS r
        SET approved = p_approve, decided_by = p_client_id, decided_at = now(), decision_reason = p_reason
        WHERE r.id = refund.id
        RETURNING * INTO refund;
        IF p_approve THEN
            UPDATE payments AS p SET refunded_at = now() WHERE p.id = refund.payment_id;
            UPDATE contributions AS c SET standing = FALSE WHERE c.payment_id = refund.payment_id;
        END IF;
        result.outcome := 'DECIDED';
    END IF;
    SELECT * INTO payment FROM payments AS p WHERE p.id = refund.payment_id;
    SELECT * INTO receipt FROM receipts AS t WHERE t.payment_id = refund.payment_id;
    result.refund := refund;
    result.payment := payment;
    result.receipt := receipt;
    RETURN result;
END
$$;

-- At midnight a reversal may still be under way when a request for the new day is taken: the money goes back by the
-- reversal, so the request is closed and no agency can grant it too. The reversal holds the payer's lock.
CREATE FUNCTION close_refund_of_reversed() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE refunds AS r
    SET approved = FALSE, decided_by = NEW.reversed_by, decided_at = now(), decision_reason = 'the payment was reversed'
    WHERE r.payment_id = NEW.id AND r.approved IS NULL;
    RETURN NULL;
END
$$;
CREATE TRIGGER close_refund_of_reversed AFTER UPDATE OF reversed_at ON payments
FOR EACH ROW WHEN (old.reversed_at IS NULL AND new.reversed_at IS NOT NULL)
EXECUTE FUNCTION close_refund_of_reversed();

-- Both reasons are free text.
CREATE FUNCTION audit_refund() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    refund refunds := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    v_action text;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW IS NOT DISTINCT FROM OLD THEN
            RETURN NULL;
        END IF;
        v_action := CASE
            WHEN NEW.approved IS NOT DISTINCT FROM OLD.approved THEN 'REFUND_CHANGED'
            WHEN NEW.approved THEN 'REFUND_GRANTED'
            ELSE 'REFUND_REJECTED'
        END;
    ELSE
        v_action := CASE TG_OP WHEN 'INSERT' THEN 'REFUND_REQUESTED' ELSE 'REFUND_REMOVED' END;
    END IF;
    PERFORM append_audit(
        audit_lane_of_payer(refund.payer_id), v_action, 'refund:' || refund.id,
        jsonb_build_object(
            'payment_id', refund.payment_id,
            'institution_id', refund.institution_id,
            'payer_id', refund.payer_id,
            'insurance', refund.insurance,
            'requested_by', refund.requested_by,
            'requested_at', refund.requested_at,
            'approved', refund.approved,
            'decided_by', refund.decided_by,
            'decided_at', refund.decided_at
        )
    );
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER audit_refund AFTER INSERT OR UPDATE OR DELETE ON refunds
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_refund();
