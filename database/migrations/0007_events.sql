-- What happened that a bank wants to know, and its delivery to the addresses that clients have registered.
--
-- An event is written in the transaction that made it happen, and gets its number later, from whoever works: a
-- counter taken here would be held until commit, and a file of a million bills would keep every reversal waiting.

CREATE TABLE events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    institution_id integer NOT NULL REFERENCES institutions (id),
    -- Without gaps for each institution, in an order that each thing's own events keep. NULL until it is given.
    sequence bigint,
    -- What receivers know the event by, however often it comes.
    message_id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    kind text NOT NULL CHECK (
        kind IN ('PAYMENT_POSTED', 'PAYMENT_REVERSED', 'PAYMENT_REFUNDED', 'BILL_ASSESSED', 'BILL_WITHDRAWN')
    ),
    payment_id bigint REFERENCES payments (id),
    bill_id bigint REFERENCES bills (id),
    occurred_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (institution_id, sequence),
    CHECK (num_nonnulls(payment_id, bill_id) = 1)
);
CREATE INDEX events_unnumbered ON events (id) WHERE sequence IS NULL;

CREATE TABLE event_sequences (
    institution_id integer PRIMARY KEY REFERENCES institutions (id),
    last_sequence bigint NOT NULL
);

-- Where a client wants its institution's events sent, and the secret (sealed) that signs them.
CREATE TABLE callbacks (
    client_id text PRIMARY KEY REFERENCES clients (id),
    url text NOT NULL CHECK (length(url) <= 2048),
    sealed_secret bytea NOT NULL,
    data_key_id integer NOT NULL REFERENCES data_keys (id),
    registered_at timestamptz NOT NULL DEFAULT now()
);
CREATE CONSTRAINT TRIGGER audit_callback AFTER INSERT OR UPDATE OR DELETE ON callbacks
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
EXECUTE FUNCTION audit_row('callback', 'client_id', 'data_key_id registered_at');

CREATE TABLE deliveries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id text NOT NULL REFERENCES callbacks (client_id) ON DELETE CASCADE,
    event_id bigint NOT NULL REFERENCES events (id),
    enqueued_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    attempted_at timestamptz,
    last_error text,
    delivered_at timestamptz,
    -- After the last try.
    failed_at timestamptz,
    UNIQUE (client_id, event_id),
    CHECK (delivered_at IS NULL OR failed_at IS NULL)
);
-- What is waiting and what has failed, for whoever counts or looks for a delivery that has lost its job.
CREATE INDEX deliveries_undelivered ON deliveries (client_id, id) INCLUDE (failed_at) WHERE delivered_at IS NULL;
-- What is old enough to go.
CREATE INDEX deliveries_enqueued ON deliveries (enqueued_at);

-- A client has one callback: registering again replaces its address and its secret, and what waits goes there.
CREATE FUNCTION register_callback(
    p_client_id text, p_url text, p_sealed_secret bytea, p_data_key_id integer
) RETURNS timestamptz
LANGUAGE plpgsql AS $$
DECLARE
    v_registered_at timestamptz;
BEGIN
    PERFORM act_as_client(p_client_id);
    INSERT INTO callbacks AS k (client_id, url, sealed_secret, data_key_id)
    VALUES (p_client_id, p_url, p_sealed_secret, p_data_key_id)
    ON CONFLICT (client_id) DO UPDATE SET
        url = excluded.url,
        sealed_secret = excluded.sealed_secret,
        data_key_id = excluded.data_key_id,
        registered_at = excluded.registered_at
    RETURNING k.registered_at INTO v_registered_at;
    RETURN v_registered_at;
END
$$;

-- Its deliveries, those that wait and those that were made, go with a callback.
CREATE FUNCTION remove_callback(p_client_id text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM act_as_client(p_client_id);
    DELETE FROM callbacks AS k WHERE k.client_id = p_client_id;
    RETURN FOUND;
END
$$;

-- Number what has been committed, at most p_limit events, and enqueue their deliveries; return how many there were.
-- Whoever comes while another numbers waits: numbers are given in the order of ids, and one thing's events have
-- theirs in the order in which they happened, since each holds the thing's row until commit.
CREATE FUNCTION number_events(p_limit integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    v_count integer;
BEGIN
    -- "events" in ASCII: a one-key lock above every payer's id.
    PERFORM pg_advisory_xact_lock(111546413475955);
    WITH unnumbered AS MATERIALIZED (
        SELECT e.id, e.institution_id FROM events AS e WHERE e.sequence IS NULL ORDER BY e.id LIMIT p_limit
    ),

    placed AS MATERIALIZED (
        SELECT
            u.id,
            u.institution_id,
            row_number() OVER (PARTITION BY u.institution_id ORDER BY u.id) AS place,
            count(*) OVER (PARTITION BY u.institution_id) AS total
        FROM unnumbered AS u
    ),

    taken AS (
        INSERT INTO event_sequences AS s (institution_id, last_sequence)
        SELECT DISTINCT p.institution_id, p.total FROM placed AS p
        ON CONFLICT (institution_id) DO UPDATE SET last_sequence = s.last_sequence + excluded.last_sequence
        RETURNING s.institution_id, s.last_sequence
    ),

    numbered AS (
        UPDATE events AS e
        SET sequence = t.last_sequence - p.total + p.place
        FROM placed AS p INNER JOIN taken AS t ON p.institution_id = t.institution_id
        WHERE e.id = p.id
        RETURNING e.id, e.institution_id
    ),

    -- Locked, so that one that is being removed is waited for and then passed over.
    receivers AS MATERIALIZED (
        SELECT c.institution_id, k.client_id
        FROM callbacks AS k
        INNER JOIN clients AS c ON k.client_id = c.id
        WHERE c.revoked_at IS NULL AND c.institution_id IN (SELECT p.institution_id FROM placed AS p)
        FOR KEY SHARE OF k
    ),

    delivering AS (
        INSERT INTO deliveries (client_id, event_id)
        SELECT r.client_id, n.id
        FROM numbered AS n
        INNER JOIN receivers AS r ON n.institution_id = r.institution_id
        RETURNING id
    ),

    enqueued AS (SELECT enqueue_job('delivery', d.id::text) FROM delivering AS d)

    SELECT count(*) + 0 * (SELECT count(*) FROM enqueued) INTO v_count FROM numbered;
    RETURN v_count;
END
$$;

CREATE FUNCTION tell_of_payment() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_kind text;
BEGIN
    v_kind := CASE
        WHEN NEW.reversed_at IS DISTINCT FROM OLD.reversed_at THEN 'PAYMENT_REVERSED'
        WHEN NEW.refunded_at IS DISTINCT FROM OLD.refunded_at THEN 'PAYMENT_REFUNDED'
        -- That a payment which no longer stands reached the tax ledger is no news to its bank.
        WHEN
            NEW.posted_at IS DISTINCT FROM OLD.posted_at AND NEW.reversed_at IS NULL AND NEW.refunded_at IS NULL
            THEN 'PAYMENT_POSTED'
    END;
    IF v_kind IS NOT NULL THEN
        INSERT INTO events (institution_id, kind, payment_id) VALUES (NEW.institution_id, v_kind, NEW.id);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER tell_of_payment AFTER UPDATE OF posted_at, reversed_at, refunded_at ON payments
FOR EACH ROW EXECUTE FUNCTION tell_of_payment();

-- Bills are told to the institutions that have named their payer. Set by set: a file may bring a million, nearly
-- all for people whom nobody has named yet.
CREATE FUNCTION tell_of_assessments() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO events (institution_id, kind, bill_id)
    SELECT n.institution_id, 'BILL_ASSESSED', b.id
    FROM assessed AS b
    INNER JOIN named_payers AS n ON b.payer_id = n.payer_id
    ORDER BY b.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER tell_of_assessments AFTER INSERT ON bills REFERENCING NEW TABLE AS assessed
FOR EACH STATEMENT EXECUTE FUNCTION tell_of_assessments();

CREATE FUNCTION tell_of_withdrawal() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO events (institution_id, kind, bill_id)
    SELECT n.institution_id, 'BILL_WITHDRAWN', NEW.id FROM named_payers AS n WHERE n.payer_id = NEW.payer_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER tell_of_withdrawal AFTER UPDATE OF withdrawn_at ON bills
FOR EACH ROW WHEN (old.withdrawn_at IS NULL AND new.withdrawn_at IS NOT NULL) EXECUTE FUNCTION tell_of_withdrawal();
