import { afterEach, expect, test } from 'bun:test';
import { commonVersion, createMembership } from '../../src/process/membership.ts';
import { envelopeVersions } from '../../src/shared/envelope-codec.ts';
import { createLog } from '../../src/shared/log.ts';
import type { Fingerprints, LiveProcess, ProcessRegistry } from '../../src/shared/ports/registry.ts';
import { process } from '../conformance/registry.ts';
import { eventually } from '../support/eventually.ts';

const newest = envelopeVersions.at(-1)!;
const leaves: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const leave of leaves.splice(0)) await leave();
});

/** A membership that beats all the time, in a registry whose answer the test decides. */
function world() {
  const lines: { level: string; msg: string; [field: string]: unknown }[] = [];
  const state = {
    lines,
    others: [] as LiveProcess[],
    aheadMs: 0,
    away: false,
    beats: [] as LiveProcess[],
    left: [] as string[],
    own: { redis: 'r1', notifications: 'n1' } as Fingerprints,
    /** What is told; not what is done. */
    said: () => lines.map(({ msg }) => msg),
  };
  const registry: ProcessRegistry = {
    async beat(self) {
      if (state.away) throw new Error('the database is away');
      state.beats.push(self);
      return { live: [...state.others, self], databaseTime: Date.now() + state.aheadMs };
    },
    async leave(id) {
      state.left.push(id);
    },
  };
  const log = createLog({ logLevel: 'info' }, 'test', {
    write: (line) => void state.lines.push(JSON.parse(line)),
  });
  const membership = createMembership({
    ...{ registry, fingerprints: async () => state.own, kinds: ['a', 'b'], log, beatMs: 2 },
  });
  const join: typeof membership.join = async (...given) => {
    const seat = await membership.join(...given);
    leaves.push(seat.leave);
    return seat;
  };
  /** That many further beats. */
  const beats = (count: number) => {
    const before = state.beats.length;
    return eventually(`${count} beats`, () => state.beats.length >= before + count);
  };
  return { state, membership, join, beats };
}

test('a process is one row with all of its roles, until the last of them is left', async () => {
  const { state, membership, join } = world();
  const api = await join('api');
  expect(state.beats.at(-1)).toMatchObject({ id: membership.id, roles: ['api'], envelopeVersion: newest });
  const worker = await join('worker');
  expect(state.beats.at(-1)?.roles).toEqual(['api', 'worker']);
  expect(new Set(state.beats.map(({ id }) => id)).size).toBe(1);
  await worker.leave();
  expect(state.beats.at(-1)?.roles).toEqual(['api']);
  expect(state.left).toEqual([]);
  await Promise.all([api.leave(), api.leave()]);
  expect(state.left).toEqual([membership.id]);
});

test('each listener hears of every beat, and of each that is missed; that it is away is said once', async () => {
  const { state, join, beats } = world();
  const heard = { beats: 0, missed: 0 };
  await join('worker', { beat: () => (heard.beats += 1), missed: () => (heard.missed += 1) });
  expect(heard).toEqual({ beats: 1, missed: 0 });
  state.away = true;
  await eventually('some are missed', () => heard.missed > 3);
  state.away = false;
  await beats(3);
  expect(heard.beats).toBeGreaterThanOrEqual(3);
  expect(state.said()).toEqual(['the registry of processes is away', 'the registry of processes is back']);
});

test('who is set up differently is named in one line when it has lasted, and again when it changes or ends', async () => {
  const { state, membership, join, beats } = world();
  const gateway = process({ roles: ['gateway'], fingerprints: { redis: 'r1', notifications: 'n1' } });
  state.others = [gateway];
  await join('api');
  await beats(3);
  expect(membership.agrees()).toBe(true);
  expect(state.said()).toEqual([]);

  const elsewhere = { ...gateway, fingerprints: { redis: 'r2', notifications: 'n1' } };
  state.others = [elsewhere];
  await beats(6);
  expect(membership.agrees()).toBe(false);
  const differs = { 'REDIS_* (another server, or another database of it)': [`gateway ${gateway.id}`] };
  expect(state.lines).toMatchObject([{ level: 'warn', differs }]);

  const second = process({ roles: ['api', 'worker'], fingerprints: { redis: 'r2', notifications: 'n1' } });
  state.others = [elsewhere, second];
  await beats(6);
  expect(state.lines).toHaveLength(2);
  expect(state.lines[1]).toMatchObject({
    differs: { [Object.keys(differs)[0]!]: [`api+worker ${second.id}`, `gateway ${gateway.id}`] },
  });

  state.others = [gateway];
  await beats(6);
  expect(membership.agrees()).toBe(true);
  expect(state.said()[2]).toBe('this process and the others are set up alike');
  expect(state.lines).toHaveLength(3);
});

test('what one of two says nothing of, or what was there for two beats, is no difference', async () => {
  const { state, membership, join, beats } = world();
  // A worker of a version that told nothing, and a process that does not know of its Redis now.
  state.others = [
    process({ programVersion: null }),
    process({ fingerprints: { notifications: 'n1', tokenKey: 't9' } }),
  ];
  await join('api');
  await beats(4);
  const flushed = process({ fingerprints: { redis: 'r2', notifications: 'n1' } });
  let shown = 0;
  Object.defineProperty(state, 'others', {
    get: () => {
      shown += 1;
      return shown <= 2 ? [flushed] : [];
    },
  });
  await beats(6);
  expect(shown).toBeGreaterThan(2);
  expect(state.said()).toEqual([]);
  expect(membership.agrees()).toBe(true);
});

test("under another prefix the mark in Redis says nothing: the prefix is what's wrong", async () => {
  const { state, join, beats } = world();
  state.others = [process({ fingerprints: { redis: 'r2', notifications: 'n2' } })];
  await join('api');
  await beats(4);
  expect(Object.keys(state.lines[0]?.differs ?? {})).toEqual(['CHAT_NOTIFICATION_CHANNEL']);
});

test('fingerprints that take long hold up no beat, and are told with a later one', async () => {
  const lines: unknown[] = [];
  const seen: Fingerprints[] = [];
  const gate = Promise.withResolvers<Fingerprints>();
  const membership = createMembership({
    registry: {
      async beat(self) {
        seen.push(self.fingerprints);
        return { live: [self], databaseTime: Date.now() };
      },
      async leave() {},
    },
    fingerprints: () => gate.promise,
    kinds: [],
    log: createLog({ logLevel: 'info' }, 'test', { write: (line) => void lines.push(line) }),
    beatMs: 2,
  });
  const { leave } = await membership.join('api');
  leaves.push(leave);
  expect(seen).toEqual([{}]);
  gate.resolve({ redis: 'r1' });
  await eventually('it is told', () => seen.at(-1)?.redis === 'r1');
  expect(lines).toEqual([]);
});

test("a clock that is more than 30 s from the database's is said once, and when it is right again", async () => {
  const { state, membership, join, beats } = world();
  state.aheadMs = 29_000;
  await join('gateway');
  await beats(3);
  expect(state.said()).toEqual([]);
  for (const aheadMs of [31_000, 0, -90_000]) {
    state.aheadMs = aheadMs;
    await beats(4);
  }
  expect(state.said()).toEqual([
    "this machine's clock is not the database's",
    "this machine's clock is the database's again",
    "this machine's clock is not the database's",
  ]);
  expect(Math.abs(Number(state.lines[0]?.aheadMs) + 31_000)).toBeLessThan(1_000);
  expect(Math.abs(Number(state.lines[2]?.aheadMs) - 90_000)).toBeLessThan(1_000);
  expect(Math.abs(membership.databaseTime() - Date.now() + 90_000)).toBeLessThan(1_000);
});

test('the version of envelopes is the highest that every live process knows, of which one stores', () => {
  const worker = (envelopeVersion: number) => process({ envelopeVersion });
  const gateway = process({ roles: ['gateway'], envelopeVersion: 1 });
  const versions = [1, 2, 3] as const;
  expect(commonVersion(versions, [])).toBeUndefined();
  expect(commonVersion(versions, [gateway])).toBeUndefined();
  expect(commonVersion(versions, [worker(3), worker(3)])).toBe(3);
  expect(commonVersion(versions, [worker(3), worker(2)])).toBe(2);
  expect(commonVersion(versions, [worker(3), gateway])).toBe(1);
  expect(commonVersion(versions, [worker(9), worker(9)])).toBe(3);
  expect(commonVersion(versions, [worker(3), process({ programVersion: null })])).toBe(1);
  expect(commonVersion(versions, [process({ roles: ['api', 'worker'], envelopeVersion: 2 })])).toBe(2);
});

test('while no worker lives the version of envelopes stays, and an older one that comes takes it back', async () => {
  const { state, membership, join, beats } = world();
  expect(membership.envelopeVersion()).toBe(1);
  state.others = [process({ envelopeVersion: newest })];
  await join('api');
  expect(membership.envelopeVersion()).toBe(newest);
  state.others = [];
  await beats(2);
  expect(membership.envelopeVersion()).toBe(newest);
  state.others = [process()];
  await beats(2);
  expect(membership.envelopeVersion()).toBe(1);
});

test('a kind of change is loaded by everyone once every live process says so, and of none before it was asked', async () => {
  const { state, membership, join, beats } = world();
  const loaded = () => ['a', 'b', 'c'].filter(membership.everyoneLoads);
  expect(loaded()).toEqual([]);
  const old = process({ roles: ['gateway'], kinds: ['a'] });
  state.others = [old, process({ kinds: ['a', 'b', 'c'] })];
  await join('api');
  expect(loaded()).toEqual(['a']);
  state.others = [];
  await beats(2);
  expect(loaded()).toEqual(['a', 'b']);
  // What is known holds while the database is away.
  state.away = true;
  await eventually('a beat is missed', () => state.said().includes('the registry of processes is away'));
  expect(loaded()).toEqual(['a', 'b']);
  state.away = false;
  state.others = [old];
  await beats(2);
  expect(loaded()).toEqual(['a']);
});
