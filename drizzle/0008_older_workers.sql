-- compatible since: 0002_store_messages_by_key
--
-- Since `signed_since` no older process was there, so what is not signed is forged. Whoever rolls back by stopping all, and
-- starts older processes, has no newer worker that would see them: so a worker that says no version takes it away itself,
-- with its first beat. Else what was accepted then, and waited when the newer ones came back, was refused.
CREATE FUNCTION forget_signed_since() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
BEGIN
  DELETE FROM settings WHERE key = 'signed_since';
  RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE TRIGGER older_worker_came AFTER INSERT ON processes
FOR EACH ROW WHEN (NEW.program_version IS NULL) EXECUTE FUNCTION forget_signed_since();
