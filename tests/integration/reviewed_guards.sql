-- As Postgres 18 prints them.

CREATE OR REPLACE FUNCTION public.ledger_are_canonical_keys(keys text[])
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT NOT EXISTS (
        SELECT FROM generate_subscripts(keys, 1) AS place
        WHERE keys[place] >= keys[place + 1] COLLATE "C" OR octet_length(keys[place]) <> length(keys[place])
    )
$function$

CREATE OR REPLACE FUNCTION public.ledger_grow_tree(first bigint, size bigint)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET jit TO 'off'
AS $function$
DECLARE
    node_level smallint := 1;
BEGIN
    IF first / 256 < size / 256 THEN
        INSERT INTO public.tree_nodes (level, index, hash)
        SELECT 1, sequence / 256, public.ledger_tile_root(string_agg(hash, ''::bytea ORDER BY sequence))
        FROM public.events
        WHERE sequence >= first / 256 * 256 AND sequence < size / 256 * 256
        GROUP BY sequence / 256;
    END IF;
    LOOP
        first := first / 256;
        size := size / 256;
        node_level := node_level + 1;
        EXIT WHEN size < 256;
        INSERT INTO public.tree_nodes (level, index, hash)
        SELECT node_level, node.index / 256,
            public.ledger_tile_root(string_agg(node.hash, ''::bytea ORDER BY node.index))
        FROM public.tree_nodes AS node
        WHERE node.level = node_level - 1
            AND node.index >= first / 256 * 256 AND node.index < size / 256 * 256
        GROUP BY node.index / 256;
    END LOOP;
END
$function$

CREATE OR REPLACE FUNCTION public.ledger_guard_append()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET jit TO 'off'
 SET work_mem TO '64MB'
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.ledger_guard_roles()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    -- ledger.store.roles says the same; everything else takes the writer.
    governance_types CONSTANT text[] := '{CorrectionRecorded, LedgerOpened, LegalHoldPlaced, LegalHoldReleased,
        PriceOverridden, RestoreAccepted, SigningKeyRegistered, SigningKeyRetired, StateCommitted}';
    auditor_types CONSTANT text[] := '{ExportIssued}';
    held text[];
    refused record;
BEGIN
    -- A role that is not on this server (a restore without roles) has no members.
    SELECT array_agg(kind) INTO held FROM public.ledger_roles
    WHERE pg_has_role(session_user, to_regrole(role), 'MEMBER');
    SELECT type, kinds[1] AS kind INTO refused
    FROM (
        SELECT type, CASE
            WHEN type = ANY (governance_types) THEN ARRAY['governance']
            WHEN type = ANY (auditor_types) THEN ARRAY['auditor', 'governance']
            ELSE ARRAY['writer']
        END AS kinds
        FROM (SELECT DISTINCT type FROM new_events) AS appended
    ) AS needed
    WHERE NOT kinds && coalesce(held, '{}') ORDER BY type LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '% may not append %, that takes the % role of this ledger',
            session_user, refused.type, refused.kind
            USING ERRCODE = 'LG007',
            DETAIL = json_build_object('type', refused.type, 'role', session_user, 'needed_kind', refused.kind,
                'needed_role', (SELECT role FROM public.ledger_roles WHERE kind = refused.kind)),
            HINT = (SELECT format('GRANT %I TO %I', role, session_user) FROM public.ledger_roles
                WHERE kind = refused.kind);
    END IF;
    RETURN NULL;
END
$function$

CREATE OR REPLACE FUNCTION public.ledger_guard_tree()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    first bigint;
    last bigint;
BEGIN
    IF TG_RELID <> 'public.events'::regclass THEN
        RAISE EXCEPTION 'this guard belongs to events' USING ERRCODE = 'LG004';
    END IF;
    SELECT min(sequence), max(sequence) INTO first, last FROM new_events;
    IF first / 256 < (last + 1) / 256 THEN
        PERFORM public.ledger_grow_tree(first, last + 1);
    END IF;
    RETURN NULL;
END
$function$

CREATE OR REPLACE FUNCTION public.ledger_lock_head(OUT origin text, OUT sequence bigint, OUT hash bytea, OUT appended_at timestamp with time zone, OUT writer text, OUT ahead_seconds numeric)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
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

CREATE OR REPLACE FUNCTION public.ledger_refuse_ddl()
 RETURNS event_trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET jit TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
DECLARE
    ledger_owner CONSTANT oid := (SELECT relowner FROM pg_class WHERE oid = to_regclass('public.events'));
    before CONSTANT text := current_setting('margin_ledger.before_ddl', true);
    seen text := '';
BEGIN
    IF TG_TAG = 'REINDEX' OR TG_EVENT = 'ddl_command_end' AND coalesce(before, '') = '' THEN
        RETURN;
    END IF;
    -- Asked at the start: at the end, the command may have made the current role the owner.
    IF TG_EVENT = 'ddl_command_start' AND current_user = pg_get_userbyid(ledger_owner) THEN
        PERFORM set_config('margin_ledger.before_ddl', '', false);
        RETURN;
    END IF;
    WITH owned AS MATERIALIZED (
        SELECT c.oid, to_jsonb(c) - '{relpages, reltuples, relallvisible, relallfrozen, relfrozenxid,
            relminmxid, relfilenode, relhasindex, relhasrules, relhastriggers, relhassubclass}'::text[] AS state
        FROM pg_class AS c WHERE relowner = ledger_owner AND relkind <> 't'
    ), parts AS (
        SELECT state FROM owned
        UNION ALL
        SELECT jsonb_build_array(attrelid, attnum, attname, atttypid, atttypmod, attcollation, attnotnull,
            attgenerated, attidentity, attisdropped, attacl::text, pg_get_expr(adbin, adrelid))
        FROM owned JOIN pg_attribute ON attrelid = owned.oid AND attnum > 0
            LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        UNION ALL
        SELECT to_jsonb(c) FROM owned JOIN pg_constraint AS c ON conrelid = owned.oid
        UNION ALL
        SELECT to_jsonb(i) - 'indcheckxmin' FROM owned JOIN pg_index AS i ON indrelid = owned.oid
        UNION ALL
        SELECT to_jsonb(t) FROM owned JOIN pg_trigger AS t ON tgrelid = owned.oid WHERE NOT tgisinternal
        UNION ALL
        SELECT to_jsonb(r) FROM owned JOIN pg_rewrite AS r ON ev_class = owned.oid
        UNION ALL
        SELECT to_jsonb(p) FROM owned JOIN pg_policy AS p ON polrelid = owned.oid
        UNION ALL
        SELECT to_jsonb(h) FROM owned JOIN pg_inherits AS h ON owned.oid IN (inhrelid, inhparent)
        UNION ALL
        SELECT to_jsonb(p) FROM pg_proc AS p WHERE proname LIKE 'ledger\_%' AND proowner = ledger_owner
    )
    SELECT coalesce(md5(string_agg(state::text, E'\n' ORDER BY state::text COLLATE "C")), 'gone') INTO seen FROM parts;
    IF TG_EVENT = 'ddl_command_start' THEN
        PERFORM set_config('margin_ledger.before_ddl', seen, false);
    ELSIF before <> seen THEN
        RAISE EXCEPTION '% is refused: it changes what belongs to the ledger', TG_TAG USING ERRCODE = 'LG008',
            HINT = 'only the owner role of the ledger may: SET ROLE to it (SELECT * FROM ledger_roles names it),'
                ' run the command, RESET ROLE';
    END IF;
END
$function$

CREATE OR REPLACE FUNCTION public.ledger_refuse_direct_change()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    IF pg_trigger_depth() < 2
        OR current_user <> (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = TG_RELID) THEN
        RAISE EXCEPTION '% of % is refused: it follows the events by itself', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'LG004', HINT = 'append events instead';
    END IF;
    RETURN NULL;
END
$function$

CREATE OR REPLACE FUNCTION public.ledger_tile_root(hashes bytea)
 RETURNS bytea
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET jit TO 'off'
AS $function$
BEGIN
    WHILE octet_length(hashes) > 32 LOOP
        SELECT string_agg(sha256('\x01'::bytea || substr(hashes, place * 64 + 1, 64)), ''::bytea ORDER BY place)
        INTO hashes
        FROM generate_series(0, octet_length(hashes) / 64 - 1) AS place;
    END LOOP;
    RETURN hashes;
END
$function$

CREATE OR REPLACE FUNCTION public.ledger_time_text(moment timestamp with time zone)
 RETURNS text
 LANGUAGE sql
 STABLE PARALLEL SAFE STRICT
AS $function$
    SELECT pg_catalog.to_char(pg_catalog.timezone('UTC', moment), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$function$

CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.event_subjects FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change(); -- enabled: always

CREATE TRIGGER refuse_direct_change BEFORE INSERT ON public.event_subjects FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_direct_change(); -- enabled: always

CREATE TRIGGER guard_append AFTER INSERT ON public.events REFERENCING NEW TABLE AS new_events FOR EACH STATEMENT EXECUTE FUNCTION ledger_guard_append(); -- enabled: always

CREATE TRIGGER guard_roles AFTER INSERT ON public.events REFERENCING NEW TABLE AS new_events FOR EACH STATEMENT EXECUTE FUNCTION ledger_guard_roles(); -- enabled: always

CREATE TRIGGER guard_tree AFTER INSERT ON public.events REFERENCING NEW TABLE AS new_events FOR EACH STATEMENT EXECUTE FUNCTION ledger_guard_tree(); -- enabled: always

CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.events FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change(); -- enabled: always

CREATE TRIGGER refuse_change BEFORE DELETE OR TRUNCATE ON public.ledger_head FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change(); -- enabled: always

CREATE TRIGGER refuse_direct_change BEFORE UPDATE ON public.ledger_head FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_direct_change(); -- enabled: always

CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.ledger_roles FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change(); -- enabled: always

CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.tree_nodes FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change(); -- enabled: always

CREATE TRIGGER refuse_direct_change BEFORE INSERT ON public.tree_nodes FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_direct_change(); -- enabled: always

CREATE EVENT TRIGGER ledger_refuse_ddl ON ddl_command_end EXECUTE FUNCTION ledger_refuse_ddl(); -- enabled: always

CREATE EVENT TRIGGER ledger_refuse_ddl_start ON ddl_command_start EXECUTE FUNCTION ledger_refuse_ddl(); -- enabled: always

