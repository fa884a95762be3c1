-- compatible since: 0002_store_messages_by_key
--
-- Takes away what is left of a deleted chat, at most so many messages and as many reactions a call, so that nobody waits for it. The chat and
-- who took part in it stay, without a word. A call begins where the one before ended: what is deleted stays in the indexes
-- until it is vacuumed, which an old snapshot prevents, and each batch read all the ones before.
CREATE FUNCTION purge_deleted_chat(chat uuid, most int) RETURNS void
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
DECLARE
  after bigint;
  sequences bigint[];
  places tid[];
  through bigint;
  last_reacted bigint;
  gone bigint;
  one record;
BEGIN
  SELECT x.purged_through INTO after FROM chats_to_purge x WHERE x.chat_id = chat FOR UPDATE;
  IF after IS NULL THEN
    RETURN;
  END IF;
  sequences := ARRAY(
    SELECT x.sequence FROM messages x WHERE x.chat_id = chat AND x.sequence > after ORDER BY x.chat_id, x.sequence LIMIT most
  );
  through := sequences[cardinality(sequences)];

  IF through IS NOT NULL THEN
    SELECT array_agg(r.ctid), max(r.sequence) INTO places, last_reacted
    FROM (
      SELECT x.ctid, x.sequence FROM reactions x WHERE x.chat_id = chat AND x.sequence > after AND x.sequence <= through
      ORDER BY x.chat_id, x.sequence, x.key, x.reacted_at, x.user_id LIMIT most
    ) r;
    DELETE FROM reactions x WHERE x.ctid = ANY (places);
    IF cardinality(places) = most THEN
      -- There may be more of them on this message.
      through := last_reacted - 1;
      sequences := ARRAY(SELECT s FROM unnest(sequences) AS s WHERE s <= through);
    END IF;
    FOR one IN
      DELETE FROM messages m WHERE m.chat_id = chat AND m.sequence = ANY (sequences) RETURNING m.sequence, m.mentions
    LOOP
      IF one.mentions IS NOT NULL THEN
        PERFORM forget_mentions(chat, one.sequence, one.mentions);
      END IF;
    END LOOP;
    DELETE FROM chat_changes x WHERE x.chat_id = chat AND x.kind = ANY ('{message,reactions}') AND x.key = ANY (sequences);
    UPDATE chats_to_purge x SET purged_through = through, retry_at = NULL WHERE x.chat_id = chat;
    RETURN;
  END IF;

  -- What is about no message, or should have gone with one.
  DELETE FROM mentions n WHERE n.ctid = ANY (ARRAY(SELECT x.ctid FROM mentions x WHERE x.chat_id = chat LIMIT most));
  GET DIAGNOSTICS gone = ROW_COUNT;
  IF gone = 0 THEN
    DELETE FROM reactions n WHERE n.ctid = ANY (ARRAY(SELECT x.ctid FROM reactions x WHERE x.chat_id = chat LIMIT most));
    GET DIAGNOSTICS gone = ROW_COUNT;
  END IF;
  IF gone = 0 THEN
    DELETE FROM chat_changes n WHERE n.ctid = ANY (ARRAY(SELECT x.ctid FROM chat_changes x WHERE x.chat_id = chat LIMIT most));
    GET DIAGNOSTICS gone = ROW_COUNT;
  END IF;
  IF gone = 0 THEN
    DELETE FROM chats_to_purge x WHERE x.chat_id = chat;
  ELSE
    UPDATE chats_to_purge x SET retry_at = NULL WHERE x.chat_id = chat;
  END IF;
END
$$;
