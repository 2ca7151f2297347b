-- The functions that move money, one call each, and the reconciliation.
--
-- Locks: the one-key advisory lock of a payer's id makes everything that changes what the person owes take
-- turns; the two-key lock (institution, day) is shared by payments and held alone by a reconciliation.

-- Whom the audit trail names for what this transaction changes.
CREATE FUNCTION act_as_client(p_client_id text) RETURNS text
LANGUAGE sql
RETURN set_config('gateway.actor', 'client:' || p_client_id, TRUE);

CREATE FUNCTION lock_settlement_day(p_institution_id integer, p_date date, p_alone boolean) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    -- Python's first day arrives here as -infinity, which nothing can be subtracted from.
    v_day integer := greatest(p_date, date '1900-01-01') - date '2000-01-01';
BEGIN
    IF p_alone THEN
        PERFORM pg_advisory_xact_lock(p_institution_id, v_day);
    ELSE
        PERFORM pg_advisory_xact_lock_shared(p_institution_id, v_day);
    END IF;
END
$$;

-- How the bank's list of a day differs from the ledger: every difference, or those of one reference.
CREATE FUNCTION differences_of_day(p_institution_id integer, p_date date, p_bank_reference text DEFAULT NULL)
RETURNS TABLE (bank_reference text, kind text, gateway_amount numeric, bank_amount numeric)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT
        coalesce(p.bank_reference, e.bank_reference),
        k.kind,
        p.amount,
        e.amount
    FROM (
        SELECT x.bank_reference, x.amount, x.reversed_at IS NOT NULL AS reversed
        FROM payments AS x
        WHERE
            x.institution_id = p_institution_id AND x.business_date = p_date
            AND (p_bank_reference IS NULL OR x.bank_reference = p_bank_reference)
    ) AS p
    FULL JOIN (
        SELECT x.bank_reference, x.amount, x.reversed
        FROM settlement_entries AS x
        WHERE
            x.institution_id = p_institution_id AND x.business_date = p_date
            AND (p_bank_reference IS NULL OR x.bank_reference = p_bank_reference)
    ) AS e ON p.bank_reference = e.bank_reference
    CROSS JOIN LATERAL (
        VALUES
        ('MISSING_AT_GATEWAY', p.bank_reference IS NULL),
        ('MISSING_AT_BANK', e.bank_reference IS NULL),
        ('AMOUNT_DIFFERS', p.amount <> e.amount),
        ('STATUS_DIFFERS', p.reversed <> e.reversed)
    ) AS k (kind, found)
    WHERE k.found;
END
$$;

-- Compare the whole day anew. The caller holds the day's lock alone and has put the bank's list in place.
CREATE FUNCTION compare_day(p_institution_id integer, p_date date) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM settlement_differences AS d
    WHERE d.institution_id = p_institution_id AND d.business_date = p_date;
    INSERT INTO settlement_differences
    SELECT p_institution_id, p_date, d.bank_reference, d.kind, d.gateway_amount, d.bank_amount
    FROM differences_of_day(p_institution_id, p_date) AS d;
END
$$;

-- Keep the comparison true when a payment changes on a day that the bank has already sent its list for.
CREATE FUNCTION compare_reference(p_institution_id integer, p_date date, p_bank_reference text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM settlement_days AS s
    WHERE s.institution_id = p_institution_id AND s.business_date = p_date;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    DELETE FROM settlement_differences AS d
    WHERE
        d.institution_id = p_institution_id AND d.business_date = p_date
        AND d.bank_reference = p_bank_reference;
    INSERT INTO settlement_differences
    SELECT p_institution_id, p_date, d.bank_reference, d.kind, d.gateway_amount, d.bank_amount
    FROM differences_of_day(p_institution_id, p_date, p_bank_reference) AS d;
END
$$;

-- The bank's list of a small day, as arrays of equal length, in place of the list before it.
CREATE FUNCTION reconcile_day(
    p_institution_id integer,
    p_date date,
    p_bank_references text[],
    p_amounts numeric[],
    p_reversed boolean[]
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lock_settlement_day(p_institution_id, p_date, TRUE);
    INSERT INTO settlement_days (institution_id, business_date, reconciled_at)
    VALUES (p_institution_id, p_date, now())
    ON CONFLICT (institution_id, business_date) DO UPDATE SET reconciled_at = excluded.reconciled_at;
    DELETE FROM settlement_entries AS e
    WHERE e.institution_id = p_institution_id AND e.business_date = p_date;
    INSERT INTO settlement_entries
    SELECT p_institution_id, p_date, e.bank_reference, e.amount, e.reversed
    FROM unnest(p_bank_references, p_amounts, p_reversed) AS e (bank_reference, amount, reversed);
    PERFORM compare_day(p_institution_id, p_date);
END
$$;

CREATE TYPE payment_outcome AS (
    -- ACCEPTED, REPLAYED, REVERSED, or the reason why not.
    outcome text,
    payment payments,
    receipt receipts,
    -- The months that the payment paid, as they are now.
    contribution contributions,
    -- MONTHS_ALREADY_PAID: which.
    paid_months int4multirange,
    -- AMOUNT_MISMATCH: what the payable asks for.
    expected numeric,
    -- BILL_NOT_PAYABLE, PAYMENT_NOT_REVERSIBLE: what it is instead.
    status text,
    -- QUOTE_EXPIRED: since when.
    expired_at timestamptz
);

-- Take one payment, its receipt and its months into the ledger, or say why not. One of p_quote_id and
-- p_bill_id is given; neither, when the caller's id was no id of ours.
CREATE FUNCTION submit_payment(
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
    quote quotes;
    bill bills;
    v_payer_id bigint;
    v_insurance text;
    v_pooling_area text;
    v_months int4range;
    v_expected numeric;
    settled boolean;
BEGIN
    IF p_quote_id IS NOT NULL THEN
        SELECT * INTO quote FROM quotes AS q
        WHERE q.id = p_quote_id AND q.institution_id = p_institution_id;
        v_payer_id := quote.payer_id;
    ELSIF p_bill_id IS NOT NULL THEN
        SELECT b.payer_id INTO v_payer_id FROM bills AS b
        INNER JOIN named_payers AS n ON b.payer_id = n.payer_id AND n.institution_id = p_institution_id
        WHERE b.id = p_bill_id;
    END IF;
    IF v_payer_id IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock(v_payer_id);
    END IF;
    PERFORM lock_settlement_day(p_institution_id, p_business_date, FALSE);

    SELECT * INTO payment FROM payments AS p
    WHERE p.institution_id = p_institution_id AND p.bank_reference = p_bank_reference;
    IF NOT FOUND THEN
        IF v_payer_id IS NULL THEN
            result.outcome := 'PAYABLE_NOT_FOUND';
            RETURN result;
        END IF;
        IF p_quote_id IS NOT NULL THEN
            v_insurance := quote.insurance;
            v_pooling_area := quote.pooling_area;
            v_months := quote.months;
            v_expected := quote.amount;
            settled := EXISTS (
                SELECT 1 FROM payments AS p
                WHERE p.quote_id = p_quote_id AND p.reversed_at IS NULL AND p.refunded_at IS NULL
            );
        ELSE
            -- Read under the payer's lock: a withdrawal takes the same lock.
            SELECT * INTO bill FROM bills AS b WHERE b.id = p_bill_id;
            v_insurance := bill.insurance;
            v_pooling_area := bill.pooling_area;
            v_months := bill.months;
            v_expected := bill.amount;
            settled := EXISTS (SELECT 1 FROM contributions AS c WHERE c.bill_id = p_bill_id AND c.standing);
        END IF;

        SELECT range_agg(c.months * v_months) INTO result.paid_months FROM contributions AS c
        WHERE
            c.payer_id = v_payer_id AND c.insurance = v_insurance AND c.standing
            AND c.months && v_months;
        IF settled OR result.paid_months IS NOT NULL THEN
            result.outcome := 'MONTHS_ALREADY_PAID';
            result.paid_months := coalesce(result.paid_months, int4multirange(v_months));
            RETURN result;
        END IF;
        IF quote.expires_at <= now() THEN
            result.outcome := 'QUOTE_EXPIRED';
            result.expired_at := quote.expires_at;
            RETURN result;
        END IF;
        IF bill.withdrawn_at IS NOT NULL OR bill.pay_by < p_business_date THEN
            result.outcome := 'BILL_NOT_PAYABLE';
            result.status := CASE WHEN bill.withdrawn_at IS NULL THEN 'EXPIRED' ELSE 'WITHDRAWN' END;
            RETURN result;
        END IF;
        IF p_amount <> v_expected THEN
            result.outcome := 'AMOUNT_MISMATCH';
            result.expected := v_expected;
            RETURN result;
        END IF;

        PERFORM act_as_client(p_client_id);
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
            PERFORM compare_reference(p_institution_id, p_business_date, p_bank_reference);
            result.outcome := 'ACCEPTED';
            result.payment := payment;
            result.receipt := receipt;
            result.contribution := contribution;
            RETURN result;
        END IF;
        -- Another payable took the reference between our look and our insert.
        SELECT * INTO payment FROM payments AS p
        WHERE p.institution_id = p_institution_id AND p.bank_reference = p_bank_reference;
    END IF;

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

-- 冲正: undo one payment on its own business day.
CREATE FUNCTION reverse_payment(
    p_institution_id integer, p_client_id text, p_bank_reference text, p_reason text, p_business_date date
) RETURNS payment_outcome
LANGUAGE plpgsql AS $$
DECLARE
    result payment_outcome;
    payment payments;
    receipt receipts;
    contribution contributions;
BEGIN
    SELECT * INTO payment FROM payments AS p
    WHERE p.institution_id = p_institution_id AND p.bank_reference = p_bank_reference;
    IF NOT FOUND THEN
        result.outcome := 'PAYMENT_NOT_FOUND';
        RETURN result;
    END IF;
    PERFORM pg_advisory_xact_lock(payment.payer_id);
    PERFORM lock_settlement_day(p_institution_id, payment.business_date, FALSE);
    SELECT * INTO payment FROM payments AS p WHERE p.id = payment.id FOR UPDATE;

    IF payment.reversed_at IS NOT NULL THEN
        result.outcome := 'REPLAYED';
    ELSIF payment.refunded_at IS NOT NULL OR payment.business_date <> p_business_date THEN
        result.outcome := 'PAYMENT_NOT_REVERSIBLE';
        result.status := CASE
            WHEN payment.refunded_at IS NOT NULL THEN 'REFUNDED'
            WHEN payment.posted_at IS NOT NULL THEN 'POSTED'
            ELSE 'ACCEPTED'
        END;
        RETURN result;
    ELSE
        PERFORM act_as_client(p_client_id);
        UPDATE payments AS p
        SET reversed_at = now(), reversed_by = p_client_id, reversal_reason = p_reason
        WHERE p.id = payment.id
        RETURNING * INTO payment;
        UPDATE contributions AS c SET standing = FALSE WHERE c.payment_id = payment.id
        RETURNING * INTO contribution;
        result.contribution := contribution;
        PERFORM compare_reference(p_institution_id, payment.business_date, p_bank_reference);
        result.outcome := 'REVERSED';
    END IF;
    SELECT * INTO receipt FROM receipts AS r WHERE r.payment_id = payment.id;
    result.payment := payment;
    result.receipt := receipt;
    RETURN result;
END
$$;

CREATE TYPE assessed_line AS (month integer, monthly_base numeric, rate numeric, amount numeric);

-- 往年核定: the bill for a run of arrears. The same run again returns the payable bill there is; a different run
-- that overlaps withdraws the unpaid one. NULL when a month has been paid or is no longer owed.
CREATE FUNCTION assess_arrears(
    p_client_id text,
    p_payer_id bigint,
    p_insurance text,
    p_pooling_area text,
    p_months int4range,
    p_lines assessed_line[],
    p_business_date date
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_bill_id bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(p_payer_id);
    PERFORM 1 FROM unpaid_months AS u
    WHERE
        u.payer_id = p_payer_id AND u.insurance = p_insurance AND u.pooling_area = p_pooling_area
        AND u.months @> p_months;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;

    SELECT b.id INTO v_bill_id FROM bills AS b
    WHERE
        b.payer_id = p_payer_id AND b.insurance = p_insurance AND b.months = p_months
        AND b.origin = 'PAYER_ARREARS' AND b.withdrawn_at IS NULL
        AND (b.pay_by IS NULL OR b.pay_by >= p_business_date);
    IF FOUND THEN
        RETURN v_bill_id;
    END IF;

    PERFORM act_as_client(p_client_id);
    UPDATE bills AS b
    SET withdrawn_at = now(), withdrawal_reason = 'assessed anew'
    WHERE
        b.payer_id = p_payer_id AND b.insurance = p_insurance AND b.months && p_months
        AND b.origin = 'PAYER_ARREARS' AND b.withdrawn_at IS NULL
        AND NOT EXISTS (SELECT 1 FROM contributions AS c WHERE c.bill_id = b.id AND c.standing);

    INSERT INTO bills (bill_number, origin, payer_id, insurance, pooling_area, months, amount)
    SELECT
        'ARREARS-' || lpad(nextval('bill_numbers')::text, 10, '0'), 'PAYER_ARREARS', p_payer_id, p_insurance,
        p_pooling_area, p_months, sum(l.amount)
    FROM unnest(p_lines) AS l
    RETURNING id INTO v_bill_id;
    INSERT INTO bill_lines (bill_id, month, monthly_base, rate, amount)
    SELECT v_bill_id, l.month, l.monthly_base, l.rate, l.amount FROM unnest(p_lines) AS l;
    RETURN v_bill_id;
END
$$;

-- Withdraw an unpaid bill of an agency's. The status it has instead, when it is not payable; NULL outcome
-- columns when there is no such bill.
CREATE FUNCTION withdraw_bill(
    p_client_id text, p_insurance text, p_bill_number text, p_reason text, p_business_date date
) RETURNS TABLE (bill_id bigint, status text)
LANGUAGE plpgsql AS $$
DECLARE
    bill bills;
BEGIN
    SELECT * INTO bill FROM bills AS b WHERE b.insurance = p_insurance AND b.bill_number = p_bill_number;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(bill.payer_id);
    SELECT * INTO bill FROM bills AS b WHERE b.id = bill.id FOR UPDATE;
    bill_id := bill.id;
    IF EXISTS (SELECT 1 FROM contributions AS c WHERE c.bill_id = bill.id AND c.standing) THEN
        status := 'PAID';
    ELSIF bill.withdrawn_at IS NOT NULL THEN
        status := 'WITHDRAWN';
    ELSIF bill.pay_by < p_business_date THEN
        status := 'EXPIRED';
    ELSE
        PERFORM act_as_client(p_client_id);
        UPDATE bills AS b SET withdrawn_at = now(), withdrawal_reason = p_reason WHERE b.id = bill.id;
        status := 'PAYABLE';
    END IF;
    RETURN NEXT;
END
$$;
