import { expect, test } from 'bun:test';
import type { ClientRecord, FaultRecord, Post } from '../../torture/history.ts';
import { recoveries, recoveryByKind } from '../../torture/recovery.ts';

const id = (at: number) => `message ${at}`;

/** One message every 20 ms; those sent from `from` to `to` are accepted only after the end of it. */
function flow(until: number, from: number, to: number): { posts: Post[]; records: ClientRecord[] } {
  const posts: Post[] = [];
  const records: ClientRecord[] = [{ kind: 'ready', at: 0, membershipVersion: 0 }];
  for (let at = 0; at < until; at += 20) {
    const late = at >= from && at < to;
    const endedAt = late ? to + 2_000 : at + 5;
    posts.push({
      ...{ chatId: 'chat', senderId: 'ann', content: '', authenticated: true, status: 202 },
      clientMessageId: id(at),
      brokerMessageId: id(at),
      begunAt: at,
      endedAt,
    });
    const seen = {
      id: id(at),
      senderId: 'ann',
      clientMessageId: id(at),
      content: '',
      sequence: 1,
      sentAt: '',
    };
    records.push({
      kind: 'message',
      at: endedAt + 5,
      saved: false,
      chatId: 'chat',
      number: 1,
      message: seen,
    });
  }
  return { posts, records };
}

const fault = (name: string, begunAt: number, endedAt: number): FaultRecord => ({
  name,
  begunAt,
  endedAt,
  redisAway: false,
});

function recovered(
  faults: FaultRecord[],
  records: (seen: ClientRecord[]) => ClientRecord[] = (seen) => seen,
) {
  const { posts, records: seen } = flow(40_000, 10_000, 18_000);
  return recoveries(
    { posts, faults, clients: [{ name: 'ben/0', userId: 'ben', records: records(seen) }] },
    38_000,
  );
}

test('recovery lasts from the end of the fault to the first second of full flow', () => {
  const [recovery] = recovered([fault('kill api', 10_000, 15_000)]);
  expect(recovery?.faults).toEqual(['kill api']);
  expect(recovery?.ms).toBeGreaterThanOrEqual(2_750);
  expect(recovery?.ms).toBeLessThanOrEqual(3_000);
});

test('overlapping faults are over with the last of them', () => {
  const found = recovered([fault('kill api', 10_000, 12_000), fault('freeze redis', 11_000, 18_000)]);
  expect(found).toEqual([{ faults: ['kill api', 'freeze redis'], ms: 0, watchedMs: 20_000 }]);
});

test('a fault before the flow was back leaves it unknown', () => {
  const found = recovered([fault('kill api', 10_000, 12_000), fault('kill redis', 15_000, 18_000)]);
  expect(found.map(({ ms }) => ms)).toEqual([undefined, 0]);
});

test('flow is not full while clients are away', () => {
  const [recovery] = recovered([fault('kill gateway', 10_000, 18_000)], (seen) =>
    [
      ...seen,
      { kind: 'disconnected' as const, at: 10_000, reason: 'transport close' },
      { kind: 'ready' as const, at: 21_000, membershipVersion: 0 },
    ].sort((a, b) => a.at - b.at),
  );
  expect(recovery?.ms).toBe(3_000);
});

test('by kind: those of a fault that came alone, whatever it was done to', () => {
  const found = (faults: string[], ms: number | undefined) => ({ faults, ms, watchedMs: 9_000 });
  expect(
    recoveryByKind([
      found(['leader-kill p3'], 2_000),
      found(['leader-kill p7'], 4_000),
      found(['return after leader-kill p7'], 0),
      found(['freeze redis 30s'], undefined),
      found(['poison', 'kill api 1'], 500),
    ]),
  ).toEqual([
    { kind: 'freeze redis', count: 1, p50Ms: undefined, maxMs: undefined, missed: 1 },
    { kind: 'leader-kill', count: 2, p50Ms: 2_000, maxMs: 4_000, missed: 0 },
    { kind: 'return after leader-kill', count: 1, p50Ms: 0, maxMs: 0, missed: 0 },
    { kind: 'several at once', count: 1, p50Ms: 500, maxMs: 500, missed: 0 },
  ]);
});
