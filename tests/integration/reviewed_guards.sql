-- As Postgres 18 prints them.

CREATE OR REPLACE FUNCTION public.ledger_flat_subjects(data jsonb)
 RETURNS SETOF text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE STRICT
BEGIN ATOMIC
 SELECT (
         CASE found.kind
             WHEN 'subjects'::text THEN ''::text
             ELSE (found.kind || '/'::text)
         END || (found.value #>> '{}'::text[]))
    FROM ( VALUES ('account'::text,(ledger_flat_subjects.data -> 'account'::text)), ('account'::text,(ledger_flat_subjects.data -> 'bankrupt_account'::text)), ('account'::text,(ledger_flat_subjects.data -> 'buyer'::text)), ('account'::text,(ledger_flat_subjects.data -> 'counterparty_account'::text)), ('account'::text,(ledger_flat_subjects.data -> 'from_account'::text)), ('account'::text,(ledger_flat_subjects.data -> 'fund'::text)), ('account'::text,(ledger_flat_subjects.data -> 'parent_account'::text)), ('account'::text,(ledger_flat_subjects.data -> 'seller'::text)), ('account'::text,(ledger_flat_subjects.data -> 'to_account'::text)), ('asset'::text,(ledger_flat_subjects.data -> 'asset'::text)), ('asset'::text,(ledger_flat_subjects.data -> 'fee_asset'::text)), ('index'::text,(ledger_flat_subjects.data -> 'index'::text)), ('instrument'::text,(ledger_flat_subjects.data -> 'instrument'::text)), ('subjects'::text,(ledger_flat_subjects.data -> 'subjects'::text))) found(kind, value)
   WHERE (jsonb_typeof(found.value) = 'string'::text);
END

CREATE OR REPLACE FUNCTION public.ledger_guard_append()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
 SET jit TO 'off'
AS $function$
DECLARE
    head public.ledger_head;
    refused record;
    first_type text;
    last record;
    accepted_until timestamptz;
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
    WITH placed AS MATERIALIZED (
        SELECT n.*, convert_from(n.canonical, 'UTF8') AS body,
            head.sequence + row_number() OVER in_order AS dense_sequence,
            lag(n.hash, 1, head.hash) OVER in_order AS previous_hash,
            lag(n.appended_at, 1, head.appended_at) OVER in_order AS previous_appended_at
        FROM new_events AS n
        WINDOW in_order AS (ORDER BY n.sequence)
    ), linked AS MATERIALIZED (
        -- In canonical form the link stands at the end, so its text and the nonce's place are known.
        SELECT placed.*, body::json AS entry, link_head, link_tail,
            substr(body, length(body) - length(link_tail) - 31, 32) AS nonce
        FROM placed, LATERAL (SELECT
            format('},"link":{"appended_at":"%s","ledger":"%s","nonce":"',
                public.ledger_time_text(placed.appended_at), head.origin) AS link_head,
            format('","prev":"%s","sequence":%s,"writer":%s}}',
                encode(previous_hash, 'hex'), placed.sequence, to_json(placed.writer)) AS link_tail
        ) AS expected
    ), checked AS (
        SELECT linked.sequence, CASE
            WHEN linked.sequence <> dense_sequence
                THEN format('LG001 sequence %s does not follow, %s is next', linked.sequence, dense_sequence)
            WHEN translate(nonce, '0123456789abcdef', '') <> ''
                OR right(body, length(link_head) + 32 + length(link_tail)) <> link_head || nonce || link_tail
                THEN 'LG001 the link in the bytes is not the one that this place calls for'
            WHEN left(body, 10) <> '{"event":{' OR json_strip_nulls(entry)::text <> body
                OR (SELECT count(*) FROM json_object_keys(entry)) <> 2
                OR json_typeof(event.data) IS DISTINCT FROM 'object'
                OR json_typeof(event.source) <> 'object'
                OR event.schema IS NULL
                OR EXISTS (
                    SELECT FROM (
                        SELECT part, key, value, lag(key) OVER (PARTITION BY part ORDER BY place) AS previous
                        FROM (
                            SELECT 1 AS part, key, value, place
                            FROM json_each(entry -> 'event') WITH ORDINALITY AS own (key, value, place)
                            UNION ALL
                            SELECT 2, key, value, place
                            FROM json_each(event.data) WITH ORDINALITY AS own (key, value, place)
                            UNION ALL
                            SELECT 3, key, value, place
                            FROM json_each(event.source) WITH ORDINALITY AS own (key, value, place)
                        ) AS ordered
                    ) AS pair
                    WHERE previous >= key COLLATE "C" OR octet_length(key) <> length(key)
                        OR CASE
                            WHEN part > 1 THEN json_typeof(value) IN ('number', 'null')
                            WHEN key = 'schema' THEN value::text !~ '^[1-9][0-9]{0,14}$'
                            WHEN key IN ('data', 'source') THEN false
                            ELSE json_typeof(value) <> 'string' OR key NOT IN (
                                'actor', 'causation', 'correlation', 'id', 'occurred_at', 'processed_at',
                                'received_at', 'type')
                        END
                )
                OR (public.ledger_is_nested(event.data) AND NOT public.ledger_is_within_profile(event.data, 40))
                OR (public.ledger_is_nested(event.source) AND NOT public.ledger_is_within_profile(event.source, 40))
                -- Control characters; the cheap tests first, for most entries need no more.
                OR ((strpos(body, E'\\') > 0 OR octet_length(canonical) <> length(body) OR strpos(body, E'\x7f') > 0)
                    AND body ~ E'[\u007f-\u009f]|^(?:[^\\\\]|\\\\.)*\\\\[^"\\\\]')
                THEN 'LG003 the bytes are not in canonical form'
            WHEN octet_length(canonical) - octet_length(link_head) - 32 - octet_length(link_tail)
                - length('{"event":') + 1 > 65000
                THEN 'LG003 event has more than 65,000 bytes'
            WHEN event.id IS DISTINCT FROM linked.id::text
                THEN 'LG002 id differs from the bytes'
            WHEN event.type IS DISTINCT FROM linked.type
                THEN 'LG002 type differs from the bytes'
            WHEN event.occurred_at IS DISTINCT FROM public.ledger_time_text(linked.occurred_at)
                OR length(event.occurred_at) IS DISTINCT FROM 27 OR linked.occurred_at < '0001-01-01 00:00:00+00'
                THEN 'LG002 occurred_at differs from the bytes'
            WHEN linked.writer <> session_user
                THEN format('LG002 writer is not the session''s role %s', session_user)
            WHEN linked.appended_at < greatest(previous_appended_at, transaction_timestamp())
                OR linked.appended_at > greatest(head.appended_at, clock_timestamp())
                THEN 'LG002 appended_at is not the time of this append'
            WHEN (linked.sequence = 0) <> (linked.type = 'LedgerOpened')
                THEN 'LG001 LedgerOpened is the first event, and no other'
            END AS problem
        FROM linked, LATERAL json_to_record(entry -> 'event')
            AS event (data json, id text, occurred_at text, schema json, source json, type text)
    )
    SELECT sequence, problem INTO refused FROM checked WHERE problem IS NOT NULL ORDER BY sequence LIMIT 1;
    EXCEPTION
        WHEN data_exception OR statement_too_complex THEN
            RAISE EXCEPTION 'the bytes are not JSON: %', SQLERRM USING ERRCODE = 'LG003';
    END;
    IF refused.sequence IS NOT NULL THEN
        RAISE EXCEPTION '%', format('event %s: %s', refused.sequence, substr(refused.problem, 7))
            USING ERRCODE = left(refused.problem, 5), DETAIL = refused.sequence::text;
    END IF;

    INSERT INTO public.event_subjects (subject, sequence)
    SELECT subject, entry.sequence
    FROM (
        SELECT n.sequence, convert_from(n.canonical, 'UTF8')::jsonb #> '{event,data}' AS data,
            public.ledger_is_nested(convert_from(n.canonical, 'UTF8')::json #> '{event,data}') AS nested
        FROM new_events AS n
        OFFSET 0  -- reads every row's bytes once
    ) AS entry,
    LATERAL (
        SELECT * FROM public.ledger_flat_subjects(entry.data) WHERE NOT nested
        UNION SELECT * FROM public.ledger_nested_subjects(entry.data) WHERE nested
    ) AS touched (subject);

    SELECT sequence, hash, appended_at INTO last FROM new_events ORDER BY sequence DESC LIMIT 1;
    UPDATE public.ledger_head
    SET sequence = last.sequence, hash = last.hash, appended_at = last.appended_at,
        accepted_ahead_until = accepted_until;
    RETURN NULL;
END
$function$

CREATE OR REPLACE FUNCTION public.ledger_is_nested(value json)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE STRICT
RETURN ((strpos(substr((value)::text, 2), '{'::text) > 0) OR (strpos((value)::text, '['::text) > 0))

CREATE OR REPLACE FUNCTION public.ledger_is_within_profile(value json, depth integer)
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    member record;
    previous text;
BEGIN
    CASE json_typeof(value)
    WHEN 'object' THEN
        FOR member IN SELECT item.key, item.value FROM json_each(value) AS item LOOP
            IF previous >= member.key COLLATE "C" OR octet_length(member.key) <> length(member.key)
                OR depth <= 0 OR NOT public.ledger_is_within_profile(member.value, depth - 1) THEN
                RETURN false;
            END IF;
            previous := member.key;
        END LOOP;
    WHEN 'array' THEN
        FOR member IN SELECT item AS value FROM json_array_elements(value) AS item LOOP
            IF depth <= 0 OR NOT public.ledger_is_within_profile(member.value, depth - 1) THEN
                RETURN false;
            END IF;
        END LOOP;
    ELSE
        RETURN json_typeof(value) IN ('string', 'boolean');
    END CASE;
    RETURN true;
END
$function$

CREATE OR REPLACE FUNCTION public.ledger_lock_head(OUT origin text, OUT sequence bigint, OUT hash bytea, OUT appended_at timestamp with time zone, OUT writer text, OUT ahead_seconds numeric)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
 SET jit TO 'off'
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.ledger_nested_subjects(data jsonb)
 RETURNS SETOF text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE STRICT
BEGIN ATOMIC
 SELECT (
         CASE found.kind
             WHEN 'subjects'::text THEN ''::text
             ELSE (found.kind || '/'::text)
         END || (found.value #>> '{}'::text[]))
    FROM ( SELECT 'account'::text AS kind,
             jsonb_path_query(ledger_nested_subjects.data, '$.**."account"'::jsonpath) AS value
         UNION ALL
          SELECT 'account'::text,
             jsonb_path_query(ledger_nested_subjects.data, '$.**."bankrupt_account"'::jsonpath) AS jsonb_path_query
         UNION ALL
          SELECT 'account'::text,
             jsonb_path_query(ledger_nested_subjects.data, '$.**."buyer"'::jsonpath) AS jsonb_path_query
         UNION ALL
          SELECT 'account'::text,
             jsonb_path_query(ledger_nested_subjects.data, '$.**."counterparty_account"'::jsonpath) AS jsonb_path_query
         UNION ALL
          SELECT 'account'::text,
             jsonb_path_query(ledger_nested_subjects.data, '$.**."from_account"'::jsonpath) AS jsonb_path_query
         UNION ALL
          SELECT 'account'::text,
             jsonb_path_query(ledger_nested_subjects.data, '$.**."fund"'::jsonpath) AS jsonb_path_query
         UNION ALL
          SELECT 'account'::text,
             jsonb_path_query(ledger_nested_subjects.data, '$.**."parent_account"'::jsonpath) AS jsonb_path_query
         UNION ALL
          SELECT 'account'::text,
             jsonb_path_query(ledger_nested_subjects.data, '$.**."seller"'::jsonpath) AS jsonb_path_query
         UNION ALL
          SELECT 'account'::text,
             jsonb_path_query(ledger_nested_subjects.data, '$.**."to_account"'::jsonpath) AS jsonb_path_query
         UNION ALL
          SELECT 'asset'::text,
             jsonb_path_query(ledger_nested_subjects.data, '$.**."asset"'::jsonpath) AS jsonb_path_query
         UNION ALL
          SELECT 'asset'::text,
             jsonb_path_query(ledger_nested_subjects.data, '$.**."fee_asset"'::jsonpath) AS jsonb_path_query
         UNION ALL
          SELECT 'index'::text,
             jsonb_path_query(ledger_nested_subjects.data, '$.**."index"'::jsonpath) AS jsonb_path_query
         UNION ALL
          SELECT 'instrument'::text,
             jsonb_path_query(ledger_nested_subjects.data, '$.**."instrument"'::jsonpath) AS jsonb_path_query
         UNION ALL
          SELECT 'subjects'::text,
             jsonb_path_query(ledger_nested_subjects.data, '$.**."subjects"[*]'::jsonpath) AS jsonb_path_query) found
   WHERE (jsonb_typeof(found.value) = 'string'::text);
END

CREATE OR REPLACE FUNCTION public.ledger_refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    RAISE EXCEPTION '% of % is refused: recorded rows do not change', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'LG004', HINT = 'record a CorrectionRecorded event instead';
END
$function$

CREATE OR REPLACE FUNCTION public.ledger_refuse_direct_change()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    IF pg_trigger_depth() < 2 THEN
        RAISE EXCEPTION '% of % is refused: it follows the events by itself', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'LG004', HINT = 'append events instead';
    END IF;
    RETURN NULL;
END
$function$

CREATE OR REPLACE FUNCTION public.ledger_time_text(moment timestamp with time zone)
 RETURNS text
 LANGUAGE sql
 STABLE PARALLEL SAFE STRICT
RETURN to_char((moment AT TIME ZONE 'UTC'::text), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'::text)

CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.event_subjects FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change(); -- enabled: always

CREATE TRIGGER refuse_direct_change BEFORE INSERT ON public.event_subjects FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_direct_change(); -- enabled: always

CREATE TRIGGER guard_append AFTER INSERT ON public.events REFERENCING NEW TABLE AS new_events FOR EACH STATEMENT EXECUTE FUNCTION ledger_guard_append(); -- enabled: always

CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.events FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change(); -- enabled: always

CREATE TRIGGER refuse_change BEFORE DELETE OR TRUNCATE ON public.ledger_head FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change(); -- enabled: always

CREATE TRIGGER refuse_direct_change BEFORE UPDATE ON public.ledger_head FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_direct_change(); -- enabled: always

