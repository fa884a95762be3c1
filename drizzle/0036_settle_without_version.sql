-- compatible since: 0002_store_messages_by_key
--
-- Writes what some users have done to their own memberships, each pair of user and chat once, and says what they are then; those
-- who take no part are left out. `read_to` moves the marker on, unless the row is of a later version than `if_version`;
-- `unread_from` puts it before a message; `settings` holds what of them is to change. Where none is given, what is not known yet
-- becomes known, and a marker goes over what is never unread: a run of 16 or more messages that are own, deleted or the system's,
-- 200,000 a call, of all of them together, and 1,000 of each at least. That changes nothing for the user and has no version: with
-- one, a device that had not heard of it was refused what it read next, as of an older version.
--
-- The rows are locked first, in the order of users and chats, then the users in theirs, and what is read then is read by a
-- statement of its own. No chat is locked and takes a number. Whoever else holds a row for longer than lock_timeout, which is
-- less than PostgreSQL waits before it looks for a deadlock, is given way to.
CREATE OR REPLACE FUNCTION write_memberships(
  user_ids uuid[],
  chat_ids uuid[],
  read_tos bigint[],
  if_versions bigint[],
  unread_froms bigint[],
  settings json[]
) RETURNS TABLE (
  ord int, user_id uuid, chat_id uuid, changed boolean, read_on boolean, read_receipts boolean,
  last_read_sequence bigint, read_through_sequence bigint, notify text, muted_until timestamptz, pinned_at timestamptz,
  archived_at timestamptz, membership_version bigint
)
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
SET lock_timeout = '300ms'
AS $$
#variable_conflict use_column
BEGIN
  PERFORM FROM (SELECT * FROM unnest(user_ids, chat_ids) AS i (user_id, chat_id) ORDER BY 1, 2) w
  CROSS JOIN LATERAL (
    SELECT FROM chat_participants x
    WHERE x.chat_id = w.chat_id AND x.user_id = w.user_id AND x.left_at IS NULL
    FOR NO KEY UPDATE
  ) p;
  PERFORM FROM users WHERE users.id = ANY (user_ids) ORDER BY users.id FOR NO KEY UPDATE;

  RETURN QUERY
  WITH target AS MATERIALIZED (
    SELECT w.ord, p.user_id, p.chat_id, p.membership_version, u.read_receipts,
      marker.sequence AS last_read_sequence,
      CASE WHEN read.sequence > 0 THEN greatest(coalesce(p.read_through_sequence, 0), read.sequence)
        ELSE p.read_through_sequence END AS read_through_sequence,
      coalesce(w.settings ->> 'notify', p.notify) AS notify,
      CASE WHEN w.settings -> 'mutedUntil' IS NULL THEN p.muted_until
        ELSE (w.settings ->> 'mutedUntil')::timestamptz(3) END AS muted_until,
      CASE w.settings ->> 'pinned' WHEN 'true' THEN coalesce(p.pinned_at, now()::timestamptz(3)) WHEN 'false' THEN NULL
        ELSE p.pinned_at END AS pinned_at,
      CASE w.settings ->> 'archived' WHEN 'true' THEN coalesce(p.archived_at, now()::timestamptz(3)) WHEN 'false' THEN NULL
        ELSE p.archived_at END AS archived_at,
      coalesce(w.read_to, w.unread_from) IS NOT NULL OR w.settings IS NOT NULL AS wished,
      p.last_read_sequence AS old_last_read, p.read_through_sequence AS old_read_through, p.notify AS old_notify,
      p.muted_until AS old_muted, p.pinned_at AS old_pinned, p.archived_at AS old_archived
    FROM unnest(user_ids, chat_ids, read_tos, if_versions, unread_froms, settings) WITH ORDINALITY
      AS w (user_id, chat_id, read_to, if_version, unread_from, settings, ord)
    CROSS JOIN LATERAL (
      SELECT x.* FROM chat_participants x
      WHERE x.chat_id = w.chat_id AND x.user_id = w.user_id AND x.left_at IS NULL LIMIT 1
    ) p
    CROSS JOIN LATERAL (SELECT x.last_sequence FROM chats x WHERE x.id = w.chat_id LIMIT 1) c
    CROSS JOIN LATERAL (SELECT x.read_receipts FROM users x WHERE x.id = w.user_id LIMIT 1) u
    CROSS JOIN LATERAL (SELECT coalesce(p.last_read_sequence, c.last_sequence) AS sequence) known
    -- In all, so that whoever has many chats gets on with each call.
    CROSS JOIN (SELECT greatest(1000, 200000 / cardinality(chat_ids)) AS at) looked
    CROSS JOIN LATERAL (
      SELECT CASE WHEN w.read_to IS NULL OR w.if_version < p.membership_version THEN NULL
        ELSE least(w.read_to, c.last_sequence) END AS sequence
    ) read
    LEFT JOIN LATERAL (
      SELECT coalesce(min(m.sequence), least(c.last_sequence, known.sequence + looked.at) + 1) - 1 AS sequence FROM (
        SELECT x.sequence FROM messages x
        WHERE x.chat_id = w.chat_id AND x.sequence > known.sequence AND x.sequence <= known.sequence + looked.at
          AND x.sender_id <> w.user_id AND x.deleted_at IS NULL AND x.message_type IS DISTINCT FROM 'system'
        ORDER BY x.chat_id, x.sequence LIMIT 1
      ) m
    ) beyond ON coalesce(w.read_to, w.unread_from) IS NULL AND w.settings IS NULL AND known.sequence < c.last_sequence
    CROSS JOIN LATERAL (
      SELECT CASE
        WHEN w.unread_from IS NOT NULL THEN least(w.unread_from - 1, c.last_sequence)
        WHEN beyond.sequence - known.sequence >= 16 THEN beyond.sequence
        ELSE greatest(known.sequence, read.sequence)
      END AS sequence
    ) marker
  ),
  judged AS MATERIALIZED (
    SELECT t.*,
      ROW(t.last_read_sequence, t.read_through_sequence, t.notify, t.muted_until, t.pinned_at, t.archived_at)
        IS DISTINCT FROM
        ROW(t.old_last_read, t.old_read_through, t.old_notify, t.old_muted, t.old_pinned, t.old_archived) AS changed
    FROM target t
  ),
  placed AS MATERIALIZED (
    SELECT j.*, CASE WHEN j.wished THEN row_number() OVER (PARTITION BY j.user_id, j.wished ORDER BY j.ord) END AS place
    FROM judged j WHERE j.changed
  ),
  counters AS (
    UPDATE users SET own_changes = users.own_changes + n.added
    FROM (SELECT x.user_id, count(*) AS added FROM placed x WHERE x.wished GROUP BY x.user_id) n
    WHERE users.id = ANY (ARRAY[n.user_id])
    RETURNING users.id, users.own_changes - n.added AS before
  ),
  numbered AS MATERIALIZED (
    SELECT x.ord, x.chat_id, x.user_id, x.last_read_sequence, x.read_through_sequence, x.notify, x.muted_until, x.pinned_at,
      x.archived_at, coalesce(n.before + x.place, x.membership_version) AS membership_version
    FROM placed x LEFT JOIN counters n ON n.id = x.user_id
  ),
  written AS (
    UPDATE chat_participants p
    SET last_read_sequence = n.last_read_sequence, read_through_sequence = n.read_through_sequence, notify = n.notify,
      muted_until = n.muted_until, pinned_at = n.pinned_at, archived_at = n.archived_at,
      membership_version = n.membership_version
    FROM numbered n
    WHERE p.chat_id = ANY (ARRAY[n.chat_id]) AND p.user_id = ANY (ARRAY[n.user_id])
  )
  SELECT j.ord::int, j.user_id, j.chat_id, j.changed,
    j.read_through_sequence IS DISTINCT FROM j.old_read_through, j.read_receipts,
    j.last_read_sequence, j.read_through_sequence, j.notify, j.muted_until, j.pinned_at, j.archived_at,
    coalesce(n.membership_version, j.membership_version)
  FROM judged j
  LEFT JOIN numbered n ON n.ord = j.ord
  ORDER BY j.ord;
END
$$;
