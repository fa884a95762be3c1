-- compatible since: 0002_store_messages_by_key
--
-- Every process says which kinds of change it can load. Older ones, which do not say it, can load those of the default.
ALTER TABLE "processes" ADD COLUMN "kinds" text[] DEFAULT '{"chat.message.new","chat.message.saved","chat.participant.added","chat.participant.removed"}' NOT NULL;
