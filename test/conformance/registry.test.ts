import { expect, test } from 'bun:test';
import { createLocalRegistry } from '../../src/adapters/embedded/registry.ts';
import { createDatabaseRegistry } from '../../src/adapters/postgres/registry.ts';
import { createLog } from '../../src/shared/log.ts';
import { partitionsOf } from '../../src/worker/partitions-of.ts';
import { sharePartitions } from '../../src/worker/share-partitions.ts';
import { embeddedDatabase } from '../support/api-bases.ts';
import { eventually } from '../support/eventually.ts';
import { workersOfBefore } from '../support/old-version.ts';
import { testMembership } from '../support/queue-parts.ts';
import { byId, process, registryConformance } from './registry.ts';

const database = await embeddedDatabase();

registryConformance('in-process', async () => createLocalRegistry());
registryConformance('database', async () => createDatabaseRegistry(database));

test('in the database one not seen for 6 s is dead, and comes back with its next beat', async () => {
  const registry = createDatabaseRegistry(database);
  const [one, two] = [process(), process({ roles: ['gateway'] })];
  const live = async (self: typeof one) => byId((await registry.beat(self)).live);
  await live(one);
  await live(two);
  const age = (id: string, interval: string) =>
    database.query(`UPDATE processes SET seen_at = now() - $2::text::interval WHERE id = $1::uuid`, [
      id,
      interval,
    ]);
  await age(two.id, '5 seconds');
  expect(await live(one)).toEqual([one, two]);
  await age(two.id, '7 seconds');
  expect(await live(one)).toEqual([one]);
  expect(await live(two)).toEqual([one, two]);
  await age(two.id, '2 minutes');
  await live(one);
  const rows = await database.query<{ id: string }>('SELECT id::text FROM processes', []);
  expect(rows).toEqual([{ id: one.id }]);
  await registry.leave(one.id);
});

test('workers of a version that knew workers alone, and these, see each other; the other processes they do not see', async () => {
  const registry = createDatabaseRegistry(database);
  const old = workersOfBefore(database);
  const [worker, api] = [process(), process({ roles: ['api'] })];
  await registry.beat(worker);
  await registry.beat(api);
  const oldId = crypto.randomUUID();
  expect((await old.beat(oldId)).toSorted()).toEqual([worker.id, oldId].toSorted());
  // A second time: it is a change of its row.
  expect((await old.beat(oldId)).toSorted()).toEqual([worker.id, oldId].toSorted());
  const seen = (await registry.beat(worker)).live.find(({ id }) => id === oldId);
  expect(seen).toEqual({
    ...{ id: oldId, roles: ['worker'], programVersion: null, envelopeVersion: 1, fingerprints: {} },
    kinds: ['chat.message.new', 'chat.message.saved', 'chat.participant.added', 'chat.participant.removed'],
  });

  await database.query(`UPDATE processes SET seen_at = now() - interval '2 minutes' WHERE id <> $1::uuid`, [
    oldId,
  ]);
  expect(await old.beat(oldId)).toEqual([oldId]);
  // It forgets workers that are long dead, and nobody else.
  const left = await database.query<{ id: string }>('SELECT id::text FROM processes', []);
  expect(left.map(({ id }) => id).toSorted()).toEqual([api.id, oldId].toSorted());
  await old.leave(oldId);
  expect(byId((await registry.beat(worker)).live)).toEqual([worker]);
  await registry.leave(worker.id);
  await registry.leave(api.id);
});

test('a worker of before and one of these share the partitions, each its own, with apis beside them', async () => {
  const partitionCount = 64;
  const registry = createDatabaseRegistry(database);
  const old = workersOfBefore(database);
  const [oldId, api] = [crypto.randomUUID(), process({ roles: ['api'] })];
  await registry.beat(api);
  await old.beat(oldId);
  const open = new Set<number>();
  const membership = testMembership(registry, { beatMs: 5 });
  const share = await sharePartitions({
    membership,
    partitionCount,
    consume: async (partition) => {
      open.add(partition);
      return { close: async () => void open.delete(partition) };
    },
    log: createLog({ logLevel: 'silent' }, 'test'),
  });
  const ofOld = partitionsOf(oldId, await old.beat(oldId), partitionCount);
  expect(ofOld.size).toBeGreaterThan(0);
  expect(open.size).toBe(partitionCount - ofOld.size);
  expect(open.isDisjointFrom(ofOld)).toBe(true);
  await old.leave(oldId);
  await eventually('all are its own', () => open.size === partitionCount);
  await share.stop();
  expect(await old.beat(oldId)).toEqual([oldId]);
  await old.leave(oldId);
  await registry.leave(api.id);
});
