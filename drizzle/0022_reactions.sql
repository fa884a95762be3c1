-- compatible since: 0002_store_messages_by_key
--
-- One row for each user and key of a message; what is shown of them stands in the message's own row, which a page reads anyway.
CREATE TABLE "reactions" (
	"chat_id" uuid NOT NULL,
	"user_id" uuid NOT NULL,
	"sequence" bigint NOT NULL,
	"key" text COLLATE "C" NOT NULL,
	"reacted_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "reactions_pkey" PRIMARY KEY("chat_id","user_id","sequence","key")
) WITH (autovacuum_vacuum_scale_factor = 0.02);
--> statement-breakpoint
CREATE INDEX "reactions_of_message" ON "reactions" USING btree ("chat_id","sequence","key","reacted_at","user_id");
--> statement-breakpoint
-- Deleted messages that have left reactions behind, which a worker takes away.
CREATE TABLE "reactions_to_purge" (
	"chat_id" uuid NOT NULL,
	"sequence" bigint NOT NULL,
	CONSTRAINT "reactions_to_purge_pkey" PRIMARY KEY("chat_id","sequence")
);
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
    EXECUTE format('GRANT %s ON reactions, reactions_to_purge TO %s', given.what, given.to_whom);
  END LOOP;
END
$$;
--> statement-breakpoint
-- How a reader has reacted to the last `most` messages up to `last`: by the sequence of each, what the reader's own begin with in the JSON of all,
-- with blanks between. A key has nothing in it that JSON would escape. A function, because a page without reactions is not made
-- ready for one; and one call a page, because one for each message took 7 µs.
CREATE FUNCTION own_reactions(chat uuid, reader uuid, last bigint, most int) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
BEGIN
  last := least(last, (SELECT c.last_sequence FROM chats c WHERE c.id = chat));
  RETURN (
    SELECT jsonb_object_agg(o.sequence, o.own) FROM (
      SELECT r.sequence, string_agg('{"key":"' || r.key || '"', ' ') AS own FROM (
        SELECT x.sequence, x.key FROM reactions x
        WHERE x.chat_id = chat AND x.user_id = reader AND x.sequence BETWEEN last - most + 1 AND last
        ORDER BY x.chat_id, x.user_id, x.sequence, x.key
      ) r
      GROUP BY r.sequence
    ) o
  );
END
$$;
--> statement-breakpoint
CREATE FUNCTION mark_own(shown text, own text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT
AS $$
DECLARE
  one text;
BEGIN
  FOREACH one IN ARRAY string_to_array(own, ' ') LOOP
    shown := replace(shown, one, one || ',"own":true');
  END LOOP;
  RETURN shown;
END
$$;
--> statement-breakpoint
-- Reactions of one chat, set (`presents`) and taken back, in one call, so that nobody holds a chat's lock over a round trip. Of several of one
-- user, message and key the last one counts. It looks twice, as edit_message does: what changes nothing never waits for the lock
-- and takes no number. Each message of which something changes takes one, whatever number of users.
--
-- verdict: changed | unchanged | chat_not_found | message_not_found | message_deleted | too_many_reactions
-- What a message has now comes with the first of those that are about it; what the user has of it, with each. A reaction that is looked for is
-- looked for in the order of the key that is to find it, and goes by its place: it has no other while the chat is locked.
CREATE FUNCTION react(
  chat uuid,
  message_ids uuid[],
  user_ids uuid[],
  keys text[],
  presents boolean[],
  most_keys int
) RETURNS TABLE (verdict text, sequence bigint, own text[], event_sequence bigint, reactions json, participants int)
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET lock_timeout = '4s'
AS $$
#variable_conflict use_column
DECLARE
  verdicts text[];
  sequences bigint[];
  places tid[];
  pass text;
  touched record;
BEGIN
  FOREACH pass IN ARRAY ARRAY['before', 'locked'] LOOP
    IF pass = 'locked' THEN
      PERFORM FROM chats c WHERE c.id = chat FOR UPDATE;
    END IF;
    SELECT array_agg(CASE WHEN j.known + j.nth - j.freed > most_keys THEN 'too_many_reactions' ELSE j.verdict END ORDER BY j.ord),
      array_agg(j.sequence ORDER BY j.ord), array_agg(j.place ORDER BY j.ord)
    INTO verdicts, sequences, places
    FROM (
      -- A key that nobody has given any more, after all of this, leaves its place to another.
      SELECT f.*, dense_rank() OVER (PARTITION BY f.sequence, f.known IS NULL ORDER BY f.first) AS nth,
        count(*) FILTER (WHERE f.more < 0 AND f.ord = f.first AND 0 = f.more + (
          SELECT (o.entry ->> 'count')::int FROM messages x CROSS JOIN json_array_elements(x.reactions::json) AS o (entry)
          WHERE x.chat_id = chat AND x.sequence BETWEEN f.sequence AND f.sequence AND o.entry ->> 'key' = f.key
        )) OVER (PARTITION BY f.sequence) AS freed
      FROM (
        SELECT k.*, min(k.ord) OVER (PARTITION BY k.sequence, k.key, k.known IS NULL) AS first,
          sum(CASE WHEN k.verdict <> 'changed' THEN 0 WHEN k.present THEN 1 ELSE -1 END) OVER (PARTITION BY k.sequence, k.key) AS more
        FROM (
          -- How many keys the message has, where this one is none of them.
          SELECT i.ord, i.key, i.present, m.sequence, r.place, v.verdict,
            CASE WHEN v.verdict = 'changed' AND i.present AND (
              SELECT x.key FROM reactions x WHERE x.chat_id = chat AND x.sequence = m.sequence AND x.key = i.key
              ORDER BY x.chat_id, x.sequence, x.key, x.reacted_at, x.user_id LIMIT 1
            ) IS NULL THEN coalesce(json_array_length(m.reactions::json), 0) END AS known
          FROM (
            SELECT g.*, max(g.ord) OVER (PARTITION BY g.message_id, g.user_id, g.key) = g.ord AS is_last
            FROM unnest(message_ids, user_ids, keys, presents) WITH ORDINALITY AS g (message_id, user_id, key, present, ord)
          ) i
          LEFT JOIN LATERAL (
            SELECT x.user_id, x.left_at FROM chat_participants x
            WHERE x.chat_id = chat AND x.user_id = i.user_id LIMIT 1
          ) p ON p.left_at IS NULL
          LEFT JOIN LATERAL (
            SELECT x.id, x.sequence, x.deleted_at, x.reactions FROM messages x
            WHERE x.chat_id = chat AND x.id BETWEEN i.message_id AND i.message_id ORDER BY x.chat_id, x.id LIMIT 1
          ) m ON true
          LEFT JOIN LATERAL (
            SELECT x.ctid AS place FROM reactions x
            WHERE x.chat_id = chat AND x.user_id = i.user_id AND x.sequence = m.sequence AND x.key BETWEEN i.key AND i.key
            ORDER BY x.chat_id, x.user_id, x.sequence, x.key LIMIT 1
          ) r ON true
          CROSS JOIN LATERAL (
            SELECT CASE
              WHEN p.user_id IS NULL THEN 'chat_not_found'
              WHEN m.id IS NULL THEN 'message_not_found'
              WHEN m.deleted_at IS NOT NULL THEN 'message_deleted'
              WHEN i.is_last AND i.present = (r.place IS NULL) THEN 'changed'
              ELSE 'unchanged'
            END AS verdict
          ) v
        ) k
      ) f
    ) j;
    EXIT WHEN 'changed' <> ALL (verdicts);
  END LOOP;

  IF 'changed' = ANY (verdicts) THEN
    DELETE FROM reactions x WHERE x.ctid = ANY (ARRAY(
      SELECT t.place FROM unnest(verdicts, presents, places) AS t (verdict, present, place)
      WHERE t.verdict = 'changed' AND NOT t.present
    ));
    INSERT INTO reactions (chat_id, user_id, sequence, key, reacted_at)
    SELECT chat, t.user_id, t.sequence, t.key, clock_timestamp()
    FROM unnest(verdicts, presents, user_ids, sequences, keys) AS t (verdict, present, user_id, sequence, key)
    WHERE t.verdict = 'changed' AND t.present;

    FOR touched IN
      SELECT DISTINCT t.sequence, t.id FROM unnest(verdicts, sequences, message_ids) AS t (verdict, sequence, id)
      WHERE t.verdict = 'changed' ORDER BY t.sequence
    LOOP
      PERFORM number_change(chat, 'reactions', touched.sequence);
      UPDATE messages x
      SET reactions = (
        SELECT CASE WHEN count(*) > 0 THEN concat('[', string_agg(
          concat('{"key":', to_json(s.key), ',"count":', s.count, ',"userIds":', s.user_ids, '}'), ',' ORDER BY s.place
        ), ']') END
        FROM (
          SELECT coalesce(t.key, o.entry ->> 'key') AS key, coalesce((o.entry ->> 'count')::int, 0) + coalesce(t.more, 0) AS count,
            CASE WHEN t.key IS NULL THEN o.entry -> 'userIds' ELSE array_to_json(ARRAY(
              SELECT r.user_id FROM reactions r WHERE r.chat_id = chat AND r.sequence = touched.sequence AND r.key = t.key
              ORDER BY r.chat_id, r.sequence, r.key, r.reacted_at, r.user_id LIMIT 10
            )) END AS user_ids,
            coalesce(o.ord, most_keys + t.first) AS place
          FROM json_array_elements(x.reactions::json) WITH ORDINALITY AS o (entry, ord)
          FULL JOIN (
            SELECT c.key, sum(CASE WHEN c.present THEN 1 ELSE -1 END) AS more, min(c.ord) AS first
            FROM unnest(verdicts, sequences, keys, presents) WITH ORDINALITY AS c (verdict, sequence, key, present, ord)
            WHERE c.verdict = 'changed' AND c.sequence = touched.sequence
            GROUP BY c.key
          ) t ON t.key = o.entry ->> 'key'
        ) s
        WHERE s.count > 0
      )
      WHERE x.chat_id = chat AND x.sequence = touched.sequence AND x.id = touched.id;
    END LOOP;
  END IF;

  RETURN QUERY
  SELECT i.verdict, i.sequence,
    ARRAY(
      SELECT x.key FROM reactions x WHERE x.chat_id = chat AND x.user_id = i.user_id AND x.sequence BETWEEN i.sequence AND i.sequence
      ORDER BY x.chat_id, x.user_id, x.sequence, x.key
    )::text[],
    m.number, m.reactions::json, c.participant_count
  FROM (
    SELECT t.*, row_number() OVER (PARTITION BY t.sequence ORDER BY t.ord) AS nth
    FROM unnest(verdicts, sequences, user_ids) WITH ORDINALITY AS t (verdict, sequence, user_id, ord)
  ) i
  LEFT JOIN LATERAL (SELECT x.participant_count FROM chats x WHERE x.id = chat LIMIT 1) c ON true
  LEFT JOIN LATERAL (
    SELECT x.reactions, coalesce((
      SELECT n.event_sequence FROM chat_changes n WHERE n.chat_id = chat AND n.kind = 'reactions' AND n.key = x.sequence
    ), x.event_sequence) AS number
    FROM messages x WHERE x.chat_id = chat AND x.sequence BETWEEN i.sequence AND i.sequence ORDER BY x.chat_id, x.sequence LIMIT 1
  ) m ON i.nth = 1
  ORDER BY i.ord;
END
$$;
--> statement-breakpoint
-- Takes away the reactions of a deleted message, at most so many, and that it had any: whoever deletes it holds the chat's lock, and there
-- may be 200,000 of them. Says whether there may be more.
CREATE FUNCTION forget_reactions(chat uuid, number bigint, most int) RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
DECLARE
  gone bigint;
BEGIN
  DELETE FROM chat_changes x WHERE x.chat_id = chat AND x.kind = 'reactions' AND x.key = number;
  DELETE FROM reactions x WHERE x.ctid = ANY (ARRAY(
    SELECT r.ctid FROM reactions r WHERE r.chat_id = chat AND r.sequence BETWEEN number AND number
    ORDER BY r.chat_id, r.sequence, r.key, r.reacted_at, r.user_id LIMIT most
  ));
  GET DIAGNOSTICS gone = ROW_COUNT;
  RETURN gone = most;
END
$$;
--> statement-breakpoint
-- The same of one message that a deletion has left some of. Of several who call it at the same time each has a message of its own.
CREATE FUNCTION purge_reactions(most int) RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
DECLARE
  left_of record;
BEGIN
  SELECT x.* INTO left_of FROM reactions_to_purge x ORDER BY x.chat_id, x.sequence LIMIT 1 FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  IF NOT forget_reactions(left_of.chat_id, left_of.sequence, most) THEN
    DELETE FROM reactions_to_purge x WHERE x.chat_id = left_of.chat_id AND x.sequence = left_of.sequence;
  END IF;
  RETURN true;
END
$$;
--> statement-breakpoint
-- outcome: deleted | unchanged | chat_not_found | message_not_found | not_allowed
-- The row stays, without a word of it: its place, its sender, and who deleted it. In a direct chat nobody leads.
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
    reply_to = NULL, mentions = NULL, attachments = NULL, metadata = NULL, reactions = NULL, body_hash = NULL
  WHERE x.chat_id = chat AND x.sequence = known.sequence AND x.id = message;
  PERFORM forget_mentions(chat, known.sequence, known.mentions);
  IF forget_reactions(chat, known.sequence, 1000) THEN
    INSERT INTO reactions_to_purge (chat_id, sequence) VALUES (chat, known.sequence);
  END IF;
  RETURN NEXT;
END
$$;
--> statement-breakpoint
ALTER TABLE "messages" ADD COLUMN "reactions" text;
