-- compatible since: 0002_store_messages_by_key
-- no transaction
--
-- What changed in a chat beside messages and participants, and what a participant has read and set. The columns are added
-- without a rewrite, the constraints checked without keeping anybody waiting.
CREATE TABLE IF NOT EXISTS "chat_changes" (
	"chat_id" uuid NOT NULL,
	"event_sequence" bigint NOT NULL,
	"kind" text NOT NULL,
	"key" bigint NOT NULL,
	CONSTRAINT "chat_changes_pkey" PRIMARY KEY("chat_id","kind","key")
);
--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "chat_changes_sequence" ON "chat_changes" USING btree ("chat_id","event_sequence");
--> statement-breakpoint
-- Whoever may write participants writes these.
DO $$
DECLARE
  given record;
BEGIN
  FOR given IN
    SELECT a.privilege_type AS what, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS to_whom
    FROM pg_class c, aclexplode(c.relacl) a
    WHERE c.oid = 'chat_participants'::regclass AND a.grantee <> c.relowner
  LOOP
    EXECUTE format('GRANT %s ON chat_changes TO %s', given.what, given.to_whom);
  END LOOP;
END
$$;
--> statement-breakpoint
ALTER TABLE "chat_participants"
  ADD COLUMN IF NOT EXISTS "last_read_sequence" bigint,
  ADD COLUMN IF NOT EXISTS "read_through_sequence" bigint,
  ADD COLUMN IF NOT EXISTS "notify" text DEFAULT 'all' NOT NULL,
  ADD COLUMN IF NOT EXISTS "muted_until" timestamp (3) with time zone,
  ADD COLUMN IF NOT EXISTS "pinned_at" timestamp (3) with time zone,
  ADD COLUMN IF NOT EXISTS "archived_at" timestamp (3) with time zone,
  ADD COLUMN IF NOT EXISTS "membership_version" bigint DEFAULT 0 NOT NULL,
  DROP CONSTRAINT IF EXISTS "chat_participants_role",
  ADD CONSTRAINT "chat_participants_role" CHECK ("role" in ('owner', 'admin', 'member')) NOT VALID,
  DROP CONSTRAINT IF EXISTS "chat_participants_notify",
  ADD CONSTRAINT "chat_participants_notify" CHECK ("notify" in ('all', 'mentions', 'none')) NOT VALID;
--> statement-breakpoint
ALTER TABLE "chat_participants" VALIDATE CONSTRAINT "chat_participants_role";
--> statement-breakpoint
ALTER TABLE "chat_participants" VALIDATE CONSTRAINT "chat_participants_notify";
--> statement-breakpoint
-- Rows that change all the time: there is room beside each for its next versions, and what they leave is cleared away when it
-- is a fiftieth of the table instead of a fifth.
ALTER TABLE "chat_participants" SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
--> statement-breakpoint
ALTER TABLE "chats" SET (autovacuum_vacuum_scale_factor = 0.02);
--> statement-breakpoint
ALTER TABLE "users" SET (autovacuum_vacuum_scale_factor = 0.02);
--> statement-breakpoint
ALTER TABLE "refresh_tokens" SET (autovacuum_vacuum_scale_factor = 0.02);
--> statement-breakpoint
ALTER TABLE "chat_changes" SET (autovacuum_vacuum_scale_factor = 0.02);
--> statement-breakpoint
-- The last message of a chat that is not numbered above `number`, to within `near`, by halves: `known` and `beyond` are bounds of
-- it. A message's number is never lower than that of one before it.
CREATE OR REPLACE FUNCTION last_known_message(chat uuid, known bigint, beyond bigint, number bigint, near bigint) RETURNS bigint
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
DECLARE
  middle bigint;
  is_known boolean;
BEGIN
  known := greatest(known, 0);
  WHILE beyond - known > near LOOP
    middle := (known + beyond) / 2;
    SELECT m.event_sequence <= number INTO is_known FROM messages m
    WHERE m.chat_id = chat AND m.sequence BETWEEN middle AND middle ORDER BY m.chat_id, m.sequence LIMIT 1;
    -- One that somebody deleted by hand says nothing: there is more to read through.
    EXIT WHEN is_known IS NULL;
    IF is_known THEN known := middle; ELSE beyond := middle; END IF;
  END LOOP;
  RETURN known;
END
$$;
