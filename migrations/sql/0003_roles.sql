-- The five roles of a ledger (docs/explanation/database-guards.md, docs/adr/0009). One more SQLSTATE:
--   LG007 the session's role may not append an event of this type
-- The table ledger_roles is there and empty. Names of roles are known here alone, hence format().

-- What the guards of 0001 name is looked for in pg_catalog alone, and what is not there is written with its
-- schema: an operator or function in public that matches more exactly would run with the owner role's rights,
-- and the owner of the database can make one.
ALTER FUNCTION public.ledger_lock_head() SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION public.ledger_guard_append() SET search_path = pg_catalog, pg_temp;

-- These two were bound to functions and operators when they were made, with the search_path of whoever did so.
CREATE OR REPLACE FUNCTION public.ledger_are_canonical_keys(keys text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT NOT EXISTS (
        SELECT FROM generate_subscripts(keys, 1) AS place
        WHERE keys[place] >= keys[place + 1] COLLATE "C" OR octet_length(keys[place]) <> length(keys[place])
    )
$$;

-- Without a search_path of its own, so that it costs no call.
CREATE OR REPLACE FUNCTION public.ledger_time_text(moment timestamptz) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$
    SELECT pg_catalog.to_char(pg_catalog.timezone('UTC', moment), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;

-- How deep in triggers a change is, whoever may write every table of the server can choose, with a trigger on a
-- table of its own; as whom it is made, only the guards can.
CREATE OR REPLACE FUNCTION public.ledger_refuse_direct_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF pg_trigger_depth() < 2
        OR current_user <> (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = TG_RELID) THEN
        RAISE EXCEPTION '% of % is refused: it follows the events by itself', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'LG004', HINT = 'append events instead';
    END IF;
    RETURN NULL;
END
$$;

DO $$
DECLARE
    kinds CONSTANT text[] := ARRAY['owner', 'writer', 'governance', 'reader', 'auditor'];
    readers CONSTANT text[] := ARRAY['writer', 'governance', 'reader', 'auditor'];
    -- From Postgres 16 on, who makes a role may give it away, but is not in it.
    in_full CONSTANT text := CASE WHEN current_setting('server_version_num')::integer >= 160000
        THEN ' WITH INHERIT TRUE, SET TRUE' ELSE '' END;
    me record;
    token text;
    kind text;
    object text;
BEGIN
    SELECT rolname, rolsuper, rolcreaterole AND pg_has_role(r.oid, d.datdba, 'USAGE') AS suffices, datname INTO me
    FROM pg_roles AS r, pg_database AS d WHERE rolname = current_user AND datname = current_database();
    IF NOT (me.rolsuper OR me.suffices) THEN
        RAISE EXCEPTION '% may not make the roles of a ledger', me.rolname USING ERRCODE = 'insufficient_privilege',
            HINT = format('let a superuser do it, or run ALTER ROLE %I CREATEROLE and ALTER DATABASE %I OWNER TO %I',
                me.rolname, me.datname, me.rolname);
    END IF;

    -- Roles belong to the whole server, so their names must not be those of another ledger's.
    LOOP
        token := left(replace(gen_random_uuid()::text, '-', ''), 12);
        BEGIN
            FOREACH kind IN ARRAY kinds LOOP
                EXECUTE format('CREATE ROLE %I NOLOGIN', format('ledger_%s_%s', token, kind));
            END LOOP;
            EXIT;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            CONTINUE;
        END;
    END LOOP;
    INSERT INTO public.ledger_roles SELECT k, format('ledger_%s_%s', token, k) FROM unnest(kinds) AS k;

    FOREACH kind IN ARRAY kinds LOOP
        object := format('ledger_%s_%s', token, kind);
        EXECUTE format('COMMENT ON ROLE %I IS %L', object,
            format('%s of the ledger in the database %s', kind, me.datname));
        EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', object);
        IF NOT me.rolsuper THEN
            EXECUTE format('GRANT %I TO %I', object, me.rolname) || in_full;
        END IF;
    END LOOP;
    -- Who can make things in public could have them used in the sessions of others (CVE-2018-1058).
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    EXECUTE format('GRANT CREATE ON SCHEMA public TO %I', format('ledger_%s_owner', token));

    FOREACH object IN ARRAY ARRAY[
        'TABLE events', 'TABLE event_subjects', 'TABLE ledger_head', 'TABLE ledger_roles', 'TABLE alembic_version',
        'FUNCTION ledger_are_canonical_keys(text[])', 'FUNCTION ledger_time_text(timestamptz)',
        'FUNCTION ledger_lock_head()', 'FUNCTION ledger_guard_append()', 'FUNCTION ledger_refuse_change()',
        'FUNCTION ledger_refuse_direct_change()'
    ] LOOP
        EXECUTE format('ALTER %s OWNER TO %I', object, format('ledger_%s_owner', token));
    END LOOP;

    -- Read models stay with whoever made them: a rebuild swaps the names of their schemas.
    FOREACH kind IN ARRAY readers LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA read_models, read_models_shadow TO %I',
            format('ledger_%s_%s', token, kind));
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA read_models, read_models_shadow TO %I',
            format('ledger_%s_%s', token, kind));
    END LOOP;

    -- From here on as the owner, to the end of this file.
    EXECUTE format('SET LOCAL ROLE %I', format('ledger_%s_owner', token));

    -- What later migrations make as the owner is for the ledger's roles to read, and for nobody to run.
    ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
    REVOKE ALL ON events, event_subjects, ledger_head, ledger_roles, alembic_version FROM PUBLIC;
    REVOKE ALL ON FUNCTION ledger_are_canonical_keys, ledger_time_text, ledger_lock_head, ledger_guard_append,
        ledger_refuse_change, ledger_refuse_direct_change FROM PUBLIC;
    FOREACH kind IN ARRAY readers LOOP
        object := format('ledger_%s_%s', token, kind);
        EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO %I', object);
        EXECUTE format('GRANT SELECT ON events, event_subjects, ledger_head, ledger_roles, alembic_version TO %I',
            object);
        IF kind <> 'reader' THEN
            EXECUTE format('GRANT INSERT ON events TO %I', object);
            EXECUTE format('GRANT EXECUTE ON FUNCTION ledger_lock_head() TO %I', object);
        END IF;
    END LOOP;
END
$$;

-- Which role an event takes is asked of the session's role, as guard_append does for the writer. The rows of
-- a batch have few different types, so each type is looked at once.
CREATE FUNCTION ledger_guard_roles() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
$$;

CREATE TRIGGER guard_roles AFTER INSERT ON events
    REFERENCING NEW TABLE AS new_events FOR EACH STATEMENT EXECUTE FUNCTION ledger_guard_roles();
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_roles
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();

ALTER TABLE events ENABLE ALWAYS TRIGGER guard_roles;
ALTER TABLE ledger_roles ENABLE ALWAYS TRIGGER refuse_change;

RESET ROLE;
