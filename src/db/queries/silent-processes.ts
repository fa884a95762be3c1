/**
 * Apis and gateways from before every process wrote a beat, as `name`: they are known by the names that they have at the
 * database. Their workers' beats say no version.
 */
export const silentProcesses = `SELECT DISTINCT application_name AS name FROM pg_stat_activity
WHERE datname = current_database() AND application_name IN ('confab-api', 'confab-gateway')`;
