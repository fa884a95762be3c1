-- compatible since: 0002_store_messages_by_key
--
-- `messages` in 4 partitions by the hash of the chat: what grows without end is vacuumed, and its indexes are made, in parts.
-- Every batch pays for all of them: with 4 or 8 no more than the batch has become cheaper since (0013), with 16 it takes 15 % more
-- of PostgreSQL's time.
--
-- The table that is there cannot become a partitioned one, so there is a second beside it: what is stored from here on is stored
-- in both, 0010 copies the rest, and 0011 puts the second into the place of the first.
--
-- The limit of a content is the type's: a constraint of the table is made ready once for every partition that a batch stores
-- into, which took a fifth of the batch's time.
CREATE DOMAIN message_content AS text CHECK (char_length(value) <= 8000);
--> statement-breakpoint
CREATE TABLE messages_by_chat (
	"chat_id" uuid NOT NULL,
	"sequence" bigint NOT NULL,
	"id" uuid NOT NULL,
	"sender_id" uuid NOT NULL,
	"client_message_id" uuid NOT NULL,
	"content" message_content NOT NULL,
	"sent_at" timestamp (3) with time zone NOT NULL,
	"event_sequence" bigint NOT NULL,
	"message_type" text,
	"edited_at" timestamp (3) with time zone,
	"deleted_at" timestamp (3) with time zone,
	"deleted_by" uuid,
	"version" bigint,
	"reply_to" uuid,
	"mentions" json,
	"attachments" json,
	"metadata" json,
	"body_hash" bytea,
	CONSTRAINT "messages_by_chat_pkey" PRIMARY KEY("chat_id","sequence"),
	CONSTRAINT "messages_by_chat_id" UNIQUE("chat_id","id")
) PARTITION BY HASH (chat_id);
--> statement-breakpoint
DO $$
DECLARE
  given record;
BEGIN
  FOR remainder IN 0..3 LOOP
    EXECUTE format(
      'CREATE TABLE messages_p%s PARTITION OF messages_by_chat FOR VALUES WITH (MODULUS 4, REMAINDER %s)',
      remainder, remainder
    );
  END LOOP;
  -- Who may use the first may use the second: those who store do so in both.
  FOR given IN
    SELECT a.privilege_type AS what, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS to_whom
    FROM pg_class c, aclexplode(c.relacl) a
    WHERE c.oid = 'messages'::regclass AND a.grantee <> c.relowner
  LOOP
    EXECUTE format('GRANT %s ON messages_by_chat TO %s', given.what, given.to_whom);
  END LOOP;
END
$$;
--> statement-breakpoint
CREATE FUNCTION copy_changed_messages() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
BEGIN
  -- What is changed or deleted by hand waits for the batch that is being copied, so that this does not bring it back.
  IF TG_OP <> 'INSERT' THEN
    PERFORM pg_advisory_xact_lock_shared(4014231209);
  END IF;
  IF TG_OP = 'TRUNCATE' THEN
    TRUNCATE messages_by_chat;
  END IF;
  IF TG_OP IN ('UPDATE', 'DELETE') THEN
    DELETE FROM messages_by_chat c USING before b WHERE c.chat_id = b.chat_id AND c.sequence = b.sequence;
  END IF;
  IF TG_OP IN ('INSERT', 'UPDATE') THEN
    INSERT INTO messages_by_chat (chat_id, sequence, id, sender_id, client_message_id, content, sent_at, event_sequence)
    SELECT chat_id, sequence, id, sender_id, client_message_id, content, sent_at, event_sequence FROM after;
  END IF;
  RETURN NULL;
END
$$;
--> statement-breakpoint
-- Copies what was stored before, in the order of the primary key, and keeps how far it is: after an interruption it goes on
-- from there. A row that is stored meanwhile is in both tables, so it is left out here, wherever it is.
CREATE PROCEDURE copy_messages()
LANGUAGE plpgsql
AS $$
DECLARE
  last_chat uuid;
  last_sequence bigint;
BEGIN
  LOOP
    PERFORM pg_advisory_xact_lock(4014231209);
    SELECT split_part(value, ' ', 1)::uuid, split_part(value, ' ', 2)::bigint INTO last_chat, last_sequence
    FROM settings WHERE key = 'messages_copied';
    WITH next AS MATERIALIZED (
      SELECT * FROM messages m
      WHERE (m.chat_id, m.sequence) > (
        coalesce(last_chat, '00000000-0000-0000-0000-000000000000'), coalesce(last_sequence, 0)
      )
      ORDER BY m.chat_id, m.sequence
      LIMIT 5000
    ), copied AS (
      INSERT INTO messages_by_chat (chat_id, sequence, id, sender_id, client_message_id, content, sent_at, event_sequence)
      SELECT chat_id, sequence, id, sender_id, client_message_id, content, sent_at, event_sequence FROM next
      ON CONFLICT DO NOTHING
    )
    SELECT n.chat_id, n.sequence INTO last_chat, last_sequence
    FROM next n ORDER BY n.chat_id DESC, n.sequence DESC LIMIT 1;
    EXIT WHEN NOT FOUND;
    INSERT INTO settings (key, value) VALUES ('messages_copied', last_chat || ' ' || last_sequence)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value;
    COMMIT;
  END LOOP;
  -- In one snapshot. The first is dropped next, so nothing may be missing in the second.
  IF (SELECT count(*) FROM messages) <> (SELECT count(*) FROM messages_by_chat) THEN
    RAISE EXCEPTION 'messages_by_chat does not have the rows of messages';
  END IF;
END
$$;
--> statement-breakpoint
CREATE TRIGGER messages_inserted AFTER INSERT ON messages
REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION copy_changed_messages();
--> statement-breakpoint
CREATE TRIGGER messages_updated AFTER UPDATE ON messages
REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION copy_changed_messages();
--> statement-breakpoint
CREATE TRIGGER messages_deleted AFTER DELETE ON messages
REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION copy_changed_messages();
--> statement-breakpoint
CREATE TRIGGER messages_truncated AFTER TRUNCATE ON messages
FOR EACH STATEMENT EXECUTE FUNCTION copy_changed_messages();
