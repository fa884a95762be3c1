-- compatible since: 0002_store_messages_by_key
--
-- Who may post is said here and nowhere else: the store, edits, and whoever asks for the api. A function of one expression, which
-- becomes part of the statement that calls it.
CREATE FUNCTION may_post(role text, posting text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT role <> 'member' OR posting IS DISTINCT FROM 'admins' $$;
--> statement-breakpoint
-- As in 0013_store_extras, with two outcomes more: chat_deleted, of which nothing is to be kept anywhere, and not_allowed, for who
-- takes part and may not post.
CREATE OR REPLACE FUNCTION store_messages(
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
          WHEN c.deleted_at IS NOT NULL THEN 'chat_deleted'
          WHEN m.id IS NOT NULL THEN CASE
            WHEN m.deleted_at IS NOT NULL THEN 'changed'
            WHEN m.body_hash IS NOT NULL THEN 'conflict'
            WHEN m.version IS NOT NULL THEN 'changed'
            WHEN m.content = i.content THEN 'repeat'
            ELSE 'conflict'
          END
          WHEN p.user_id IS NULL THEN 'not_participant'
          WHEN NOT may_post(p.role, c.posting) THEN 'not_allowed'
          ELSE 'new'
        END AS verdict,
        i.ord = ANY (again) AS is_again
      FROM unnest(chat_ids, sender_ids, ids, client_message_ids, contents, sent_ats) WITH ORDINALITY
        AS i (chat_id, sender_id, id, client_message_id, content, sent_at, ord)
      LEFT JOIN LATERAL (
        SELECT x.id, x.last_sequence, x.last_event_sequence, x.posting, x.deleted_at FROM chats x
        WHERE x.id = i.chat_id LIMIT 1
      ) c ON true
      LEFT JOIN LATERAL (
        SELECT x.id, x.content, x.sequence, x.event_sequence, x.sent_at,
          x.version, x.deleted_at, x.body_hash
        FROM messages x
        WHERE x.chat_id = i.chat_id AND x.id BETWEEN i.id AND i.id
        ORDER BY x.chat_id, x.id LIMIT 1
      ) m ON true
      LEFT JOIN LATERAL (
        SELECT x.user_id, x.left_at, x.role FROM chat_participants x
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
          WHEN c.deleted_at IS NOT NULL THEN 'chat_deleted'
          WHEN m.id IS NOT NULL THEN CASE
            WHEN m.deleted_at IS NOT NULL THEN 'changed'
            WHEN m.body_hash IS DISTINCT FROM i.body_hash THEN 'conflict'
            WHEN m.version IS NOT NULL THEN 'changed'
            WHEN m.body_hash IS NOT NULL OR m.content = i.content THEN 'repeat'
            ELSE 'conflict'
          END
          WHEN p.user_id IS NULL THEN 'not_participant'
          WHEN NOT may_post(p.role, c.posting) THEN 'not_allowed'
          ELSE 'new'
        END AS verdict,
        i.ord = ANY (again) AS is_again
      FROM unnest(
        chat_ids, sender_ids, ids, client_message_ids, contents, sent_ats, reply_tos, mentioned, metadatas, body_hashes
      ) WITH ORDINALITY AS i (
        chat_id, sender_id, id, client_message_id, content, sent_at, reply_to, mentions, metadata, body_hash, ord
      )
      LEFT JOIN LATERAL (
        SELECT x.id, x.last_sequence, x.last_event_sequence, x.posting, x.deleted_at FROM chats x
        WHERE x.id = i.chat_id LIMIT 1
      ) c ON true
      LEFT JOIN LATERAL (
        SELECT x.id, x.content, x.sequence, x.event_sequence, x.sent_at,
          x.version, x.deleted_at, x.body_hash
        FROM messages x
        WHERE x.chat_id = i.chat_id AND x.id BETWEEN i.id AND i.id
        ORDER BY x.chat_id, x.id LIMIT 1
      ) m ON true
      LEFT JOIN LATERAL (
        SELECT x.user_id, x.left_at, x.role FROM chat_participants x
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
-- As in 0020_change_messages, by who may post; what the host's backend alone sends, nobody else edits.
CREATE FUNCTION edit_message(
  chat uuid,
  message uuid,
  actor uuid,
  new_content text,
  new_mentions json,
  new_metadata json,
  window_seconds int,
  by_service boolean
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
      m.sent_at + make_interval(secs => window_seconds) < clock_timestamp() AS closed,
      may_post(p.role, (SELECT x.posting FROM chats x WHERE x.id = chat)) AS may_post
    INTO known
    FROM (SELECT) one
    LEFT JOIN LATERAL (
      SELECT x.user_id, x.left_at, x.role FROM chat_participants x WHERE x.chat_id = chat AND x.user_id = actor LIMIT 1
    ) p ON p.left_at IS NULL
    LEFT JOIN LATERAL (
      SELECT x.id, x.sequence, x.sender_id, x.sent_at, x.deleted_at, x.version, x.content, x.mentions, x.metadata, x.message_type
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
      WHEN known.sender_id <> actor OR NOT known.may_post THEN 'not_allowed'
      WHEN known.message_type = 'system' AND NOT by_service THEN 'not_allowed'
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
-- For processes of before, which know of no backend.
CREATE OR REPLACE FUNCTION edit_message(
  chat uuid,
  message uuid,
  actor uuid,
  new_content text,
  new_mentions json,
  new_metadata json,
  window_seconds int
) RETURNS TABLE (outcome text, sequence bigint, event_sequence bigint)
LANGUAGE sql VOLATILE
AS $$ SELECT * FROM edit_message(chat, message, actor, new_content, new_mentions, new_metadata, window_seconds, false) $$;
--> statement-breakpoint
-- outcome: updated | unchanged | chat_not_found | chat_is_direct | not_allowed
-- What `changes` does not name stays as it is. It looks twice, as edit_message does, and is numbered as that is.
CREATE FUNCTION update_chat(
  chat uuid,
  actor uuid,
  changes json
) RETURNS TABLE (outcome text, event_sequence bigint)
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
SET lock_timeout = '4s'
AS $$
#variable_conflict use_column
DECLARE
  known record;
BEGIN
  FOREACH outcome IN ARRAY ARRAY['before', 'locked'] LOOP
    IF outcome = 'locked' THEN
      PERFORM FROM chats c WHERE c.id = chat FOR UPDATE;
    END IF;
    SELECT p.role, c.is_group, c.name, c.avatar_url, c.metadata, c.posting,
      CASE WHEN changes -> 'name' IS NULL THEN c.name ELSE changes ->> 'name' END AS new_name,
      CASE WHEN changes -> 'avatarUrl' IS NULL THEN c.avatar_url ELSE changes ->> 'avatarUrl' END AS new_avatar_url,
      CASE WHEN changes -> 'metadata' IS NULL THEN c.metadata WHEN changes ->> 'metadata' IS NULL THEN NULL
        ELSE changes -> 'metadata' END AS new_metadata,
      CASE WHEN changes -> 'posting' IS NULL THEN c.posting ELSE nullif(changes ->> 'posting', 'all') END AS new_posting
    INTO known
    FROM chats c
    CROSS JOIN LATERAL (
      SELECT x.role, x.left_at FROM chat_participants x WHERE x.chat_id = chat AND x.user_id = actor LIMIT 1
    ) p
    WHERE c.id = chat AND p.left_at IS NULL;
    outcome := CASE
      WHEN known.role IS NULL THEN 'chat_not_found'
      WHEN NOT known.is_group THEN 'chat_is_direct'
      WHEN known.role = 'member' THEN 'not_allowed'
      WHEN ROW(known.name, known.avatar_url, known.metadata::text, known.posting) IS NOT DISTINCT FROM
        ROW(known.new_name, known.new_avatar_url, known.new_metadata::text, known.new_posting) THEN 'unchanged'
      ELSE 'updated'
    END;
    IF outcome <> 'updated' THEN
      RETURN NEXT;
      RETURN;
    END IF;
  END LOOP;

  event_sequence := number_change(chat, 'chat', 0);
  UPDATE chats c
  SET name = known.new_name, avatar_url = known.new_avatar_url, metadata = known.new_metadata, posting = known.new_posting
  WHERE c.id = chat;
  RETURN NEXT;
END
$$;
