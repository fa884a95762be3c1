import { existsSync } from 'node:fs';
import { cp, mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { migrate } from '../../src/db/migrate.ts';
import { type Pglite, pgliteDatabase, pgliteOptions } from '../../src/db/pglite.ts';
import { once } from '../../src/shared/once.ts';
import { ownLauncher } from './servers.ts';

/**
 * Making a database takes 2.6 s of a processor, the migrations some tenths, opening a copy of it 0.4 s. So a process of tests makes it
 * once; those of the test command share a folder, where the first leaves it to the others.
 */
async function made(name: string, make: () => Promise<PGlite>): Promise<Blob> {
  const { CONFAB_TEST_FOLDER: shared } = process.env;
  const path = shared && join(shared, `${name}.tar`);
  if (path && existsSync(path)) return Bun.file(path);
  const client = await make();
  const files = await client.dumpDataDir('none');
  await client.close();
  if (path) {
    await Bun.write(`${path}.${process.pid}`, files);
    await rename(`${path}.${process.pid}`, path);
  }
  return files;
}

const empty = once(() => made('empty', async () => PGlite.create(await pgliteOptions())));

const migrated = once(() =>
  made('migrated', async () => {
    const client = await copyOf(await empty());
    await migrate(pgliteDatabase(client));
    return client;
  }),
);

const copyOf = async (loadDataDir: Blob, dataDir?: string) =>
  PGlite.create({ ...(await pgliteOptions()), loadDataDir, ...(dataDir === undefined ? {} : { dataDir }) });

/** A new database, in memory. */
export const emptyPglite = async (): Promise<Pglite> => pgliteDatabase(await copyOf(await empty()));

/** A new database, in memory, with all that the migrations make. */
export const migratedPglite = async (): Promise<Pglite> => pgliteDatabase(await copyOf(await migrated()));

const folder = once(async () => {
  const database = join(await ownLauncher().guard.temporaryFolder('confab-test-'), 'database');
  await (await copyOf(await migrated(), database)).close();
  return database;
});

/** A data folder as after a first start that nobody has used. */
export async function makeDataFolder(dataDir: string): Promise<void> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await cp(await folder(), join(dataDir, 'database'), { recursive: true });
}
