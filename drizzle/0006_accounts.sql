-- compatible since: 0002_store_messages_by_key
-- no transaction
--
-- Columns alone, each without a rewrite of its table: processes of the version before go on beside it. Each by itself: in one
-- transaction the first table would be locked for as long as the last is waited for.
ALTER TABLE "refresh_tokens" ADD COLUMN IF NOT EXISTS "counter" integer;
--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN IF NOT EXISTS "address_hash" text;
--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN IF NOT EXISTS "display_name_given" boolean DEFAULT false NOT NULL;
