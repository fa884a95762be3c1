/** `bun run migrate`: brings the schema of `DATABASE_URL` up to date. */
import { openReadyPostgres } from '../db/open-ready-postgres.ts';
import { parseConfig } from '../shared/config.ts';
import { createLog } from '../shared/log.ts';

try {
  const config = parseConfig(process.env, { needsSecret: false });
  const database = await openReadyPostgres({
    ...config.database,
    applicationName: 'confab-migrate',
    migrates: true,
    waitMs: 60_000,
    log: createLog({ logLevel: config.logLevel, environment: 'development' }, 'migrate'),
  });
  await database.close();
  console.log('The schema is up to date.');
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
