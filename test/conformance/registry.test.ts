import { afterAll, beforeAll, expect, test } from 'bun:test';
import type { Database } from '../../src/db/database.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openPglite } from '../../src/db/pglite.ts';
import { newId } from '../../src/shared/ids.ts';
import { createDatabaseRegistry } from '../../src/shared/registry/database.ts';
import { createLocalRegistry } from '../../src/shared/registry/local.ts';
import { registryConformance } from './registry.ts';

let database: Database;
beforeAll(async () => {
  database = await openPglite();
  await migrate(database);
}, 30_000);
afterAll(() => database.close());

registryConformance('in-process', async () => createLocalRegistry());
registryConformance('database', async () => createDatabaseRegistry(database));

test('in the database one not seen for 6 s is dead, and comes back with its next beat', async () => {
  const registry = createDatabaseRegistry(database);
  const [one, two] = [newId(), newId()];
  await registry.beat(one);
  await registry.beat(two);
  const age = (id: string, interval: string) =>
    database.query(`UPDATE workers SET seen_at = now() - $2::text::interval WHERE id = $1::uuid`, [
      id,
      interval,
    ]);
  await age(two, '5 seconds');
  expect((await registry.beat(one)).toSorted()).toEqual([one, two].toSorted());
  await age(two, '7 seconds');
  expect(await registry.beat(one)).toEqual([one]);
  expect((await registry.beat(two)).toSorted()).toEqual([one, two].toSorted());
  await age(two, '2 minutes');
  await registry.beat(one);
  const rows = await database.query<{ id: string }>('SELECT id::text FROM workers', []);
  expect(rows).toEqual([{ id: one }]);
});
