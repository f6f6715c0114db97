-- The Merkle tree over the events, as far as it is complete: one node for each 256 hashes below it
-- (C2SP tlog-tiles, height 8), so that a proof reads O(log n) of them. Derived from events.hash by
-- the trigger alone; ledger verify derives it again.

-- The root over 2^n hashes of 32 bytes, such as a full tile's 256.
CREATE FUNCTION ledger_tile_root(hashes bytea) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
    WHILE octet_length(hashes) > 32 LOOP
        SELECT string_agg(sha256('\x01'::bytea || substr(hashes, place * 64 + 1, 64)), ''::bytea ORDER BY place)
        INTO hashes
        FROM generate_series(0, octet_length(hashes) / 64 - 1) AS place;
    END LOOP;
    RETURN hashes;
END
$$;

-- Writes the nodes that events [first, size) complete; those before first have theirs.
CREATE FUNCTION ledger_grow_tree(first bigint, size bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off AS $$
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
$$;

CREATE FUNCTION ledger_guard_tree() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
$$;

CREATE TRIGGER guard_tree AFTER INSERT ON events
    REFERENCING NEW TABLE AS new_events FOR EACH STATEMENT EXECUTE FUNCTION ledger_guard_tree();
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON tree_nodes
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER refuse_direct_change BEFORE INSERT ON tree_nodes
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_direct_change();

REVOKE EXECUTE ON FUNCTION ledger_guard_tree(), ledger_grow_tree(bigint, bigint) FROM PUBLIC;

-- The nodes of what was recorded before there was a tree.
ALTER TABLE tree_nodes DISABLE TRIGGER refuse_direct_change;
SELECT ledger_grow_tree(0, coalesce(max(sequence), -1) + 1) FROM events;

ALTER TABLE events ENABLE ALWAYS TRIGGER guard_tree;
ALTER TABLE tree_nodes ENABLE ALWAYS TRIGGER refuse_change;
ALTER TABLE tree_nodes ENABLE ALWAYS TRIGGER refuse_direct_change;
