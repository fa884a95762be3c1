-- compatible since: 0002_store_messages_by_key
--
-- Takes away what is left of one deleted chat, at most so many rows a call, so that nobody waits for it: messages first, then what
-- is kept about them. The chat and who took part in it stay, without a word. Says whether there may be more. Of several who call it at
-- the same time each has a chat of its own.
CREATE FUNCTION purge_deleted_chat(most int) RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
DECLARE
  chat uuid;
  gone bigint;
BEGIN
  SELECT x.chat_id INTO chat FROM chats_to_purge x ORDER BY x.deleted_at LIMIT 1 FOR UPDATE SKIP LOCKED;
  IF chat IS NULL THEN
    RETURN false;
  END IF;
  DELETE FROM messages m WHERE m.chat_id = chat AND m.sequence = ANY (ARRAY(
    SELECT x.sequence FROM messages x WHERE x.chat_id = chat ORDER BY x.chat_id, x.sequence LIMIT most
  ));
  GET DIAGNOSTICS gone = ROW_COUNT;
  IF gone = 0 THEN
    DELETE FROM mentions n WHERE n.ctid = ANY (ARRAY(SELECT x.ctid FROM mentions x WHERE x.chat_id = chat LIMIT most));
    GET DIAGNOSTICS gone = ROW_COUNT;
  END IF;
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
  END IF;
  RETURN true;
END
$$;
