import { afterAll, afterEach, beforeAll } from 'bun:test';
import type { ManagerOptions, SocketOptions } from 'socket.io-client';
import type { Database } from '../../src/db/database.ts';
import { eventually } from './eventually.ts';
import {
  type GatewayBase,
  openClient,
  type RunningGateway,
  startTestGateway,
  type TestClient,
} from './gateway-world.ts';

type ClientOptions = Partial<ManagerOptions & SocketOptions>;

/**
 * In a `describe`: a gateway for each end, and clients that are closed after their test. Each goes to the next gateway.
 * @param transports of the clients
 */
export function openGateways(
  base: GatewayBase,
  options: { database?: Database; comparisonMs?: number } = {},
  transports: readonly string[] = ['websocket'],
) {
  const gateways: RunningGateway[] = [];
  const clients: TestClient[] = [];
  let turn = 0;
  beforeAll(async () => {
    for (const end of base.ends) gateways.push(await startTestGateway({ ...base, ...end, ...options }));
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
  });
  afterAll(async () => {
    for (const gateway of gateways) await gateway.stop();
  });

  function open(token: string, own: ClientOptions = {}): TestClient {
    const { url } = gateways[turn++ % gateways.length]!;
    const client = openClient(url, token, { transports: [...transports], ...own });
    clients.push(client);
    return client;
  }
  return {
    open,
    async connect(token: string, own?: ClientOptions): Promise<TestClient> {
      const client = open(token, own);
      await eventually('the client is ready', () => client.ready > 0);
      return client;
    },
  };
}
