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
	"deleted_at" timestamp (3) with time zone NOT NULL
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
