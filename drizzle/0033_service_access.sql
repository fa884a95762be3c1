-- compatible since: 0002_store_messages_by_key
--
-- What a host's own backend does. The column is added without a rewrite; nobody is deactivated.
ALTER TABLE "users" ADD COLUMN "deactivated_at" timestamp (3) with time zone;
--> statement-breakpoint
-- A batch in which some messages have a type: it is stored as any other, and what was stored is given its type before anybody can
-- see it. The other function, which plain batches go on calling, knows nothing of types.
CREATE FUNCTION store_messages(
  chat_ids uuid[],
  sender_ids uuid[],
  ids uuid[],
  client_message_ids uuid[],
  contents text[],
  sent_ats timestamptz[],
  reply_tos uuid[],
  mentioned json[],
  metadatas json[],
  body_hashes bytea[],
  message_types text[]
) RETURNS TABLE (ord int, outcome text, sequence bigint, event_sequence bigint, sent_at timestamptz)
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
DECLARE
  stored record;
BEGIN
  FOR stored IN
    SELECT * FROM store_messages(
      chat_ids, sender_ids, ids, client_message_ids, contents, sent_ats, reply_tos, mentioned, metadatas, body_hashes
    )
  LOOP
    IF stored.outcome = 'stored' AND message_types[stored.ord] IS NOT NULL THEN
      -- Both keys are named: whichever index is chosen holds the whole of one.
      UPDATE messages x SET message_type = message_types[stored.ord]
      WHERE x.chat_id = chat_ids[stored.ord] AND x.sequence = stored.sequence AND x.id = ids[stored.ord];
    END IF;
    ord := stored.ord;
    outcome := stored.outcome;
    sequence := stored.sequence;
    event_sequence := stored.event_sequence;
    sent_at := stored.sent_at;
    RETURN NEXT;
  END LOOP;
END
$$;
--> statement-breakpoint
-- As in 0022_reactions. No actor is the host's own backend, which may delete any message and takes part in no chat: nobody is said to
-- have deleted it.
CREATE OR REPLACE FUNCTION delete_message(
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
    SELECT m.*,
      CASE WHEN actor IS NULL THEN (SELECT x.deleted_at IS NOT NULL FROM chats x WHERE x.id = chat) ELSE p.user_id IS NULL END AS hidden,
      m.sender_id = actor OR (p.role <> 'member' AND (SELECT x.is_group FROM chats x WHERE x.id = chat)) AS may
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
      WHEN known.hidden THEN 'chat_not_found'
      WHEN known.id IS NULL THEN 'message_not_found'
      WHEN actor IS NOT NULL AND NOT known.may THEN 'not_allowed'
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
    reply_to = NULL, mentions = NULL, attachments = NULL, metadata = NULL, reactions = NULL, body_hash = NULL
  WHERE x.chat_id = chat AND x.sequence = known.sequence AND x.id = message;
  PERFORM forget_mentions(chat, known.sequence, known.mentions);
  IF forget_reactions(chat, known.sequence, 1000) THEN
    INSERT INTO reactions_to_purge (chat_id, sequence) VALUES (chat, known.sequence);
  END IF;
  RETURN NEXT;
END
$$;
