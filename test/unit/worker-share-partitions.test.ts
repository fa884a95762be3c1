import { afterEach, expect, test } from 'bun:test';
import pino from 'pino';
import type { ProcessRegistry } from '../../src/shared/ports/registry.ts';
import { partitionsOf } from '../../src/worker/partitions-of.ts';
import { sharePartitions } from '../../src/worker/share-partitions.ts';
import { process } from '../conformance/registry.ts';
import { eventually } from '../support/eventually.ts';
import { testMembership } from '../support/queue-parts.ts';

const log = pino({ level: 'silent' });
const partitionCount = 16;
const ids = ['me', 'another', 'a third'];

/** A registry whose answer the test decides, and partitions that take as long to close as it says. */
function world() {
  const state = {
    alive: ['me'] as string[] | undefined,
    /** Of these that read no newer envelopes than the first. */
    older: [] as string[],
    beats: 0,
    left: [] as string[],
    open: new Set<number>(),
    /** What each partition was opened with last. */
    signals: new Map<number, AbortSignal>(),
    failOpening: false,
    opening: async () => {},
    closing: async () => {},
  };
  const registry: ProcessRegistry = {
    async beat() {
      state.beats += 1;
      if (!state.alive) throw new Error('the database is away');
      // Others than workers are nobody to share with.
      const live = [
        process({ roles: ['api'] }),
        ...state.alive.map((id) => process({ id, envelopeVersion: state.older.includes(id) ? 1 : 2 })),
      ];
      return { live, databaseTime: Date.now() };
    },
    async leave(id) {
      state.left.push(id);
    },
  };
  const consume = async (partition: number, leaving: AbortSignal) => {
    if (state.failOpening) throw new Error('no channel');
    expect(state.open.has(partition)).toBe(false);
    state.open.add(partition);
    state.signals.set(partition, leaving);
    await state.opening();
    return {
      async close() {
        await state.closing();
        state.open.delete(partition);
      },
    };
  };
  const start = (times: { giveUpAfterMs?: number } = {}) =>
    sharePartitions({
      membership: testMembership(registry, { id: 'me', beatMs: 5 }),
      ...{ partitionCount, consume, log, ...times },
    });
  return { state, start };
}

const mine = (alive: string[]) => partitionsOf('me', alive, partitionCount);
const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

test('it consumes exactly its own, whoever comes and goes', async () => {
  const { state, start } = world();
  const share = await start();
  stops.push(share.stop);
  expect(share.ready()).toBe(true);
  expect(state.open.size).toBe(partitionCount);
  for (const alive of [ids.slice(0, 2), ids, ['me', 'a third'], ['me']]) {
    state.alive = alive;
    await eventually(
      `shared among ${alive.length}`,
      () => state.open.symmetricDifference(mine(alive)).size === 0,
    );
  }
});

test('an older worker that comes has its share when apis have seen it, one that was there before at once', async () => {
  const { state, start } = world();
  state.older = ['another', 'a third'];
  state.alive = ids.slice(0, 2);
  const share = await start({ giveUpAfterMs: 150 });
  stops.push(share.stop);
  expect(state.open).toEqual(mine(ids.slice(0, 2)));
  state.alive = ids;
  const { beats } = state;
  await eventually('it has seen it', () => state.beats > beats + 2);
  expect(state.open).toEqual(mine(ids.slice(0, 2)));
  await eventually('it shares', () => state.open.symmetricDifference(mine(ids)).size === 0);
});

test('it keeps what it has while the registry is away for a moment, and opens later what could not be opened', async () => {
  const { state, start } = world();
  state.failOpening = true;
  const share = await start();
  stops.push(share.stop);
  expect(state.open.size).toBe(0);
  state.failOpening = false;
  await eventually('all are open', () => state.open.size === partitionCount);
  state.alive = undefined;
  const { beats } = state;
  await eventually('it goes on beating', () => state.beats > beats + 3);
  expect(state.open.size).toBe(partitionCount);
});

test('away from the registry for so long that it counts as dead, it gives all up, and takes its own again after that', async () => {
  const { state, start } = world();
  const share = await start({ giveUpAfterMs: 40 });
  stops.push(share.stop);
  expect([...state.signals.values()].some(({ aborted }) => aborted)).toBe(false);
  // A batch in hand that cannot be stored is left only when it is told so.
  const handed = [...state.signals.values()];
  state.closing = async () => expect(handed.every(({ aborted }) => aborted)).toBe(true);
  state.alive = undefined;
  await eventually('all are given up', () => state.open.size === 0);
  expect(share.ready()).toBe(false);
  state.closing = async () => {};
  state.alive = ids;
  await eventually('its own are open', () => state.open.symmetricDifference(mine(ids)).size === 0);
  expect(share.ready()).toBe(true);
  expect([...state.open].some((partition) => state.signals.get(partition)!.aborted)).toBe(false);
});

test('who loses a partition to another worker is told to leave what it cannot store, and keeps at the others', async () => {
  const { state, start } = world();
  const share = await start();
  stops.push(share.stop);
  const handed = new Map(state.signals);
  // A batch that waits for the database ends only by this.
  state.closing = () => eventually('it is told', () => [...handed.values()].some(({ aborted }) => aborted));
  state.alive = ids;
  await eventually('shared', () => state.open.symmetricDifference(mine(ids)).size === 0);
  for (const [partition, signal] of handed) expect(signal.aborted).toBe(!mine(ids).has(partition));
});

test('a partition that is given up while it is being opened is opened anew, with nothing of the old', async () => {
  const { state, start } = world();
  state.alive = ids;
  const share = await start({ giveUpAfterMs: 40 });
  stops.push(share.stop);
  const gate = Promise.withResolvers<void>();
  state.opening = () => gate.promise;
  state.alive = ['me'];
  await eventually('the others are being opened', () => state.open.size === partitionCount);
  state.alive = undefined;
  await eventually('all are given up', () => [...state.signals.values()].every(({ aborted }) => aborted));
  state.alive = ['me'];
  state.opening = async () => {};
  gate.resolve();
  const isOpen = () => state.open.size === partitionCount && share.ready();
  await eventually('all are open, and for good', () => {
    return isOpen() && [...state.signals.values()].every(({ aborted }) => !aborted);
  });
});

test('a batch that takes long to finish holds up neither the beat nor the other partitions', async () => {
  const { state, start } = world();
  const share = await start();
  const gate = Promise.withResolvers<void>();
  state.closing = () => gate.promise;
  state.alive = ids;
  const { beats } = state;
  await eventually('it goes on beating', () => state.beats > beats + 5);
  // Given back while it closes: opened again only when it is closed.
  state.alive = ['me'];
  await eventually('it beats on', () => state.beats > beats + 10);
  gate.resolve();
  await eventually('all are open again', () => state.open.size === partitionCount);
  await share.stop();
  expect(state.open.size).toBe(0);
  expect(state.left).toEqual(['me']);
  expect(share.ready()).toBe(false);
});
