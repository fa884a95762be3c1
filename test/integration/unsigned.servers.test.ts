import { afterAll, beforeAll, expect, test } from 'bun:test';
import { createDatabaseRegistry } from '../../src/adapters/postgres/registry.ts';
import { kinds } from '../../src/changes/kinds.ts';
import type { Database } from '../../src/db/database.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { createMembership } from '../../src/process/membership.ts';
import { envelopeVersions } from '../../src/shared/envelope-codec.ts';
import { createLog } from '../../src/shared/log.ts';
import { kindsOfBefore } from '../../src/shared/ports/registry.ts';
import { createUnsignedRule } from '../../src/worker/unsigned.ts';
import { process } from '../conformance/registry.ts';
import { eventually } from '../support/eventually.ts';
import { processOfBefore, silentGateway, unsigningApi, workersOfBefore } from '../support/old-version.ts';
import { realServers } from '../support/servers.ts';
import { migrateUpTo } from '../support/upgrade.ts';

const servers = await realServers();
let url: string;
let database: Database;
const newest = envelopeVersions.at(-1)!;
const opened: Database[] = [];

function open(applicationName: string, at = url): Database {
  const one = openPostgres({ url: at, applicationName, maxConnections: 1 });
  opened.push(one);
  return one;
}

beforeAll(async () => {
  url = await servers.createDatabase();
  database = open('confab-test');
  // An installation that has run before envelopes were signed.
  await migrateUpTo(database, '0005_processes');
  await database.query(`INSERT INTO settings (key, value) VALUES ('partition_count', '8')`, []);
}, 30_000);
afterAll(async () => {
  await Promise.all(opened.map((each) => each.close()));
}, 20_000);

const isSigned = async (of = database) =>
  (await of.query(`SELECT FROM settings WHERE key = 'signed_since'`, [])).length === 1;
const connected = async (name: string) =>
  (await database.query(`SELECT FROM pg_stat_activity WHERE application_name = $1`, [name])).length > 0;

function rule({ waiting = 0, ...times }: { waiting?: number; quietMs?: number; mostQuietMs?: number } = {}) {
  const lines: string[] = [];
  const log = createLog({ logLevel: 'info' }, 'test', {
    write: (line) => void lines.push(JSON.parse(line).msg),
  });
  const state = { waiting, lines };
  return {
    state,
    ...createUnsignedRule({ database, waiting: async () => state.waiting, log, quietMs: 0, ...times }),
  };
}

/** With a connection to the database, as one from before signatures has it. */
async function oldApi() {
  const api = open(unsigningApi);
  await api.query('SELECT 1', []);
  return {
    async leave() {
      await api.close();
      await eventually('it is gone', async () => !(await connected(unsigningApi)));
    },
  };
}

test('workers that beat while the table becomes one of all processes go on, on their old connections', async () => {
  const old = workersOfBefore(open('an old worker'));
  const [oldId, otherId] = [crypto.randomUUID(), crypto.randomUUID()];
  expect(await old.beat(oldId)).toEqual([oldId]);
  const beats: Promise<string[]>[] = [];
  const migrating = migrate(database);
  let migrated = false;
  void migrating.finally(() => (migrated = true)).catch(() => {});
  for (let beat = old.beat(oldId); ; beat = old.beat(oldId)) {
    beats.push(beat);
    await beat;
    if (migrated) break;
  }
  expect(await migrating).toContain('0005_processes');
  for (const beat of beats) expect(await beat).toEqual([oldId]);

  const registry = createDatabaseRegistry(database);
  const self = process();
  const live = (await registry.beat(self)).live;
  expect(live.map(({ id, programVersion }) => [id, programVersion])).toContainEqual([oldId, null]);
  expect((await old.beat(otherId)).toSorted()).toEqual([oldId, otherId, self.id].toSorted());
  for (const id of [oldId, otherId]) await old.leave(id);
  await registry.leave(self.id);
});

test('processes that beat while the table gets what they can load go on, and all see all, of before or not', async () => {
  const at = await servers.createDatabase();
  const own = open('confab-test', at);
  await migrateUpTo(own, '0012_process_kinds');
  const [api, gateway] = (['api', 'gateway'] as const).map((role) =>
    processOfBefore(open(`an old ${role}`, at), role),
  );
  await gateway!.beat();
  let migrated = false;
  const migrating = migrate(own).finally(() => (migrated = true));
  do {
    expect((await api!.beat()).toSorted()).toEqual([api!.id, gateway!.id].toSorted());
  } while (!migrated);
  expect(await migrating).toContain('0012_process_kinds');

  const registry = createDatabaseRegistry(own);
  const self = process({ kinds: [...Object.keys(kinds), 'chat.poll.closed'] });
  const { live } = await registry.beat(self);
  const loads = new Map(live.map((one) => [one.id, one.kinds]));
  expect(loads).toEqual(
    new Map([
      [api!.id, kindsOfBefore],
      [gateway!.id, kindsOfBefore],
      [self.id, self.kinds],
    ]),
  );
  expect(await api!.beat()).toContain(self.id);
  // Again: it is a change of its row, and takes nothing away from what it is taken for.
  expect((await registry.beat(self)).live.find(({ id }) => id === api!.id)?.kinds).toEqual(kindsOfBefore);
  await api!.leave();
  expect((await registry.beat(self)).live).toHaveLength(2);
}, 30_000);

test('apis and gateways of before that write no beat are live as long as they are connected', async () => {
  const at = await servers.createDatabase();
  const own = open('confab-test', at);
  await migrate(own);
  const registry = createDatabaseRegistry(own);
  const membership = createMembership({
    ...{ registry, fingerprints: async () => ({}), kinds: ['chat.poll.closed'], beatMs: 10 },
    log: createLog({ logLevel: 'silent' }, 'test'),
  });
  const seats = [await membership.join('api'), await membership.join('worker')];
  const isReady = () =>
    membership.everyoneLoads('chat.poll.closed') && membership.envelopeVersion() === newest;
  expect(isReady()).toBe(true);
  for (const [name, role] of [
    [unsigningApi, 'api'],
    [silentGateway, 'gateway'],
  ] as const) {
    const old = open(name, at);
    await old.query('SELECT 1', []);
    await eventually(`the ${role} is seen`, () => !isReady());
    const self = process({ kinds: ['chat.poll.closed'], envelopeVersion: newest });
    const { live } = await registry.beat(self);
    expect(live.filter(({ programVersion }) => programVersion === null)).toEqual([
      {
        ...{ id: expect.any(String), roles: [role], programVersion: null, envelopeVersion: 1 },
        ...{ kinds: kindsOfBefore, fingerprints: {} },
      },
    ]);
    await registry.leave(self.id);
    await old.close();
    await eventually(`the ${role} is gone`, () => isReady());
  }
  for (const { leave } of seats) await leave();
});

test('a database that nobody has used before wants signatures from the start', async () => {
  const fresh = open('confab-test', await servers.createDatabase());
  await migrate(fresh);
  expect(await isSigned(fresh)).toBe(true);
  expect(await isSigned()).toBe(false);
});

test('of one that was in use, unsigned ones are believed until no older api is there, for a while, and nothing waits', async () => {
  const api = await oldApi();
  const worker = rule();
  await worker.look();
  expect(await worker.believed()).toBe(true);
  await api.leave();

  // It has left, not long ago.
  const patient = rule({ quietMs: 60_000 });
  await patient.look();
  // It has left, and what it has sent may wait.
  worker.state.waiting = 1;
  await worker.look();
  expect(await worker.believed()).toBe(true);
  expect(await isSigned()).toBe(false);

  worker.state.waiting = 0;
  const another = rule();
  await Promise.all([worker.look(), another.look()]);
  await another.look();
  expect(await isSigned()).toBe(true);
  expect(await worker.believed()).toBe(false);
  expect(await patient.believed()).toBe(false);
  const until = 'until all apis sign, messages without a signature are stored as well';
  expect(worker.state.lines.filter((line) => line === until)).toHaveLength(1);
  expect([...worker.state.lines, ...another.state.lines].filter((line) => line !== until)).toEqual([
    'all apis sign, and the queues were empty: from now on a message without a signature is refused',
  ]);
});

test('an older api that is started again is believed at once, and what it has sent when it is gone', async () => {
  const worker = rule({ quietMs: 60_000 });
  expect(await worker.believed()).toBe(false);
  const api = await oldApi();
  expect(await Promise.all([worker.believed(), worker.believed()])).toEqual([true, true]);
  expect(worker.state.lines).toEqual([
    'an older api is there: messages without a signature are stored again',
  ]);
  await api.leave();
  await worker.look();
  expect(await worker.believed()).toBe(true);
  const later = rule();
  await later.look();
  expect(await later.believed()).toBe(false);
});

test('so is one that is not known by its name, while a worker of its version beats', async () => {
  const worker = rule();
  const old = workersOfBefore(database);
  const oldId = crypto.randomUUID();
  await old.beat(oldId);
  expect(await worker.believed()).toBe(true);
  await worker.look();
  expect(await isSigned()).toBe(false);
  await old.leave(oldId);
  // One of this version is none of those.
  const registry = createDatabaseRegistry(database);
  const self = process();
  await registry.beat(self);
  await worker.look();
  expect(await worker.believed()).toBe(false);
  await registry.leave(self.id);
});

test('so is a whole installation of older processes that nobody of this version has seen', async () => {
  const worker = rule({ quietMs: 60_000 });
  expect(await worker.believed()).toBe(false);
  const old = workersOfBefore(database);
  const oldId = crypto.randomUUID();
  for (let beat = 0; beat < 2; beat += 1) await old.beat(oldId);
  await old.leave(oldId);
  // What waits was accepted while it was there.
  expect(await worker.believed()).toBe(true);
  await rule().look();
  expect(await isSigned()).toBe(true);
});

test('who keeps something in the queues keeps them open for a day at most', async () => {
  await database.query(`DELETE FROM settings WHERE key = 'signed_since'`, []);
  await rule({ waiting: 1 }).look();
  expect(await isSigned()).toBe(false);
  await rule({ waiting: 1, mostQuietMs: 0 }).look();
  expect(await isSigned()).toBe(true);
});

test('the time without an older api begins anew when the database was away: nobody could see one', async () => {
  await database.query(`DELETE FROM settings WHERE key = 'signed_since'`, []);
  let away = false;
  const quietMs = 400;
  const worker = createUnsignedRule({
    database: {
      query: (sql, values) => (away ? Promise.reject(new Error('away')) : database.query(sql, values)),
    },
    waiting: async () => 0,
    log: createLog({ logLevel: 'silent' }, 'test'),
    quietMs,
  });
  const began = performance.now();
  away = true;
  await eventually('it has lasted', async () => {
    await worker.look();
    return performance.now() - began > quietMs + 50;
  });
  away = false;
  await worker.look();
  expect(await isSigned()).toBe(false);
  await eventually('it is quiet', async () => {
    await worker.look();
    return isSigned();
  });
  expect(performance.now() - began).toBeGreaterThan(2 * quietMs);
});

test('while the database is away nothing is decided', async () => {
  const log = createLog({ logLevel: 'silent' }, 'test');
  const away = createUnsignedRule({
    database: { query: () => Promise.reject(new Error('away')) },
    waiting: async () => 0,
    log,
    quietMs: 0,
  });
  await expect(away.believed()).rejects.toThrow('away');
  await away.look();
});
