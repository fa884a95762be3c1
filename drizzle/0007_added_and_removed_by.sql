-- compatible since: 0002_store_messages_by_key
--
-- Without a default: no row is written, and the lock lasts no longer than it takes to say so.
ALTER TABLE "chat_participants" ADD COLUMN "added_by" uuid;
--> statement-breakpoint
ALTER TABLE "chat_participants" ADD COLUMN "removed_by" uuid;
