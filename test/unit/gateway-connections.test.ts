import { expect, test } from 'bun:test';
import { Connection, createConnections } from '../../src/gateway/connections.ts';
import { createLog } from '../../src/shared/log.ts';
import { eventually } from '../support/eventually.ts';

class TestConnection extends Connection {
  readonly ws = undefined;
  pings = 0;
  send(): void {}
  onNative(): void {}
  close(): void {}
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
