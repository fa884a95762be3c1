-- compatible since: 0002_store_messages_by_key
--
-- An edit and a deletion are one call each, so that nobody holds a chat's lock over a round trip. Both look twice, with one
-- statement: before the lock, so that whoever may not, and what changes nothing, never waits for it and takes no number; then
-- under it, with a snapshot of its own.
--
-- The plans are the same on whatever tables they were made, as in store_messages. An update of a message names both keys of
-- it: whichever index is chosen holds the whole of one.
CREATE FUNCTION number_change(chat uuid, changed_kind text, changed_key bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
DECLARE
  number bigint;
BEGIN
  UPDATE chats SET last_event_sequence = last_event_sequence + 1 WHERE id = chat RETURNING last_event_sequence INTO number;
  INSERT INTO chat_changes (chat_id, kind, key, event_sequence) VALUES (chat, changed_kind, changed_key, number)
  ON CONFLICT (chat_id, kind, key) DO UPDATE SET event_sequence = excluded.event_sequence;
  RETURN number;
END
$$;
--> statement-breakpoint
-- `mentioned` is what the message has of them: one row each, found by the index, which begins with the user.
CREATE FUNCTION forget_mentions(chat uuid, number bigint, mentioned json) RETURNS void
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
BEGIN
  DELETE FROM mentions x WHERE x.chat_id = chat AND x.sequence = number
    AND x.user_id = ANY (ARRAY(SELECT u.id::uuid FROM json_array_elements_text(mentioned -> 'userIds') AS u (id)));
  DELETE FROM mentions x WHERE x.chat_id = chat AND x.sequence = number AND x.user_id IS NULL;
END
$$;
--> statement-breakpoint
-- outcome: edited | unchanged | chat_not_found | message_not_found | not_allowed | message_deleted | edit_window_closed
-- What is null stays as it is. Of those who are mentioned the ones that take part in the chat now are kept.
CREATE FUNCTION edit_message(
  chat uuid,
  message uuid,
  actor uuid,
  new_content text,
  new_mentions json,
  new_metadata json,
  window_seconds int
) RETURNS TABLE (outcome text, sequence bigint, event_sequence bigint)
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
SET lock_timeout = '4s'
AS $$
#variable_conflict use_column
DECLARE
  known record;
  kept json;
  number bigint;
BEGIN
  FOREACH outcome IN ARRAY ARRAY['before', 'locked'] LOOP
    IF outcome = 'locked' THEN
      PERFORM FROM chats c WHERE c.id = chat FOR UPDATE;
    END IF;
    SELECT p.user_id AS participant, m.*,
      m.sent_at + make_interval(secs => window_seconds) < clock_timestamp() AS closed
    INTO known
    FROM (SELECT) one
    LEFT JOIN LATERAL (
      SELECT x.user_id, x.left_at FROM chat_participants x WHERE x.chat_id = chat AND x.user_id = actor LIMIT 1
    ) p ON p.left_at IS NULL
    LEFT JOIN LATERAL (
      SELECT x.id, x.sequence, x.sender_id, x.sent_at, x.deleted_at, x.version, x.content, x.mentions, x.metadata
      FROM messages x WHERE x.chat_id = chat AND x.id BETWEEN message AND message
      ORDER BY x.chat_id, x.id LIMIT 1
    ) m ON true;
    kept := known.mentions;
    IF new_mentions IS NOT NULL THEN
      SELECT CASE WHEN u.ids IS NOT NULL OR new_mentions -> 'everyone' IS NOT NULL THEN concat(
        '{"userIds":[', u.ids, ']', CASE WHEN new_mentions -> 'everyone' IS NOT NULL THEN ',"everyone":true' END, '}'
      )::json END
      INTO kept
      FROM (
        SELECT string_agg('"' || u.id || '"', ',' ORDER BY u.ord) AS ids
        FROM json_array_elements_text(new_mentions -> 'userIds') WITH ORDINALITY AS u (id, ord)
        WHERE (
          SELECT p.left_at IS NULL FROM chat_participants p WHERE p.chat_id = chat AND p.user_id = u.id::uuid LIMIT 1
        )
      ) u;
    END IF;
    outcome := CASE
      WHEN known.participant IS NULL THEN 'chat_not_found'
      WHEN known.id IS NULL THEN 'message_not_found'
      WHEN known.sender_id <> actor THEN 'not_allowed'
      WHEN known.deleted_at IS NOT NULL THEN 'message_deleted'
      WHEN known.closed THEN 'edit_window_closed'
      WHEN coalesce(new_content, known.content) = known.content
        AND kept::text IS NOT DISTINCT FROM known.mentions::text
        AND coalesce(new_metadata, known.metadata)::text IS NOT DISTINCT FROM known.metadata::text THEN 'unchanged'
      ELSE 'edited'
    END;
    sequence := known.sequence;
    event_sequence := known.version;
    IF outcome <> 'edited' THEN
      RETURN NEXT;
      RETURN;
    END IF;
  END LOOP;

  number := number_change(chat, 'message', known.sequence);
  event_sequence := number;
  UPDATE messages x
  SET content = coalesce(new_content, x.content), mentions = kept, metadata = coalesce(new_metadata, x.metadata),
    edited_at = clock_timestamp(), version = number
  WHERE x.chat_id = chat AND x.sequence = known.sequence AND x.id = message;
  IF kept::text IS DISTINCT FROM known.mentions::text THEN
    PERFORM forget_mentions(chat, known.sequence, known.mentions);
    INSERT INTO mentions (chat_id, sequence, user_id)
    SELECT chat, known.sequence, u.id::uuid
    FROM (
      SELECT x.id FROM json_array_elements_text(kept -> 'userIds') AS x (id)
      UNION ALL SELECT NULL WHERE kept -> 'everyone' IS NOT NULL
    ) u;
  END IF;
  RETURN NEXT;
END
$$;
--> statement-breakpoint
-- outcome: deleted | unchanged | chat_not_found | message_not_found | not_allowed
-- The row stays, without a word of it: its place, its sender, and who deleted it. In a direct chat nobody leads.
CREATE FUNCTION delete_message(
  chat uuid,
  message uuid,
  actor uuid
) RETURNS TABLE (outcome text, sequence bigint, event_sequence bigint)
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
SET lock_timeout = '4s'
AS $$
#variable_conflict use_column
DECLARE
  known record;
  number bigint;
BEGIN
  FOREACH outcome IN ARRAY ARRAY['before', 'locked'] LOOP
    IF outcome = 'locked' THEN
      PERFORM FROM chats c WHERE c.id = chat FOR UPDATE;
    END IF;
    SELECT p.user_id AS participant, m.*, m.sender_id = actor OR (
      p.role <> 'member' AND (SELECT x.is_group FROM chats x WHERE x.id = chat)
    ) AS may
    INTO known
    FROM (SELECT) one
    LEFT JOIN LATERAL (
      SELECT x.user_id, x.role, x.left_at FROM chat_participants x WHERE x.chat_id = chat AND x.user_id = actor LIMIT 1
    ) p ON p.left_at IS NULL
    LEFT JOIN LATERAL (
      SELECT x.id, x.sequence, x.sender_id, x.deleted_at, x.version, x.mentions
      FROM messages x WHERE x.chat_id = chat AND x.id BETWEEN message AND message
      ORDER BY x.chat_id, x.id LIMIT 1
    ) m ON true;
    outcome := CASE
      WHEN known.participant IS NULL THEN 'chat_not_found'
      WHEN known.id IS NULL THEN 'message_not_found'
      WHEN NOT known.may THEN 'not_allowed'
      WHEN known.deleted_at IS NOT NULL THEN 'unchanged'
      ELSE 'deleted'
    END;
    sequence := known.sequence;
    event_sequence := known.version;
    IF outcome <> 'deleted' THEN
      RETURN NEXT;
      RETURN;
    END IF;
  END LOOP;

  number := number_change(chat, 'message', known.sequence);
  event_sequence := number;
  UPDATE messages x
  SET content = '', edited_at = NULL, deleted_at = clock_timestamp(), deleted_by = actor, version = number,
    reply_to = NULL, mentions = NULL, attachments = NULL, metadata = NULL, body_hash = NULL
  WHERE x.chat_id = chat AND x.sequence = known.sequence AND x.id = message;
  PERFORM forget_mentions(chat, known.sequence, known.mentions);
  RETURN NEXT;
END
$$;
