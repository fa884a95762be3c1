-- The role of api, worker and gateway: it reads and writes rows, and makes, changes and drops nothing. Who runs this owns the tables and
-- migrates; it may be run again at any time.
--   psql -d chat -v password='…' -f deploy/postgres/roles.sql
DO $$
BEGIN
  IF to_regrole('confab') IS NULL THEN CREATE ROLE confab; END IF;
  EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', current_database());
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO confab', current_database());
END
$$;
ALTER ROLE confab LOGIN PASSWORD :'password';
GRANT USAGE ON SCHEMA public TO confab;
-- What is there, and what later migrations make.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO confab;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO confab;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO confab;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO confab;
