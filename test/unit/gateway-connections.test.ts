import { expect, test } from 'bun:test';
import { Connection } from '../../src/gateway/connection.ts';
import { createConnectionMetrics } from '../../src/gateway/connection-metrics.ts';
import { createConnections } from '../../src/gateway/connections.ts';
import {
  backlogLimitBytes,
  fullPacketBudget,
  lookEveryBytes,
  nativeBacklogBytes,
  takePacket,
} from '../../src/gateway/limits.ts';
import { createLog } from '../../src/shared/log.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import { eventually } from '../support/eventually.ts';

class TestConnection extends Connection {
  held = 0;
  ended = 0;
  pings = 0;
  constructor() {
    super(() => {}, '192.0.2.1');
  }
  override get backlog(): number {
    return this.held;
  }
  override close(): void {
    this.ended += 1;
  }
  override ping(): void {
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
    measured: createConnectionMetrics(createMetrics()),
    limits: { most: 10, mostOfNetwork: 10, mostOfAddress: 10 },
    log: createLog({ logLevel: 'silent' }, 'test'),
    times: { intervalMs: 5, timeoutMs: 60_000, sweepMs: 1 },
  });
  const other = new TestConnection();
  for (const connection of [new UnclosableConnection(), other]) connections.add(connection);
  await eventually('the other is pinged', () => other.pings > 0);
  connections.stop();
  expect(other.pings).toBe(1);
});

test('where too much is held for all clients together, those are closed that have the most', async () => {
  const connections = createConnections({
    measured: createConnectionMetrics(createMetrics()),
    limits: { most: 10, mostOfNetwork: 10, mostOfAddress: 10 },
    log: createLog({ logLevel: 'silent' }, 'test'),
    times: { intervalMs: 60_000, timeoutMs: 60_000, sweepMs: 1 },
    mostBacklog: 100,
  });
  const full = [10, 40, 30, 20].map((held) => {
    const connection = new TestConnection();
    connection.held = held;
    connections.add(connection);
    return connection;
  });
  const small = new TestConnection();
  connections.add(small);
  // At the limit nobody is closed, which two further sweeps would have done.
  let sweeps = 0;
  small.expired = () => {
    sweeps += 1;
    return false;
  };
  await eventually('it has been looked at', () => sweeps > 2);
  expect(full.map(({ ended }) => ended)).toEqual([0, 0, 0, 0]);
  small.held = 35;
  await eventually('one is closed', () => full.some(({ ended }) => ended > 0));
  connections.stop();
  expect(full.map(({ ended }) => ended > 0)).toEqual([false, true, false, false]);
  expect(small.ended).toBe(0);
});

test('where much has been published, whoever holds too much of it is closed, long before Bun drops any', async () => {
  const connections = createConnections({
    measured: createConnectionMetrics(createMetrics()),
    limits: { most: 10, mostOfNetwork: 10, mostOfAddress: 10 },
    log: createLog({ logLevel: 'silent' }, 'test'),
    times: { intervalMs: 60_000, timeoutMs: 60_000, sweepMs: 60_000 },
  });
  const full = [backlogLimitBytes, backlogLimitBytes + 1].map((held) => {
    const connection = new TestConnection();
    connection.held = held;
    return connection;
  });
  const unclosable = new UnclosableConnection();
  unclosable.held = backlogLimitBytes + 1;
  for (const connection of [unclosable, ...full]) connections.add(connection);
  for (let bytes = 0; bytes < lookEveryBytes; bytes += 1_000) connections.published(1_000);
  await eventually('the one is closed', () => full[1]!.ended > 0);
  connections.stop();
  expect(full.map(({ ended }) => ended)).toEqual([0, 1]);
  expect(nativeBacklogBytes).toBeGreaterThan(16 * (backlogLimitBytes + lookEveryBytes));
});

test.each([
  ['pongs', '3', 50],
  ['empty packets', '', 50],
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
