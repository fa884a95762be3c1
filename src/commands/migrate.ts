/** `bun run migrate`: brings the schema of `DATABASE_URL` up to date. */
import { openReadyPostgres } from '../db/open-ready-postgres.ts';
import { loadConfig } from '../process/load-config.ts';
import { createLog } from '../shared/log.ts';
import { operatorAudit } from './operator/audit.ts';
import { operate } from './operator/operate.ts';

await operate('bun run migrate', async () => {
  const config = loadConfig({ needsSecret: false, servers: ['postgres'] });
  const log = createLog({ logLevel: config.logLevel, environment: 'development' }, 'migrate');
  for (const warning of config.warnings) log.warn(warning);
  const migrations: string[] = [];
  try {
    const database = await openReadyPostgres({
      ...config.database,
      applicationName: 'confab-migrate',
      migrates: true,
      onMigrated: (name) => migrations.push(name),
      waitMs: 60_000,
      log,
    });
    await database.close();
  } finally {
    // Of one that fails those before it stay.
    operatorAudit('migrate')('schema.migrated', { migrations });
  }
  console.log('The schema is up to date.');
  return 0;
});
