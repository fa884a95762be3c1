/** `bun run migrate`: brings the schema of `DATABASE_URL` up to date. */
import { openReadyPostgres } from '../db/open-ready-postgres.ts';
import { loadConfig } from '../process/load-config.ts';
import { createLog } from '../shared/log.ts';
import { operatorAudit } from './operator/audit.ts';

try {
  const config = loadConfig({ needsSecret: false, servers: ['postgres'] });
  const log = createLog({ logLevel: config.logLevel, environment: 'development' }, 'migrate');
  for (const warning of config.warnings) log.warn(warning);
  const database = await openReadyPostgres({
    ...config.database,
    applicationName: 'confab-migrate',
    migrates: true,
    waitMs: 60_000,
    log,
  });
  operatorAudit('migrate')('schema.migrated', { migrations: database.migrated });
  await database.close();
  console.log('The schema is up to date.');
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
