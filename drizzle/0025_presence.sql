-- compatible since: 0002_store_messages_by_key
-- no transaction
--
-- Whether others are told that a user is online, and when the user last was. The columns are added without a rewrite, and nothing indexes
-- them: the write at a user's last close stays on its page (HOT).
ALTER TABLE "users"
  ADD COLUMN IF NOT EXISTS "show_presence" boolean DEFAULT true NOT NULL,
  ADD COLUMN IF NOT EXISTS "last_seen_at" timestamp (3) with time zone;
