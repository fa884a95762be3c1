-- compatible since: 0002_store_messages_by_key
--
-- Both tables have the same rows: the second takes the place of the first. Statements that wait for the first find the second
-- under its name.
DROP TABLE messages;
--> statement-breakpoint
ALTER TABLE messages_by_chat RENAME TO messages;
--> statement-breakpoint
ALTER TABLE messages RENAME CONSTRAINT messages_by_chat_pkey TO messages_pkey;
--> statement-breakpoint
ALTER TABLE messages RENAME CONSTRAINT messages_by_chat_id TO messages_chat_id_id;
--> statement-breakpoint
DROP PROCEDURE copy_messages();
--> statement-breakpoint
DROP FUNCTION copy_changed_messages();
--> statement-breakpoint
DELETE FROM settings WHERE key = 'messages_copied';
