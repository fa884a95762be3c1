DROP INDEX "chat_participants_user";--> statement-breakpoint
CREATE INDEX "chat_participants_user" ON "chat_participants" USING btree ("user_id","chat_id");