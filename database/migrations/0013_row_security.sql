-- The second lock: a request sees no other institution's rows, whatever the statement that it runs forgets to say.
--
-- The connections that serve requests say whom they act for (gateway.institution_id; database/pool.py). Commands,
-- loads and the worker's connections act for no institution and say nothing: these policies let them pass. The tables'
-- owner is held to them as well, since the gateway's role usually is the owner; a superuser is not.

CREATE FUNCTION acts_for(p_institution_id integer) RETURNS boolean
LANGUAGE sql STABLE
RETURN coalesce(
    nullif(current_setting('gateway.institution_id', TRUE), '')::integer = p_institution_id, TRUE
)
-- A bill is told to every institution that has named its payer: a trigger's own work is not the request's to see.
OR pg_trigger_depth() > 0;

-- The request acts for the agency that decides refunds of this insurance.
CREATE FUNCTION acts_for_agency_of(insurance text) RETURNS boolean
LANGUAGE sql STABLE
RETURN EXISTS (
    SELECT 1 FROM institutions AS i
    WHERE
        i.id = nullif(current_setting('gateway.institution_id', TRUE), '')::integer
        AND (i.kind, $1) IN (('SOCIAL_INSURANCE_AGENCY', 'PENSION'), ('MEDICAL_INSURANCE_AGENCY', 'MEDICAL'))
);

ALTER TABLE quotes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON quotes USING (acts_for(institution_id));

ALTER TABLE payments ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON payments USING (acts_for(institution_id));
-- What an agency is asked to refund.
CREATE FUNCTION is_asked_to_refund(payment_id bigint, insurance text) RETURNS boolean
LANGUAGE sql STABLE
RETURN acts_for_agency_of($2) AND EXISTS (
    SELECT 1 FROM refunds AS r
    WHERE r.payment_id = $1
);
CREATE POLICY read_to_refund ON payments FOR SELECT USING (is_asked_to_refund(id, insurance));
CREATE POLICY refund ON payments FOR UPDATE USING (is_asked_to_refund(id, insurance));

ALTER TABLE receipts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY of_payment ON receipts USING (
    EXISTS (
        SELECT 1 FROM payments AS p
        WHERE p.id = receipts.payment_id
    )
);

ALTER TABLE named_payers ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON named_payers USING (acts_for(institution_id));

ALTER TABLE bill_batches ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON bill_batches USING (acts_for(institution_id));

ALTER TABLE settlement_days ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON settlement_days USING (acts_for(institution_id));
ALTER TABLE settlement_entries ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON settlement_entries USING (acts_for(institution_id));
ALTER TABLE settlement_differences ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON settlement_differences USING (acts_for(institution_id));

-- A bank's own requests, and those that the agency of the insurance decides about.
ALTER TABLE refunds ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON refunds USING (acts_for(institution_id));
CREATE POLICY of_agency ON refunds USING (acts_for_agency_of(insurance));

ALTER TABLE events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON events USING (acts_for(institution_id));

-- Whose client signed: the payment's bank, or the agency that decided about its refund.
ALTER TABLE payment_signatures ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON payment_signatures USING (
    EXISTS (
        SELECT 1 FROM client_signing_keys AS k
        INNER JOIN clients AS c ON k.client_id = c.id
        WHERE k.id = payment_signatures.key_id AND acts_for(c.institution_id)
    )
);
