-- compatible since: 0002_store_messages_by_key
-- no transaction
--
-- What a chat and a user show beside their names, who may post, and chats that are deleted. Columns without a default and a
-- rewrite, the constraint checked without keeping anybody waiting.
ALTER TABLE "users"
  ADD COLUMN IF NOT EXISTS "avatar_url" text,
  ADD COLUMN IF NOT EXISTS "metadata" json;
--> statement-breakpoint
ALTER TABLE "chats"
  ADD COLUMN IF NOT EXISTS "avatar_url" text,
  ADD COLUMN IF NOT EXISTS "metadata" json,
  ADD COLUMN IF NOT EXISTS "posting" text,
  ADD COLUMN IF NOT EXISTS "deleted_at" timestamp (3) with time zone,
  DROP CONSTRAINT IF EXISTS "chats_posting",
  ADD CONSTRAINT "chats_posting" CHECK ("posting" = 'admins') NOT VALID;
--> statement-breakpoint
ALTER TABLE "chats" VALIDATE CONSTRAINT "chats_posting";
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS "chats_to_purge" (
	"chat_id" uuid PRIMARY KEY NOT NULL,
	"deleted_at" timestamp (3) with time zone NOT NULL,
	"purged_through" bigint DEFAULT 0 NOT NULL,
	"retry_at" timestamp (3) with time zone
);
--> statement-breakpoint
-- Whoever may write chats writes these.
DO $$
DECLARE
  given record;
BEGIN
  FOR given IN
    SELECT a.privilege_type AS what, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS to_whom
    FROM pg_class c, aclexplode(c.relacl) a
    WHERE c.oid = 'chats'::regclass AND a.grantee <> c.relowner
  LOOP
    EXECUTE format('GRANT %s ON chats_to_purge TO %s', given.what, given.to_whom);
  END LOOP;
END
$$;
--> statement-breakpoint
-- Who leads a chat: to know whether an owner is left read everybody in it, under its lock. As with the other two, only who names its
-- condition can use it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS "chat_participants_leading" ON "chat_participants"
USING btree ("chat_id","role","joined_at") WHERE "chat_participants"."left_at" is null and "chat_participants"."role" <> 'member';
