-- What a request costs PostgreSQL: the same answers and promises as before, in fewer steps.

-- As before. An array is quicker to gather than an aggregate, and the B-tree index of a person's standing contributions
-- to read than the GiST index of month_paid_once, which the planner takes for its equal: ANY is for the B-tree alone.
CREATE OR REPLACE VIEW unpaid_months AS
SELECT
    e.payer_id,
    e.insurance,
    e.pooling_area,
    range_agg(e.months) - int4multirange(
        VARIADIC ARRAY( -- noqa: CP03
            SELECT c.months
            FROM contributions AS c
            WHERE c.payer_id = any(ARRAY[e.payer_id]) AND c.insurance = e.insurance AND c.standing
        )
    ) AS months
FROM enrolments AS e
GROUP BY e.payer_id, e.insurance, e.pooling_area;

-- Which of a person's bills are paid is read from the index as well.
DROP INDEX contributions_standing;
CREATE INDEX contributions_standing ON contributions (payer_id, insurance) INCLUDE (months, bill_id) WHERE standing;

-- As before, but PostgreSQL takes it over where it is called: it is one expression.
CREATE OR REPLACE FUNCTION lock_settlement_day(p_institution_id integer, p_date date, p_alone boolean) RETURNS void
LANGUAGE sql
RETURN CASE
    -- Python's first day arrives here as -infinity, which nothing can be subtracted from.
    WHEN p_alone
        THEN pg_advisory_xact_lock(p_institution_id, greatest(p_date, date '1900-01-01') - date '2000-01-01')
    ELSE pg_advisory_xact_lock_shared(p_institution_id, greatest(p_date, date '1900-01-01') - date '2000-01-01')
END;

-- A job of pgqueuer's, as its enqueue statement makes it, but without a line in its log: the job says itself when it
-- was made.
CREATE OR REPLACE FUNCTION enqueue_job(
    p_entrypoint text, p_payload text, p_delay interval DEFAULT '0 s'
) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO pgqueuer (priority, entrypoint, payload, status, execute_after)
    VALUES (0, p_entrypoint, convert_to(p_payload, 'UTF8'), 'queued', now() + p_delay)
$$;

-- As before, in fewer statements: each costs as much as a row. A payable's own columns never change, but for a bill's
-- withdrawal, which takes the payer's lock; so they are read once, before it.
CREATE OR REPLACE FUNCTION submit_payment(
    p_institution_id integer,
    p_client_id text,
    p_channel text,
    p_quote_id bigint,
    p_bill_id bigint,
    p_amount numeric,
    p_bank_reference text,
    p_collected_at timestamptz,
    p_branch text,
    p_teller text,
    p_business_date date,
    p_verification_code text
) RETURNS payment_outcome
LANGUAGE plpgsql AS $$
DECLARE
    result payment_outcome;
    payment payments;
    receipt receipts;
    contribution contributions;
    v_payer_id bigint;
    v_insurance text;
    v_pooling_area text;
    v_months int4range;
    v_expected numeric;
    v_expires_at timestamptz;
    v_pay_by date;
    v_withdrawn boolean;
    v_reconciled boolean;
    -- What is called for its effect: an expression is no statement of its own, as PERFORM is.
    v_done text;
BEGIN
    IF p_quote_id IS NOT NULL THEN
        SELECT q.payer_id, q.insurance, q.pooling_area, q.months, q.amount, q.expires_at
        INTO v_payer_id, v_insurance, v_pooling_area, v_months, v_expected, v_expires_at
        FROM quotes AS q
        WHERE q.id = p_quote_id AND q.institution_id = p_institution_id;
    ELSIF p_bill_id IS NOT NULL THEN
        SELECT b.payer_id, b.insurance, b.pooling_area, b.months, b.amount, b.pay_by
        INTO v_payer_id, v_insurance, v_pooling_area, v_months, v_expected, v_pay_by
        FROM bills AS b
        INNER JOIN named_payers AS n ON b.payer_id = n.payer_id AND n.institution_id = p_institution_id
        WHERE b.id = p_bill_id;
    END IF;

    IF v_payer_id IS NULL THEN
        result.outcome := 'PAYABLE_NOT_FOUND';
    ELSE
        v_done := pg_advisory_xact_lock(v_payer_id);
        v_done := lock_settlement_day(p_institution_id, p_business_date, FALSE);
        -- What settled the payable paid its months.
        SELECT
            (
                SELECT range_agg(c.months * v_months) FROM contributions AS c
                WHERE
                    c.payer_id = v_payer_id AND c.insurance = v_insurance AND c.standing
                    AND c.months && v_months
            ),
            EXISTS (SELECT 1 FROM bills AS b WHERE b.id = p_bill_id AND b.withdrawn_at IS NOT NULL),
            EXISTS (
                SELECT 1 FROM settlement_days AS s
                WHERE s.institution_id = p_institution_id AND s.business_date = p_business_date
            )
        INTO result.paid_months, v_withdrawn, v_reconciled;

        IF result.paid_months IS NOT NULL THEN
            result.outcome := 'MONTHS_ALREADY_PAID';
        ELSIF v_expires_at <= now() THEN
            result.outcome := 'QUOTE_EXPIRED';
            result.expired_at := v_expires_at;
        ELSIF v_withdrawn OR v_pay_by < p_business_date THEN
            result.outcome := 'BILL_NOT_PAYABLE';
            result.status := CASE WHEN v_withdrawn THEN 'WITHDRAWN' ELSE 'EXPIRED' END;
        ELSIF p_amount <> v_expected THEN
            result.outcome := 'AMOUNT_MISMATCH';
            result.expected := v_expected;
        ELSE
            v_done := act_as_client(p_client_id);
            INSERT INTO payments (
                institution_id, client_id, channel, bank_reference, quote_id, bill_id, payer_id, insurance,
                pooling_area, months, amount, collected_at, branch, teller, business_date
            ) VALUES (
                p_institution_id, p_client_id, p_channel, p_bank_reference, p_quote_id, p_bill_id, v_payer_id,
                v_insurance, v_pooling_area, v_months, p_amount, p_collected_at, p_branch, p_teller, p_business_date
            )
            ON CONFLICT (institution_id, bank_reference) DO NOTHING
            RETURNING * INTO payment;
            IF FOUND THEN
                INSERT INTO receipts (payment_id, number, verification_code)
                VALUES (
                    payment.id,
                    to_char(p_business_date, 'YYYYMMDD') || lpad(payment.id::text, 10, '0'),
                    p_verification_code
                )
                RETURNING * INTO receipt;
                INSERT INTO contributions (payer_id, insurance, months, amount, paid_on, payment_id, bill_id)
                VALUES (v_payer_id, v_insurance, v_months, p_amount, p_business_date, payment.id, p_bill_id)
                RETURNING * INTO contribution;
                IF v_reconciled THEN
                    PERFORM compare_reference(p_institution_id, p_business_date, p_bank_reference);
                END IF;
                result.outcome := 'ACCEPTED';
                result.payment := payment;
                result.receipt := receipt;
                result.contribution := contribution;
                RETURN result;
            END IF;
            result.outcome := 'BANK_REFERENCE_REUSED';
        END IF;
    END IF;

    -- Whatever is to be said of the payable: a reference that was used is answered as it was, or refused.
    SELECT * INTO payment FROM payments AS p
    WHERE p.institution_id = p_institution_id AND p.bank_reference = p_bank_reference;
    IF NOT FOUND THEN
        RETURN result;
    END IF;
    result := NULL;
    IF
        payment.quote_id IS NOT DISTINCT FROM p_quote_id
        AND payment.bill_id IS NOT DISTINCT FROM p_bill_id
        AND payment.amount = p_amount
        AND payment.collected_at = p_collected_at
    THEN
        SELECT * INTO receipt FROM receipts AS r WHERE r.payment_id = payment.id;
        result.outcome := 'REPLAYED';
        result.payment := payment;
        result.receipt := receipt;
    ELSE
        result.outcome := 'BANK_REFERENCE_REUSED';
    END IF;
    RETURN result;
END
$$;

-- As before, in one statement: the job is enqueue_job's.
CREATE OR REPLACE FUNCTION post_payment() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_kind text;
BEGIN
    v_kind := CASE
        WHEN TG_OP = 'INSERT' THEN 'ACCEPTED'
        WHEN NEW.reversed_at IS DISTINCT FROM OLD.reversed_at THEN 'REVERSED'
        WHEN NEW.refunded_at IS DISTINCT FROM OLD.refunded_at THEN 'REFUNDED'
    END;
    IF v_kind IS NOT NULL THEN
        -- A bank that asks again right after its answer hears what the answer said.
        WITH posting AS (
            INSERT INTO postings (payment_id, kind) VALUES (NEW.id, v_kind) RETURNING id
        )

        INSERT INTO pgqueuer (priority, entrypoint, payload, status, execute_after)
        SELECT 0, 'posting', convert_to(p.id::text, 'UTF8'), 'queued', now() + interval '2 s' FROM posting AS p;
    END IF;
    RETURN NULL;
END
$$;

-- As before, but for its last step, which is an expression.
CREATE OR REPLACE FUNCTION audit_payment() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    payment payments := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    v_action text;
    -- As in submit_payment.
    v_done text;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW IS NOT DISTINCT FROM OLD THEN
            RETURN NULL;
        END IF;
        v_action := CASE
            WHEN NEW.reversed_at IS DISTINCT FROM OLD.reversed_at THEN 'PAYMENT_REVERSED'
            WHEN NEW.refunded_at IS DISTINCT FROM OLD.refunded_at THEN 'PAYMENT_REFUNDED'
            WHEN NEW.posted_at IS DISTINCT FROM OLD.posted_at THEN 'PAYMENT_POSTED'
            ELSE 'PAYMENT_CHANGED'
        END;
    ELSE
        v_action := CASE TG_OP WHEN 'INSERT' THEN 'PAYMENT_ACCEPTED' ELSE 'PAYMENT_REMOVED' END;
    END IF;
    -- Branch, teller and the reason of a reversal are free text.
    v_done := append_audit(
        audit_lane_of_payer(payment.payer_id), v_action, 'payment:' || payment.id,
        jsonb_build_object(
            'institution_id', payment.institution_id,
            'client_id', payment.client_id,
            'channel', payment.channel,
            'bank_reference', payment.bank_reference,
            'quote_id', payment.quote_id,
            'bill_id', payment.bill_id,
            'payer_id', payment.payer_id,
            'insurance', payment.insurance,
            'pooling_area', payment.pooling_area,
            'months', payment.months,
            'amount', payment.amount,
            'collected_at', payment.collected_at,
            'business_date', payment.business_date,
            'posted_at', payment.posted_at,
            'reversed_at', payment.reversed_at,
            'reversed_by', payment.reversed_by,
            'refunded_at', payment.refunded_at
        )
    );
    RETURN NULL;
END
$$;

-- A quote and a payment name a client and its institution. One look-up holds both, and that they belong together.
ALTER TABLE clients ADD CONSTRAINT clients_institution UNIQUE (id, institution_id);
ALTER TABLE quotes
DROP CONSTRAINT quotes_client_id_fkey,
DROP CONSTRAINT quotes_institution_id_fkey,
ADD CONSTRAINT quotes_client FOREIGN KEY (client_id, institution_id) REFERENCES clients (id, institution_id);
ALTER TABLE payments
DROP CONSTRAINT payments_client_id_fkey,
DROP CONSTRAINT payments_institution_id_fkey,
ADD CONSTRAINT payments_client FOREIGN KEY (client_id, institution_id) REFERENCES clients (id, institution_id);
