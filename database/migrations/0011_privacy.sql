-- Against fishing for people, and keys that are replaced.

-- The name's index is made of number and name together, so it alone finds a person. A number that is known under
-- another name is then as little there as one that is not: the same descent of this index, and no row to look at.
CREATE UNIQUE INDEX payers_name_index ON payers (name_index);

-- Look-ups of people that found nobody, counted for a while: for each client and number, for each client over all
-- numbers, for each number over all clients. Numbers are there by their blind index alone.
CREATE TABLE lookup_failures (
    -- '' for all clients together.
    client_id text NOT NULL,
    -- '' for all numbers together.
    resident_id_index bytea NOT NULL CHECK (length(resident_id_index) IN (0, 16)),
    failures integer NOT NULL,
    -- When the count is forgotten: the end of its time, or of its lock.
    ends_at timestamptz NOT NULL,
    locked_until timestamptz,
    PRIMARY KEY (client_id, resident_id_index)
    -- Counts change often, and nothing that is indexed with them.
) WITH (fillfactor = 70);
CREATE INDEX lookup_failures_end ON lookup_failures (ends_at);

CREATE TYPE failed_lookup AS (
    -- How much of what is allowed has been used, the most of the three counts: 1 when there is a lock.
    used double precision,
    -- NUMBER: the client is locked out of the number from now on. CLIENT: of all numbers.
    newly_locked text
);

-- Count one failure; the same work whether the number is known or not, and whether there is a lock or not.
CREATE FUNCTION count_failed_lookup(
    p_client_id text, p_resident_id_index bytea, p_number_limit integer, p_everywhere_limit integer,
    p_client_limit integer, p_window interval, p_lock interval
) RETURNS failed_lookup
LANGUAGE plpgsql AS $$
DECLARE
    -- A client that is locked out of everything counts here: it can't fill the table with made-up numbers.
    c_nobody CONSTANT bytea := decode(repeat('00', 16), 'hex');
    v_now timestamptz := clock_timestamp();
    v_index bytea := p_resident_id_index;
    v_row lookup_failures;
    v_used double precision := 0;
    v_reached text;
    result failed_lookup;
BEGIN
    -- A count that a crash forgets is no loss, and nobody waits for the disk.
    PERFORM set_config('synchronous_commit', 'off', TRUE);
    IF EXISTS (
        SELECT 1 FROM lookup_failures AS f
        WHERE f.client_id = p_client_id AND f.resident_id_index = '' AND f.locked_until > v_now
    ) THEN
        v_index := c_nobody;
        result.used := 1;
    END IF;
    -- In one order for everybody: what is one client's and number's before what more of them share.
    FOR v_row IN
        INSERT INTO lookup_failures AS f (client_id, resident_id_index, failures, ends_at)
        SELECT n.client_id, n.resident_id_index, 1, v_now + p_window
        FROM (
            VALUES (1, p_client_id, v_index), (2, p_client_id, ''::bytea), (3, '', v_index)
        ) AS n (place, client_id, resident_id_index)
        ORDER BY n.place
        ON CONFLICT (client_id, resident_id_index) DO UPDATE SET
            failures = CASE WHEN f.ends_at > v_now THEN f.failures + 1 ELSE 1 END,
            ends_at = CASE WHEN f.ends_at > v_now THEN f.ends_at ELSE excluded.ends_at END,
            locked_until = CASE WHEN f.ends_at > v_now THEN f.locked_until END
        RETURNING f.*
    LOOP
        CONTINUE WHEN v_index = c_nobody;
        v_used := v_row.failures::double precision / CASE
            WHEN v_row.client_id = '' THEN p_everywhere_limit
            WHEN v_row.resident_id_index = '' THEN p_client_limit
            ELSE p_number_limit
        END;
        result.used := least(1, greatest(result.used, v_used));
        IF v_used >= 1 THEN
            v_reached := CASE WHEN v_row.resident_id_index = '' THEN 'CLIENT' ELSE coalesce(v_reached, 'NUMBER') END;
        END IF;
    END LOOP;
    -- A number that many clients failed with is locked for each of them as it fails once more, and for no other:
    -- nobody can lock a person out everywhere.
    IF v_reached IS NOT NULL THEN
        UPDATE lookup_failures AS f
        SET locked_until = v_now + p_lock, ends_at = v_now + p_lock
        WHERE
            f.client_id = p_client_id
            AND f.resident_id_index = CASE v_reached WHEN 'CLIENT' THEN ''::bytea ELSE v_index END
            AND f.locked_until IS NULL
        RETURNING * INTO v_row;
        IF FOUND THEN
            result.newly_locked := v_reached;
            PERFORM act_as_client(p_client_id);
            PERFORM append_audit(
                0, 'LOOKUPS_LOCKED', lookups_subject(v_row.client_id, v_row.resident_id_index),
                jsonb_build_object('failures', v_row.failures, 'locked_until', v_row.locked_until)
            );
        END IF;
    END IF;
    -- What has ended goes, more of it than a failure adds.
    DELETE FROM lookup_failures AS f
    USING (
        SELECT o.client_id, o.resident_id_index FROM lookup_failures AS o
        WHERE o.ends_at < v_now
        ORDER BY o.ends_at
        LIMIT 8
        FOR UPDATE SKIP LOCKED
    ) AS ended
    WHERE f.client_id = ended.client_id AND f.resident_id_index = ended.resident_id_index;
    RETURN result;
END
$$;

-- What the audit trail calls a client's look-ups, of all numbers or of one.
CREATE FUNCTION lookups_subject(p_client_id text, p_resident_id_index bytea) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN 'lookups:' || p_client_id || CASE
    WHEN p_resident_id_index = '' THEN '' ELSE '/' || encode(p_resident_id_index, 'hex')
END;

-- End a client's locks, of one number or (NULL) of all and everything, and return how many there were.
CREATE FUNCTION unlock_lookups(p_client_id text, p_resident_id_index bytea) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    v_row lookup_failures;
    v_count integer := 0;
BEGIN
    FOR v_row IN
        DELETE FROM lookup_failures AS f
        WHERE
            f.client_id = p_client_id AND f.locked_until > now()
            AND (p_resident_id_index IS NULL OR f.resident_id_index = p_resident_id_index)
        RETURNING f.*
    LOOP
        PERFORM append_audit(
            0, 'LOOKUPS_UNLOCKED', lookups_subject(v_row.client_id, v_row.resident_id_index),
            jsonb_build_object('failures', v_row.failures, 'locked_until', v_row.locked_until)
        );
        v_count := v_count + 1;
    END LOOP;
    RETURN v_count;
END
$$;

-- A data key that is wrapped by another master key has its own word in the trail.
CREATE FUNCTION audit_data_key() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_key data_keys := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    v_what text;
BEGIN
    IF TG_OP = 'UPDATE' AND NEW IS NOT DISTINCT FROM OLD THEN
        RETURN NULL;
    END IF;
    v_what := CASE
        WHEN TG_OP = 'INSERT' THEN 'ADDED'
        WHEN TG_OP = 'DELETE' THEN 'REMOVED'
        WHEN NEW.retired_at IS DISTINCT FROM OLD.retired_at THEN 'RETIRED'
        WHEN NEW.wrapped_key <> OLD.wrapped_key AND NEW.purpose = OLD.purpose THEN 'REWRAPPED'
        ELSE 'CHANGED'
    END;
    PERFORM append_audit(
        0, 'DATA_KEY_' || v_what, 'data_key:' || v_key.id,
        jsonb_build_object('purpose', v_key.purpose, 'retired_at', v_key.retired_at)
    );
    RETURN NULL;
END
$$;
DROP TRIGGER audit_data_key ON data_keys;
CREATE CONSTRAINT TRIGGER audit_data_key AFTER INSERT OR UPDATE OR DELETE ON data_keys
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_data_key();
