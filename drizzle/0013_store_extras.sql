-- compatible since: 0002_store_messages_by_key
--
-- Stores one batch and says of each message, by its place in the batch, what became of it. Beside the function of the same name
-- that takes no extras, which older workers go on calling.
--
-- outcome: stored | repeat (same key, same body) | changed (same key, and the row was edited or deleted since: nothing of what was
-- sent is to be said again) | conflict (same key, other body) | chat_not_found | not_participant
-- For stored and repeat, sequence, event_sequence and sent_at are those of the row; for changed, event_sequence is that of its last
-- change. A body with extras is compared by its hash, one without by its content. What an edited row without a hash was sent with
-- nobody knows any more, nor what a deleted one was: then it is changed.
--
-- Arrays of extras that nobody has are null as a whole, and whoever has some has a hash. A batch of plain texts has a statement of its
-- own, which is the other one without them: in the other it costs PostgreSQL 4 to 8 % more. Of those who are mentioned the ones that
-- take part in the chat are kept, in the row as it is shown, and one by one for those who count them.
--
-- Two statements in a VOLATILE function: the second takes its snapshot after the first has all the locks. In one
-- statement the snapshot is older than the lock it waited for: a batch committed in between leaves a gap or a
-- unique violation, and a sender removed in between is still stored.
--
-- The plan is the same on whatever tables it was made: a plan made while a table was empty or small stays until the next
-- ANALYZE, and scans all that has come since (measured: 14 ms a batch of 128 on empty tables, 1.5 s 300 batches later).
-- So each lookup asks for its first row alone: it cannot become a join with a scan. Of chats and participants every index
-- that can be used holds the whole key; of messages the order asked for leaves one alone, without sorting. The range there
-- is of the last column. One of whole rows is read on to the end of the chat, because a scan ends by the first column of a
-- row comparison alone (measured: 12 ms a batch of 128 in a chat of 8,000 messages, 127 ms in one of 60,000; now 2 ms in
-- both). What has to be sorted all the same, the batch, is, and once: in the order of chats, in which it is numbered and
-- inserted. Three sorts of whole rows, one for each question about those of the same key, cost a batch 6 % of its time. Which of
-- them come again is found out before, from the keys alone, and mostly there are none.
--
-- Of `messages` only the partitions of the batch's chats are looked into; that all are made ready costs a call 0.02 ms.
--
-- A chat is updated by its id, as an array of one: that can be looked up in an index and nothing else. With a plain `=` the
-- update could become a join that begins with all chats (it did, in a plan made on empty tables).
--
-- last_activity_at is of this clock: that of an api that is a minute ahead kept its chats above all others for a minute.
-- Whoever holds a chat for longer than lock_timeout is waited for no longer here, so that the caller, whose patience ends
-- after 5 s, hears what it was. A statement_timeout set here would say nothing: it counts from the statement's beginning.
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
  body_hashes bytea[]
) RETURNS TABLE (ord int, outcome text, sequence bigint, event_sequence bigint, sent_at timestamptz)
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_sort = off
SET enable_incremental_sort = off
SET jit = off
SET lock_timeout = '4s'
AS $$
#variable_conflict use_column
DECLARE
  -- Of each key in the batch the first is the one to store; these are repeats of it, or conflict with it.
  again bigint[] := '{}';
BEGIN
  -- To be empty is for the deleted.
  IF '' = ANY (contents) THEN
    RAISE check_violation USING MESSAGE = 'a message has no content';
  END IF;
  PERFORM FROM chats WHERE chats.id = ANY (chat_ids) ORDER BY chats.id FOR UPDATE;

  IF cardinality(ids) > 1 THEN
    again := ARRAY(
      SELECT i.ord FROM (
        SELECT i.ord, row_number() OVER (PARTITION BY i.chat_id, i.id ORDER BY i.ord) AS nth
        FROM unnest(chat_ids, ids) WITH ORDINALITY AS i (chat_id, id, ord)
      ) i
      WHERE i.nth > 1
    );
  END IF;

  IF body_hashes IS NULL THEN
    RETURN QUERY
    WITH judged AS MATERIALIZED (
      SELECT i.*, c.last_sequence, c.last_event_sequence,
        m.sequence AS known_sequence, coalesce(m.version, m.event_sequence) AS known_event_sequence, m.sent_at AS known_sent_at,
        CASE
          WHEN c.id IS NULL THEN 'chat_not_found'
          WHEN m.id IS NOT NULL THEN CASE
            WHEN m.deleted_at IS NOT NULL THEN 'changed'
            WHEN m.body_hash IS NOT NULL THEN 'conflict'
            WHEN m.version IS NOT NULL THEN 'changed'
            WHEN m.content = i.content THEN 'repeat'
            ELSE 'conflict'
          END
          WHEN p.user_id IS NULL THEN 'not_participant'
          ELSE 'new'
        END AS verdict,
        i.ord = ANY (again) AS is_again
      FROM unnest(chat_ids, sender_ids, ids, client_message_ids, contents, sent_ats) WITH ORDINALITY
        AS i (chat_id, sender_id, id, client_message_id, content, sent_at, ord)
      LEFT JOIN LATERAL (
        SELECT x.id, x.last_sequence, x.last_event_sequence FROM chats x WHERE x.id = i.chat_id LIMIT 1
      ) c ON true
      LEFT JOIN LATERAL (
        SELECT x.id, x.content, x.sequence, x.event_sequence, x.sent_at,
          x.version, x.deleted_at, x.body_hash
        FROM messages x
        WHERE x.chat_id = i.chat_id AND x.id BETWEEN i.id AND i.id
        ORDER BY x.chat_id, x.id LIMIT 1
      ) m ON true
      LEFT JOIN LATERAL (
        SELECT x.user_id, x.left_at FROM chat_participants x
        WHERE x.chat_id = i.chat_id AND x.user_id = i.sender_id LIMIT 1
      ) p ON p.left_at IS NULL
    ),
    numbered AS MATERIALIZED (
      SELECT j.*, j.verdict = 'new' AND NOT j.is_again AS fresh,
        count(*) FILTER (WHERE j.verdict = 'new' AND NOT j.is_again) OVER (PARTITION BY j.chat_id ORDER BY j.ord) AS place
      FROM judged j
    ),
    inserted AS (
      INSERT INTO messages (chat_id, sequence, id, sender_id, client_message_id, content, sent_at, event_sequence)
      SELECT n.chat_id, n.last_sequence + n.place, n.id, n.sender_id, n.client_message_id, n.content, n.sent_at,
        n.last_event_sequence + n.place
      FROM numbered n
      WHERE n.fresh
    ),
    advanced AS (
      UPDATE chats
      SET last_sequence = chats.last_sequence + n.added,
        last_event_sequence = chats.last_event_sequence + n.added,
        last_activity_at = clock_timestamp()
      FROM (SELECT f.chat_id, count(*) AS added FROM numbered f WHERE f.fresh GROUP BY f.chat_id) n
      WHERE chats.id = ANY (ARRAY[n.chat_id])
    )
    SELECT n.ord::int,
      CASE
        WHEN n.verdict <> 'new' THEN n.verdict
        WHEN n.fresh THEN 'stored'
        WHEN n.content = f.content THEN 'repeat'
        ELSE 'conflict'
      END,
      CASE WHEN n.verdict = 'new' THEN n.last_sequence + coalesce(f.place, n.place) ELSE n.known_sequence END,
      CASE WHEN n.verdict = 'new' THEN n.last_event_sequence + coalesce(f.place, n.place) ELSE n.known_event_sequence END,
      CASE WHEN n.verdict = 'new' THEN coalesce(f.sent_at, n.sent_at) ELSE n.known_sent_at END
    FROM numbered n
    LEFT JOIN LATERAL (
      SELECT x.* FROM numbered x WHERE n.is_again AND x.chat_id = n.chat_id AND x.id = n.id AND x.fresh LIMIT 1
    ) f ON true
    ORDER BY n.ord;
  ELSE
    IF mentioned IS NOT NULL THEN
      SELECT array_agg(
        CASE WHEN kept.ids IS NOT NULL OR everyone.too IS NOT NULL THEN
          concat('{"userIds":[', kept.ids, ']', everyone.too, '}')::json
        END ORDER BY i.ord)
      INTO mentioned
      FROM unnest(chat_ids, mentioned) WITH ORDINALITY AS i (chat_id, mentions, ord)
      LEFT JOIN LATERAL (
        SELECT string_agg('"' || u.id || '"', ',' ORDER BY u.ord) AS ids
        FROM json_array_elements_text(i.mentions -> 'userIds') WITH ORDINALITY AS u (id, ord)
        WHERE (
          SELECT p.left_at IS NULL FROM chat_participants p WHERE p.chat_id = i.chat_id AND p.user_id = u.id::uuid LIMIT 1
        )
      ) kept ON true
      LEFT JOIN LATERAL (
        SELECT ',"everyone":true' AS too WHERE i.mentions -> 'everyone' IS NOT NULL
      ) everyone ON true;
    END IF;

    RETURN QUERY
    WITH judged AS MATERIALIZED (
      SELECT i.*, c.last_sequence, c.last_event_sequence,
        m.sequence AS known_sequence, coalesce(m.version, m.event_sequence) AS known_event_sequence, m.sent_at AS known_sent_at,
        CASE
          WHEN c.id IS NULL THEN 'chat_not_found'
          WHEN m.id IS NOT NULL THEN CASE
            WHEN m.deleted_at IS NOT NULL THEN 'changed'
            WHEN m.body_hash IS DISTINCT FROM i.body_hash THEN 'conflict'
            WHEN m.version IS NOT NULL THEN 'changed'
            WHEN m.body_hash IS NOT NULL OR m.content = i.content THEN 'repeat'
            ELSE 'conflict'
          END
          WHEN p.user_id IS NULL THEN 'not_participant'
          ELSE 'new'
        END AS verdict,
        i.ord = ANY (again) AS is_again
      FROM unnest(
        chat_ids, sender_ids, ids, client_message_ids, contents, sent_ats, reply_tos, mentioned, metadatas, body_hashes
      ) WITH ORDINALITY AS i (
        chat_id, sender_id, id, client_message_id, content, sent_at, reply_to, mentions, metadata, body_hash, ord
      )
      LEFT JOIN LATERAL (
        SELECT x.id, x.last_sequence, x.last_event_sequence FROM chats x WHERE x.id = i.chat_id LIMIT 1
      ) c ON true
      LEFT JOIN LATERAL (
        SELECT x.id, x.content, x.sequence, x.event_sequence, x.sent_at,
          x.version, x.deleted_at, x.body_hash
        FROM messages x
        WHERE x.chat_id = i.chat_id AND x.id BETWEEN i.id AND i.id
        ORDER BY x.chat_id, x.id LIMIT 1
      ) m ON true
      LEFT JOIN LATERAL (
        SELECT x.user_id, x.left_at FROM chat_participants x
        WHERE x.chat_id = i.chat_id AND x.user_id = i.sender_id LIMIT 1
      ) p ON p.left_at IS NULL
    ),
    numbered AS MATERIALIZED (
      SELECT j.*, j.verdict = 'new' AND NOT j.is_again AS fresh,
        count(*) FILTER (WHERE j.verdict = 'new' AND NOT j.is_again) OVER (PARTITION BY j.chat_id ORDER BY j.ord) AS place
      FROM judged j
    ),
    inserted AS (
      INSERT INTO messages (chat_id, sequence, id, sender_id, client_message_id, content, sent_at, event_sequence,
        reply_to, mentions, metadata, body_hash)
      SELECT n.chat_id, n.last_sequence + n.place, n.id, n.sender_id, n.client_message_id, n.content, n.sent_at,
        n.last_event_sequence + n.place, n.reply_to, n.mentions, n.metadata, n.body_hash
      FROM numbered n
      WHERE n.fresh
    ),
    mentioning AS (
      INSERT INTO mentions (chat_id, sequence, user_id)
      SELECT n.chat_id, n.last_sequence + n.place, u.id::uuid
      FROM numbered n
      CROSS JOIN LATERAL (
        SELECT x.id FROM json_array_elements_text(n.mentions -> 'userIds') AS x (id)
        UNION ALL SELECT NULL WHERE n.mentions -> 'everyone' IS NOT NULL
      ) u
      WHERE n.fresh AND n.mentions IS NOT NULL
    ),
    advanced AS (
      UPDATE chats
      SET last_sequence = chats.last_sequence + n.added,
        last_event_sequence = chats.last_event_sequence + n.added,
        last_activity_at = clock_timestamp()
      FROM (SELECT f.chat_id, count(*) AS added FROM numbered f WHERE f.fresh GROUP BY f.chat_id) n
      WHERE chats.id = ANY (ARRAY[n.chat_id])
    )
    SELECT n.ord::int,
      CASE
        WHEN n.verdict <> 'new' THEN n.verdict
        WHEN n.fresh THEN 'stored'
        WHEN n.content = f.content AND n.body_hash IS NOT DISTINCT FROM f.body_hash THEN 'repeat'
        ELSE 'conflict'
      END,
      CASE WHEN n.verdict = 'new' THEN n.last_sequence + coalesce(f.place, n.place) ELSE n.known_sequence END,
      CASE WHEN n.verdict = 'new' THEN n.last_event_sequence + coalesce(f.place, n.place) ELSE n.known_event_sequence END,
      CASE WHEN n.verdict = 'new' THEN coalesce(f.sent_at, n.sent_at) ELSE n.known_sent_at END
    FROM numbered n
    LEFT JOIN LATERAL (
      SELECT x.* FROM numbered x WHERE n.is_again AND x.chat_id = n.chat_id AND x.id = n.id AND x.fresh LIMIT 1
    ) f ON true
    ORDER BY n.ord;
  END IF;
END
$$;
--> statement-breakpoint
-- What is shown of a message that is answered, as JSON. A function, because a part of a statement is made ready for each execution, with
-- every partition of messages, whether or not anybody is answered: a page of plain texts cost a seventh more.
CREATE FUNCTION quote_json(chat uuid, message uuid, preview_characters int) RETURNS text
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
BEGIN
  RETURN concat('{"messageId":"', message, '",', coalesce((
    SELECT concat('"sequence":', q.sequence, ',"senderId":"', q.sender_id, '","preview":',
      to_json(left(q.content, preview_characters)))
    FROM (
      SELECT x.* FROM messages x WHERE x.chat_id = chat AND x.id BETWEEN message AND message ORDER BY x.chat_id, x.id LIMIT 1
    ) q
    WHERE q.deleted_at IS NULL
  ), '"deleted":true'), '}');
END
$$;
--> statement-breakpoint
CREATE TABLE "mentions" (
	"chat_id" uuid NOT NULL,
	"sequence" bigint NOT NULL,
	"user_id" uuid
);
--> statement-breakpoint
CREATE INDEX "mentions_of_user" ON "mentions" USING btree ("chat_id","user_id","sequence");
--> statement-breakpoint
-- Whoever may write messages writes these.
DO $$
DECLARE
  given record;
BEGIN
  FOR given IN
    SELECT a.privilege_type AS what, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS to_whom
    FROM pg_class c, aclexplode(c.relacl) a
    WHERE c.oid = 'messages'::regclass AND a.grantee <> c.relowner
  LOOP
    EXECUTE format('GRANT %s ON mentions TO %s', given.what, given.to_whom);
  END LOOP;
END
$$;
