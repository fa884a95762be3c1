import { expect, test } from 'bun:test';
import { Connection, createConnections } from '../../src/gateway/connections.ts';
import {
  backlogLimitBytes,
  fullPacketBudget,
  lookEveryBytes,
  nativeBacklogBytes,
  takePacket,
} from '../../src/gateway/limits.ts';
import { createLog } from '../../src/shared/log.ts';
import { eventually } from '../support/eventually.ts';

class TestConnection extends Connection {
  readonly ws = undefined;
  backlog = 0;
  ended = 0;
  pings = 0;
  send(): void {}
  onNative(): void {}
  close(): void {
    this.ended += 1;
  }
  ping(): void {
    this.pings += 1;
  }
}

class UnclosableConnection extends TestConnection {
  override expired(): boolean {
    return true;
  }
  override close(): void {
    throw new Error('it cannot be closed');
  }
}

test('a connection that throws whenever it is looked after takes the pings of no other', async () => {
  const connections = createConnections({
    limits: { most: 10, mostOfNetwork: 10, mostOfAddress: 10 },
    log: createLog({ logLevel: 'silent' }, 'test'),
    times: { intervalMs: 5, timeoutMs: 60_000, sweepMs: 1 },
  });
  const address = '192.0.2.1';
  const other = new TestConnection(address);
  for (const connection of [new UnclosableConnection(address), other]) connections.add(connection);
  await eventually('the other is pinged', () => other.pings > 0);
  connections.stop();
  expect(other.pings).toBe(1);
});

test('where too much is held for all clients together, those are closed that have the most', async () => {
  const connections = createConnections({
    limits: { most: 10, mostOfNetwork: 10, mostOfAddress: 10 },
    log: createLog({ logLevel: 'silent' }, 'test'),
    times: { intervalMs: 60_000, timeoutMs: 60_000, sweepMs: 1 },
    mostBacklog: 100,
  });
  const held = [10, 40, 30, 20].map((backlog) => {
    const connection = new TestConnection('192.0.2.1');
    connection.backlog = backlog;
    connections.add(connection);
    return connection;
  });
  const small = new TestConnection('192.0.2.1');
  connections.add(small);
  // At the limit nobody is closed, which two further sweeps would have done.
  let sweeps = 0;
  small.expired = () => {
    sweeps += 1;
    return false;
  };
  await eventually('it has been looked at', () => sweeps > 2);
  expect(held.map(({ ended }) => ended)).toEqual([0, 0, 0, 0]);
  small.backlog = 35;
  await eventually('one is closed', () => held.some(({ ended }) => ended > 0));
  connections.stop();
  expect(held.map(({ ended }) => ended > 0)).toEqual([false, true, false, false]);
  expect(small.ended).toBe(0);
});

test('where much has been published, whoever holds too much of it is closed, long before Bun drops any', async () => {
  const connections = createConnections({
    limits: { most: 10, mostOfNetwork: 10, mostOfAddress: 10 },
    log: createLog({ logLevel: 'silent' }, 'test'),
    times: { intervalMs: 60_000, timeoutMs: 60_000, sweepMs: 60_000 },
  });
  const address = '192.0.2.1';
  const held = [backlogLimitBytes, backlogLimitBytes + 1].map((backlog) => {
    const connection = new TestConnection(address);
    connection.backlog = backlog;
    return connection;
  });
  const unclosable = new UnclosableConnection(address);
  unclosable.backlog = backlogLimitBytes + 1;
  for (const connection of [unclosable, ...held]) connections.add(connection);
  for (let bytes = 0; bytes < lookEveryBytes; bytes += 1_000) connections.published(1_000);
  await eventually('the one is closed', () => held[1]!.ended > 0);
  connections.stop();
  expect(held.map(({ ended }) => ended)).toEqual([0, 1]);
  expect(nativeBacklogBytes).toBeGreaterThan(16 * (backlogLimitBytes + lookEveryBytes));
});

test.each([
  ['pongs', '3', 50],
  ['packets of the engine that carry nothing', undefined, 50],
  ['frames of 4 KB', 'x'.repeat(4_095), 50],
  ['frames of 10 KB', 'x'.repeat(10_000), 16],
  ['the largest frames', 'x'.repeat(64 * 1024), 2],
  ['attachments', new Uint8Array(64 * 1024), 2],
])('a client may send %s only so many at once', (_, frame, most) => {
  const left = { budget: fullPacketBudget, countedAt: 0 };
  let taken = 0;
  while (takePacket(left, frame, 0)) taken += 1;
  expect(taken).toBe(most);
});

test('the first frame may be five thousand cursors, and pongs follow it', () => {
  const left = { budget: fullPacketBudget, countedAt: 0 };
  expect(takePacket(left, 'x'.repeat(250_000), 0)).toBe(true);
  for (let at = 1; at <= 100; at += 1) expect(takePacket(left, '3', at * 25_000)).toBe(true);
});
