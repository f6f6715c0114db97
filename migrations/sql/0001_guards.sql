-- Guards of the event tables (docs/explanation/database-guards.md). Everything here refuses with an
-- SQLSTATE of class LG, which ledger/store/guards.py turns into errors with fields:
--   LG001 a row is not the next link of the chain     LG002 a column differs from the stored bytes
--   LG003 the bytes are not a canonical entry         LG004 recorded rows do not change
--   LG005 the head is ahead of the clock              LG006 no ledger is open here
-- (LG007 and LG008: 0003_roles.sql, 0003_refuse_ddl.sql)

-- Whether an object's keys are ASCII and ascend strictly, so that none stands twice.
CREATE FUNCTION ledger_are_canonical_keys(keys text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN NOT EXISTS (
    SELECT FROM generate_subscripts(keys, 1) AS place
    WHERE keys[place] >= keys[place + 1] COLLATE "C" OR octet_length(keys[place]) <> length(keys[place])
);

CREATE FUNCTION ledger_time_text(moment timestamptz) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

-- Takes the head's lock, held until the transaction ends, so that commit order is sequence order:
-- a reader that has seen sequence N will never see a smaller one appear later.
CREATE FUNCTION ledger_lock_head(
    OUT origin text, OUT sequence bigint, OUT hash bytea, OUT appended_at timestamptz, OUT writer text,
    OUT ahead_seconds numeric
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET jit = off AS $$
DECLARE
    head public.ledger_head;
    clock timestamptz;
BEGIN
    SELECT * INTO head FROM public.ledger_head FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no ledger is open in this database' USING ERRCODE = 'LG006';
    END IF;
    clock := clock_timestamp();
    origin := head.origin;
    sequence := head.sequence;
    hash := head.hash;
    appended_at := greatest(clock, head.appended_at);
    writer := session_user;
    ahead_seconds := CASE
        WHEN head.sequence < 0 OR head.appended_at <= head.accepted_ahead_until THEN 0
        ELSE extract(epoch FROM head.appended_at - clock)
    END;
END
$$;

-- Checks every new row against its bytes and its predecessor, writes the subject index, moves the head.
CREATE FUNCTION ledger_guard_append() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
SET jit = off SET work_mem = '64MB' AS $$
DECLARE
    head public.ledger_head;
    refused record;
    first_type text;
    last record;
    accepted_until timestamptz;
    -- Field name anywhere in data -> what its value becomes in the index (ledger.events.envelope.SUBJECT_KINDS).
    kinds CONSTANT jsonb := '{"account": "account/", "bankrupt_account": "account/", "buyer": "account/",
        "counterparty_account": "account/", "from_account": "account/", "fund": "account/",
        "parent_account": "account/", "seller": "account/", "to_account": "account/", "asset": "asset/",
        "fee_asset": "asset/", "index": "index/", "instrument": "instrument/", "subjects": ""}';
BEGIN
    -- On a table of someone's own this would move the head past events that are not there.
    IF TG_RELID <> 'public.events'::regclass THEN
        RAISE EXCEPTION 'this guard belongs to events' USING ERRCODE = 'LG004';
    END IF;
    SELECT * INTO head FROM public.ledger_head FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no ledger is open in this database' USING ERRCODE = 'LG006';
    END IF;
    SELECT type INTO first_type FROM new_events ORDER BY sequence LIMIT 1;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;

    accepted_until := head.accepted_ahead_until;
    IF first_type = 'ClockSynchronised' THEN
        accepted_until := greatest(accepted_until, head.appended_at);
    END IF;
    IF head.sequence >= 0 AND head.appended_at > clock_timestamp() + interval '5 seconds'
        AND head.appended_at > coalesce(accepted_until, '-infinity') THEN
        RAISE EXCEPTION 'the newest event is ahead of the database clock' USING ERRCODE = 'LG005',
            DETAIL = extract(epoch FROM head.appended_at - clock_timestamp())::text;
    END IF;

    BEGIN
    WITH RECURSIVE placed AS (
        -- In canonical form the link stands at the end, so its text and the nonce's place are known.
        SELECT n.sequence, n.id, n.type, n.occurred_at, n.appended_at, n.writer,
            convert_from(n.canonical, 'UTF8') AS body,
            head.sequence + row_number() OVER in_order AS dense_sequence,
            lag(n.appended_at, 1, head.appended_at) OVER in_order AS previous_appended_at,
            format(',"link":{"appended_at":"%s","ledger":"%s","nonce":"',
                public.ledger_time_text(n.appended_at), head.origin) AS link_head,
            format('","prev":"%s","sequence":%s,"writer":%s}}',
                encode(lag(n.hash, 1, head.hash) OVER in_order, 'hex'), n.sequence, to_json(n.writer)) AS link_tail
        FROM new_events AS n
        WINDOW in_order AS (ORDER BY n.sequence)
    ), parsed AS (
        SELECT placed.*, CASE WHEN left(body, 10) = '{"event":{' THEN body::json -> 'event' END AS event,
            left(right(body, length(link_tail) + 32), 32) AS nonce
        FROM placed
        OFFSET 0  -- keeps the planner from parsing anew at every mention
    ), checked AS MATERIALIZED (
        SELECT parsed.sequence, member.data, CASE
            WHEN parsed.sequence <> dense_sequence
                THEN format('LG001 sequence %s does not follow, %s is next', parsed.sequence, dense_sequence)
            WHEN nonce !~ '^[0-9a-f]{32}$' OR body <> concat('{"event":', event, link_head, nonce, link_tail)
                THEN CASE
                    WHEN nonce ~ '^[0-9a-f]{32}$'
                        AND right(body, length(link_head) + 32 + length(link_tail)) = link_head || nonce || link_tail
                    THEN 'LG003 the bytes are not in canonical form'
                    ELSE 'LG001 the link in the bytes is not the one that this place calls for'
                END
            WHEN event::text <> concat('{', concat_ws(',',
                    '"actor":' || member.actor, '"causation":' || member.causation,
                    '"correlation":' || member.correlation, '"data":' || member.data, '"id":' || member.id,
                    '"occurred_at":' || member.occurred_at, '"processed_at":' || member.processed_at,
                    '"received_at":' || member.received_at, '"schema":' || member.schema,
                    '"source":' || member.source, '"type":' || member.type), '}')
                OR member.source::text <> concat('{', concat_ws(',',
                    '"file":' || origin.file, '"inferred":' || origin.inferred, '"row":' || origin."row",
                    '"system":' || origin.system), '}')
                OR json_strip_nulls(event)::text <> event::text
                OR json_typeof(member.data) IS DISTINCT FROM 'object'
                OR member.schema::text !~ '^[1-9][0-9]{0,14}$' OR member.schema IS NULL
                OR 'string' <> ANY (ARRAY[
                    json_typeof(member.actor), json_typeof(member.causation), json_typeof(member.correlation),
                    json_typeof(member.processed_at), json_typeof(member.received_at),
                    json_typeof(origin.file), json_typeof(origin."row"), json_typeof(origin.system)])
                OR json_typeof(origin.inferred) <> 'boolean'
                -- Control characters; the cheap tests first, for most entries need no more.
                OR ((strpos(body, E'\\') > 0 OR octet_length(body) <> length(body) OR strpos(body, E'\x7f') > 0)
                    AND body ~ E'[\u007f-\u009f]|^(?:[^\\\\]|\\\\.)*\\\\[^"\\\\]')
                THEN 'LG003 the bytes are not in canonical form'
            WHEN octet_length(event::text) > 65000
                THEN 'LG003 event has more than 65,000 bytes'
            WHEN member.id::text IS DISTINCT FROM format('"%s"', parsed.id)
                THEN 'LG002 id differs from the bytes'
            WHEN member.type::text IS DISTINCT FROM to_json(parsed.type)::text
                THEN 'LG002 type differs from the bytes'
            WHEN member.occurred_at::text IS DISTINCT FROM format('"%s"', public.ledger_time_text(parsed.occurred_at))
                OR length(member.occurred_at::text) <> 29 OR parsed.occurred_at < '0001-01-01 00:00:00+00'
                THEN 'LG002 occurred_at differs from the bytes'
            WHEN parsed.writer <> session_user
                THEN format('LG002 writer is not the session''s role %s', session_user)
            WHEN parsed.appended_at < greatest(previous_appended_at, transaction_timestamp())
                OR parsed.appended_at > greatest(head.appended_at, clock_timestamp())
                THEN 'LG002 appended_at is not the time of this append'
            WHEN (parsed.sequence = 0) <> (parsed.type = 'LedgerOpened')
                THEN 'LG001 LedgerOpened is the first event, and no other'
            END AS problem
        FROM parsed, LATERAL json_to_record(event) AS member (
            actor json, causation json, correlation json, data json, id json, occurred_at json,
            processed_at json, received_at json, schema json, source json, type json),
            LATERAL json_to_record(CASE WHEN json_typeof(member.source) = 'object' THEN member.source END)
            AS origin (file json, inferred json, "row" json, system json)
    ), containers AS (
        -- The objects and arrays of data, at every depth that a reader has to bear.
        SELECT sequence, 1 AS depth, '' AS name, data AS value FROM checked WHERE json_typeof(data) = 'object'
        UNION ALL
        SELECT sequence, depth + 1, item.key, item.value
        FROM containers, LATERAL (
            SELECT key, value
            FROM json_each(CASE json_typeof(containers.value) WHEN 'object' THEN containers.value END)
            UNION ALL
            SELECT NULL, value
            FROM json_array_elements(CASE json_typeof(containers.value) WHEN 'array' THEN containers.value END)
        ) AS item
        -- A bracket inside a string only costs a look into the value.
        WHERE (strpos(substr(containers.value::text, 2), '{') > 0 OR strpos(substr(containers.value::text, 2), '[') > 0)
            AND depth <= 40 AND json_typeof(item.value) IN ('object', 'array')
    ), inspected AS MATERIALIZED (
        SELECT sequence, depth, inside.*
        FROM containers, LATERAL (
            SELECT array_agg(key) AS keys, bool_and(json_typeof(value) NOT IN ('number', 'null')) AS within_profile,
                array_agg((kinds ->> key) || (value #>> '{}'))
                    FILTER (WHERE kinds ? key AND json_typeof(value) = 'string') AS subjects
            FROM json_each(containers.value)
        ) AS inside
        WHERE json_typeof(containers.value) = 'object'
        UNION ALL
        SELECT sequence, depth, inside.*
        FROM containers, LATERAL (
            SELECT NULL::text[], bool_and(json_typeof(value) NOT IN ('number', 'null')),
                array_agg(value #>> '{}') FILTER (WHERE name = 'subjects' AND json_typeof(value) = 'string')
            FROM json_array_elements(containers.value)
        ) AS inside
        WHERE json_typeof(containers.value) = 'array'
    ), shapes AS MATERIALIZED (
        -- A batch has few different lists of keys, so each is looked at once.
        SELECT min(sequence) AS sequence, keys FROM inspected GROUP BY keys
    ), indexed AS (
        INSERT INTO public.event_subjects (subject, sequence)
        SELECT DISTINCT unnest(subjects) COLLATE "C" AS subject, sequence FROM inspected ORDER BY subject, sequence
    )
    SELECT sequence, problem INTO refused
    FROM (
        SELECT sequence, problem FROM checked WHERE problem IS NOT NULL
        UNION ALL
        SELECT sequence, 'LG003 the bytes are not in canonical form' FROM inspected
        WHERE NOT within_profile OR depth > 40
        UNION ALL
        SELECT sequence, 'LG003 the bytes are not in canonical form' FROM shapes
        WHERE NOT public.ledger_are_canonical_keys(keys)
    ) AS found
    ORDER BY sequence LIMIT 1;
    EXCEPTION
        WHEN data_exception OR statement_too_complex THEN
            RAISE EXCEPTION 'the bytes are not JSON: %', SQLERRM USING ERRCODE = 'LG003';
    END;
    IF refused.sequence IS NOT NULL THEN
        RAISE EXCEPTION '%', format('event %s: %s', refused.sequence, substr(refused.problem, 7))
            USING ERRCODE = left(refused.problem, 5), DETAIL = refused.sequence::text;
    END IF;

    SELECT sequence, hash, appended_at INTO last FROM new_events ORDER BY sequence DESC LIMIT 1;
    UPDATE public.ledger_head
    SET sequence = last.sequence, hash = last.hash, appended_at = last.appended_at,
        accepted_ahead_until = accepted_until;
    RETURN NULL;
END
$$;

CREATE FUNCTION ledger_refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: recorded rows do not change', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'LG004', HINT = 'record a CorrectionRecorded event instead';
END
$$;

-- Subjects and head are written by ledger_guard_append alone, so only ever one trigger deep.
CREATE FUNCTION ledger_refuse_direct_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF pg_trigger_depth() < 2 THEN
        RAISE EXCEPTION '% of % is refused: it follows the events by itself', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'LG004', HINT = 'append events instead';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER guard_append AFTER INSERT ON events
    REFERENCING NEW TABLE AS new_events FOR EACH STATEMENT EXECUTE FUNCTION ledger_guard_append();
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON event_subjects
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER refuse_direct_change BEFORE INSERT ON event_subjects
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_direct_change();
CREATE TRIGGER refuse_change BEFORE DELETE OR TRUNCATE ON ledger_head
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER refuse_direct_change BEFORE UPDATE ON ledger_head
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_direct_change();

REVOKE EXECUTE ON FUNCTION ledger_guard_append() FROM PUBLIC;

ALTER TABLE events ENABLE ALWAYS TRIGGER guard_append;
ALTER TABLE events ENABLE ALWAYS TRIGGER refuse_change;
ALTER TABLE event_subjects ENABLE ALWAYS TRIGGER refuse_change;
ALTER TABLE event_subjects ENABLE ALWAYS TRIGGER refuse_direct_change;
ALTER TABLE ledger_head ENABLE ALWAYS TRIGGER refuse_change;
ALTER TABLE ledger_head ENABLE ALWAYS TRIGGER refuse_direct_change;
