-- compatible since: 0002_store_messages_by_key
--
-- Columns alone, each without a rewrite of its table: processes of the version before go on beside it.
ALTER TABLE "refresh_tokens" ADD COLUMN "counter" integer;--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "address_hash" text;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "display_name_given" boolean DEFAULT false NOT NULL;
