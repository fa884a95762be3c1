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
-- delete_message takes no actor for the host's own backend, which may delete any message and takes part in no chat: nobody is
-- said to have deleted it. The rest of the function is as it stands, whichever version wrote it.
DO $$
DECLARE
  before text := pg_get_functiondef('delete_message(uuid, uuid, uuid)'::regprocedure);
  after text := replace(before, 'WHEN known.participant IS NULL THEN', 'WHEN actor IS NOT NULL AND known.participant IS NULL THEN');
BEGIN
  IF after = before THEN
    RAISE 'delete_message is not what it was';
  END IF;
  EXECUTE after;
END
$$;
