-- The audit trail: append-only, each entry chained to the one before by hash.
--
-- One chain would make every payment of the province wait for the one before it. So there are lanes: a person's
-- changes are always in the same one, what operators and agencies do is in lane 0, and each lane is a chain.

CREATE TABLE audit_lanes (
    lane smallint PRIMARY KEY,
    -- How many entries the lane has, and the hash of its last: an entry cut off at the end is missed here.
    length bigint NOT NULL DEFAULT 0,
    previous_hash bytea NOT NULL DEFAULT '',
    hash bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex')
    -- Each append rewrites a row: with room in its page, the index stays as it is.
) WITH (fillfactor = 25);
INSERT INTO audit_lanes (lane) SELECT generate_series(0, 255);

-- There is no foreign key to the lane, which append_audit holds locked anyway: it would cost each payment a look-up.
CREATE TABLE audit_entries (
    lane smallint NOT NULL,
    position bigint NOT NULL,
    at timestamptz NOT NULL,
    -- Who: client:<OAuth client>, operator:<who gave a command>, or database:<role> for a change made in any other way.
    actor text NOT NULL,
    -- What: PAYMENT_ACCEPTED, CLIENT_REVOKED, …
    action text NOT NULL,
    -- Of which thing: payment:<id>, client:<id>, …
    subject text NOT NULL,
    -- What it is now, column by column as listed in this file. No identity number, name of a person, secret or free
    -- text, ever: nothing can be taken out of here again.
    detail jsonb NOT NULL,
    previous_hash bytea NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (lane, position)
);

CREATE FUNCTION audit_hash(entry audit_entries) RETURNS bytea
LANGUAGE sql STABLE
RETURN sha256(
    entry.previous_hash || convert_to(
        jsonb_build_array(
            entry.lane, entry.position, (extract(EPOCH FROM entry.at) * 1000000)::bigint, entry.actor, entry.action,
            entry.subject, entry.detail
        )::text,
        'UTF8'
    )
);

-- A command sets gateway.actor for its session, a function that a client calls sets it for its transaction.
CREATE FUNCTION current_actor() RETURNS text
LANGUAGE sql STABLE
RETURN coalesce(nullif(current_setting('gateway.actor', TRUE), ''), 'database:' || session_user);

-- One statement, since every payment runs it: the lane's next head is computed where it is kept, under the row's lock
-- and from its newest version, and the entry is made of it. The lane is locked until the transaction ends: whoever
-- appends by hand does it last.
CREATE FUNCTION append_audit(p_lane integer, p_action text, p_subject text, p_detail jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_at timestamptz := clock_timestamp();
    v_actor text := current_actor();
    v_detail jsonb := jsonb_strip_nulls(p_detail);
BEGIN
    WITH head AS (
        UPDATE audit_lanes AS l
        SET
            length = l.length + 1,
            previous_hash = l.hash,
            hash = audit_hash(
                ROW(l.lane, l.length + 1, v_at, v_actor, p_action, p_subject, v_detail, l.hash, NULL)::audit_entries
            )
        WHERE l.lane = p_lane
        RETURNING l.lane, l.length, l.previous_hash, l.hash
    )

    INSERT INTO audit_entries (lane, position, at, actor, action, subject, detail, previous_hash, hash)
    SELECT h.lane, h.length, v_at, v_actor, p_action, p_subject, v_detail, h.previous_hash, h.hash FROM head AS h;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the audit trail has no lane %', p_lane;
    END IF;
END
$$;

-- Never the operators' lane.
CREATE FUNCTION audit_lane_of_payer(p_payer_id bigint) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 1 + (p_payer_id % 255)::integer;

-- The triggers below are deferred: a lane is the last lock that a transaction takes, and is held for the commit
-- alone. So no transaction of one person's can be part of a deadlock over it.

CREATE FUNCTION audit_payment() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    payment payments := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    v_action text;
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
    PERFORM append_audit(
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
CREATE CONSTRAINT TRIGGER audit_payment AFTER INSERT OR UPDATE OR DELETE ON payments
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_payment();

-- A bill that an agency assessed is audited with its batch or its file, arrears and whatever becomes of a bill alone.
CREATE FUNCTION audit_bill() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    bill bills := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    v_action text;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW IS NOT DISTINCT FROM OLD THEN
            RETURN NULL;
        END IF;
        v_action := CASE
            WHEN NEW.withdrawn_at IS DISTINCT FROM OLD.withdrawn_at THEN 'BILL_WITHDRAWN' ELSE 'BILL_CHANGED'
        END;
    ELSE
        v_action := CASE TG_OP WHEN 'INSERT' THEN 'BILL_ASSESSED' ELSE 'BILL_REMOVED' END;
    END IF;
    PERFORM append_audit(
        audit_lane_of_payer(bill.payer_id), v_action, 'bill:' || bill.insurance || '/' || bill.bill_number,
        jsonb_build_object(
            'id', bill.id,
            'origin', bill.origin,
            'payer_id', bill.payer_id,
            'pooling_area', bill.pooling_area,
            'months', bill.months,
            'amount', bill.amount,
            'pay_by', bill.pay_by,
            'withdrawn_at', bill.withdrawn_at
        )
    );
    RETURN NULL;
END
$$;
-- No file and no batch may use a number of this kind.
CREATE CONSTRAINT TRIGGER audit_arrears AFTER INSERT ON bills
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (new.bill_number LIKE 'ARREARS-%') EXECUTE FUNCTION audit_bill();
CREATE CONSTRAINT TRIGGER audit_bill AFTER UPDATE OR DELETE ON bills
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_bill();

-- At the end of its transaction, when the bills are there to be counted.
CREATE FUNCTION audit_batch() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    batch bill_batches := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    PERFORM append_audit(
        0,
        CASE TG_OP WHEN 'INSERT' THEN 'BATCH_ASSESSED' WHEN 'UPDATE' THEN 'BATCH_CHANGED' ELSE 'BATCH_REMOVED' END,
        'batch:' || batch.id,
        jsonb_build_object('institution_id', batch.institution_id) || (
            SELECT jsonb_build_object('bills', count(*), 'amount', coalesce(sum(b.amount), 0))
            FROM bills AS b WHERE b.batch_id = batch.id
        )
    );
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER audit_batch AFTER INSERT OR UPDATE OR DELETE ON bill_batches
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_batch();

-- Rows that operators change one at a time: institutions, clients, keys, schedules. Its arguments: the word for the
-- thing, the columns that name it, and the columns that its entry shows; all others stay in their table.
CREATE FUNCTION audit_row() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_old jsonb := to_jsonb(OLD);
    v_row jsonb := CASE WHEN TG_OP = 'DELETE' THEN v_old ELSE to_jsonb(NEW) END;
    v_what text;
    v_name text;
    v_detail jsonb;
BEGIN
    IF TG_OP = 'UPDATE' AND v_row = v_old THEN
        RETURN NULL;
    END IF;
    v_what := CASE
        WHEN TG_OP = 'INSERT' THEN 'ADDED'
        WHEN TG_OP = 'DELETE' THEN 'REMOVED'
        WHEN v_row -> 'revoked_at' <> v_old -> 'revoked_at' THEN 'REVOKED'
        WHEN v_row -> 'retired_at' <> v_old -> 'retired_at' THEN 'RETIRED'
        WHEN v_row -> 'secret_hash' <> v_old -> 'secret_hash' THEN 'ROTATED'
        ELSE 'CHANGED'
    END;
    SELECT string_agg(v_row ->> n.name, '/' ORDER BY n.number) INTO v_name
    FROM unnest(string_to_array(TG_ARGV[1], ' ')) WITH ORDINALITY AS n (name, number);
    SELECT jsonb_object_agg(s.name, v_row -> s.name) INTO v_detail
    FROM unnest(string_to_array(TG_ARGV[2], ' ')) AS s (name);
    PERFORM append_audit(0, upper(TG_ARGV[0]) || '_' || v_what, TG_ARGV[0] || ':' || v_name, v_detail);
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER audit_institution AFTER INSERT OR UPDATE OR DELETE ON institutions
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
EXECUTE FUNCTION audit_row('institution', 'code', 'id name kind');
CREATE CONSTRAINT TRIGGER audit_client AFTER INSERT OR UPDATE OR DELETE ON clients
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
EXECUTE FUNCTION audit_row('client', 'id', 'institution_id channel scopes sandbox secret_rotated_at revoked_at');
CREATE CONSTRAINT TRIGGER audit_data_key AFTER INSERT OR UPDATE OR DELETE ON data_keys
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
EXECUTE FUNCTION audit_row('data_key', 'id', 'purpose retired_at');
CREATE CONSTRAINT TRIGGER audit_signing_key AFTER INSERT OR UPDATE OR DELETE ON signing_keys
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
EXECUTE FUNCTION audit_row('signing_key', 'id', 'algorithm data_key_id retired_at');
CREATE CONSTRAINT TRIGGER audit_schedule AFTER INSERT OR UPDATE OR DELETE ON schedules
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
EXECUTE FUNCTION audit_row('schedule', 'insurance year pooling_area', 'id rate average_monthly_wage arrears_tier');
CREATE CONSTRAINT TRIGGER audit_schedule_tier AFTER INSERT OR UPDATE OR DELETE ON schedule_tiers
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
EXECUTE FUNCTION audit_row('schedule_tier', 'schedule_id code', 'position percent monthly_base monthly_amount');

-- The service adds entries and reads them. Its role may own the tables, and so gives up the rest by name.
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON audit_entries FROM PUBLIC, %I', current_user);
    EXECUTE format('REVOKE INSERT, DELETE, TRUNCATE ON audit_lanes FROM PUBLIC, %I', current_user);
END
$$;
