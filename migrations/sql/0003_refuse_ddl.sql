-- DDL on what belongs to the ledger is refused for everyone but its owner role (SQLSTATE LG008). A superuser
-- runs this file; it can be run again: psql --dbname=DATABASE --single-transaction --file=0003_refuse_ddl.sql
--
-- The function belongs to that superuser and not to the ledger's owner, for event triggers run with the
-- rights of whoever issues a command: who can replace the function could become that superuser. So one that is
-- there already is dropped and not replaced, for it would stay its owner's; and the event triggers go first,
-- for dropping them runs none.
DROP EVENT TRIGGER IF EXISTS ledger_refuse_ddl;
DROP EVENT TRIGGER IF EXISTS ledger_refuse_ddl_start;
DROP FUNCTION IF EXISTS public.ledger_refuse_ddl();

-- Compares what the owner role owns before and after each command, so it is no matter which command it is:
-- ALTER, DROP and GRANT, renaming, DROP OWNED, or a trigger, rule, policy or index on a table. Left out is
-- what changes without DDL (statistics of VACUUM), where a rewrite puts the file, and the triggers that a
-- foreign key from another table brings. The settings make it plan once and look up few rows:
-- 1 ms a look, two looks a command.
CREATE FUNCTION public.ledger_refuse_ddl() RETURNS event_trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET jit = off SET plan_cache_mode = force_generic_plan SET enable_hashjoin = off SET enable_mergejoin = off AS $$
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
$$;

REVOKE ALL ON FUNCTION public.ledger_refuse_ddl() FROM PUBLIC;

CREATE EVENT TRIGGER ledger_refuse_ddl_start ON ddl_command_start EXECUTE FUNCTION public.ledger_refuse_ddl();
CREATE EVENT TRIGGER ledger_refuse_ddl ON ddl_command_end EXECUTE FUNCTION public.ledger_refuse_ddl();
ALTER EVENT TRIGGER ledger_refuse_ddl_start ENABLE ALWAYS;
ALTER EVENT TRIGGER ledger_refuse_ddl ENABLE ALWAYS;
