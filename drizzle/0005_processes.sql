-- compatible since: 0002_store_messages_by_key
--
-- Every process writes its beat into one table, which was the workers' alone. Versions from before this go on with a view of
-- it: what their workers insert there gets the defaults, which are what is true of them.
ALTER TABLE workers RENAME TO processes;
--> statement-breakpoint
ALTER INDEX workers_pkey RENAME TO processes_pkey;
--> statement-breakpoint
ALTER TABLE processes
  ADD COLUMN roles text[] NOT NULL DEFAULT '{worker}',
  ADD COLUMN program_version text,
  ADD COLUMN envelope_version integer NOT NULL DEFAULT 1,
  ADD COLUMN fingerprints jsonb NOT NULL DEFAULT '{}';
--> statement-breakpoint
CREATE VIEW workers AS SELECT id, seen_at FROM processes WHERE 'worker' = ANY (roles);
--> statement-breakpoint
-- Where no process was ever started, none has put an envelope without a signature into a queue.
INSERT INTO settings (key, value)
SELECT 'signed_since', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
WHERE NOT EXISTS (SELECT FROM settings WHERE key = 'partition_count');
