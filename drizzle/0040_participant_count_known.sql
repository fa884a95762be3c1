-- compatible since: 0002_store_messages_by_key
-- no transaction
--
-- 0017_participant_counts has counted all that were not known. Told so by a constraint that was checked beside all work, PostgreSQL
-- reads no row under the table's lock.
ALTER TABLE "chats"
  DROP CONSTRAINT IF EXISTS "chats_participant_count",
  ADD CONSTRAINT "chats_participant_count" CHECK ("participant_count" IS NOT NULL) NOT VALID;
--> statement-breakpoint
ALTER TABLE "chats" VALIDATE CONSTRAINT "chats_participant_count";
--> statement-breakpoint
ALTER TABLE "chats" ALTER COLUMN "participant_count" SET NOT NULL;
--> statement-breakpoint
ALTER TABLE "chats" DROP CONSTRAINT IF EXISTS "chats_participant_count";
--> statement-breakpoint
DROP PROCEDURE IF EXISTS count_participants();
