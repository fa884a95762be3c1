import { afterEach, expect, test } from 'bun:test';
import type { ChannelModel } from 'amqplib';
import { socketOf } from '../../src/adapters/rabbitmq/connect.ts';
import { createLink } from '../../src/adapters/rabbitmq/link.ts';
import { createPublisher, type Outlet } from '../../src/adapters/rabbitmq/publisher.ts';
import { createLog } from '../../src/shared/log.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import { createLink as createProxyLink, createTcpProxy } from '../../torture/tcp-proxy.ts';
import { brokerConfig } from '../support/broker.ts';
import { eventually } from '../support/eventually.ts';
import { runningMs } from '../support/running-time.ts';
import { realServers } from '../support/servers.ts';

const servers = await realServers();
const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

/** A publisher whose first connection goes over one link, and every further one over another. */
async function world() {
  const url = new URL(servers.rabbitmqUrl);
  const [first, further] = [createProxyLink(Number(url.port)), createProxyLink(Number(url.port))];
  let link = first;
  const proxy = createTcpProxy(() => [link]);
  undo.push(() => proxy.close());
  url.port = String(proxy.port);
  // Silence alone must not end the connection: only what is missing does.
  url.searchParams.set('heartbeat', '0');

  const log = createLog({ logLevel: 'silent' }, 'test');
  const publisher = createPublisher({
    metrics: createMetrics(),
    log,
    away: () => broker.problem(),
    repair: async () => {},
    confirmDeadlineMs: 1_000,
  });
  let outlet: Outlet | undefined;
  let connection: ChannelModel | undefined;
  const broker = createLink({
    broker: brokerConfig(url.href),
    name: 'test',
    log,
    waitMs: 10_000,
    async setup(next) {
      connection = next;
      const channel = await next.createChannel();
      const { queue } = await channel.assertQueue('', { exclusive: true });
      await publisher.attach(next);
      outlet = publisher.outlet({ exchange: '', routingKey: queue, queue, label: 'the queue' });
    },
  });
  undo.push(() => broker.close());
  await broker.open();
  link = further;
  return {
    first,
    further,
    publish: (content = 'x') => outlet!.publish(Buffer.from(content), { mandatory: true }),
    unwritten: () => (connection ? socketOf(connection).writableLength : 0),
  };
}

type World = Awaited<ReturnType<typeof world>>;

async function untilConfirmed({ publish, further }: World): Promise<void> {
  await eventually('a publish is confirmed', () =>
    publish().then(
      () => true,
      () => false,
    ),
  );
  expect(further.connections).toBe(1);
}

test('a connection on which a confirm is missing is dropped, and the next one is published over', async () => {
  const { publish, first, ...rest } = await world();
  await publish();
  // The messages arrive; what RabbitMQ says to them does not.
  first.flow({ toClient: { kind: 'drop' } });
  await expect(publish()).rejects.toMatchObject({ code: 'broker_unavailable' });
  await eventually('the connection is dropped', () => first.connections === 0);
  await untilConfirmed({ publish, first, ...rest });
});

test('so is one that takes nothing more: bytes that are not written hide its end from nobody', async () => {
  const all = await world();
  // The second goes over the channel that takes 32 at once.
  await Promise.all([all.publish(), all.publish()]);
  all.first.flow({ toServer: { kind: 'hold' }, toClient: { kind: 'hold' } });
  const began = runningMs();
  const sent = Array.from({ length: 32 }, () => all.publish('x'.repeat(1024 * 1024)).catch(() => {}));
  await eventually('the socket is full', () => all.unwritten() > 0);
  await Promise.all(sent);
  await untilConfirmed(all);
  // A second until a confirm is missing, one until no channel is opened.
  expect(runningMs() - began).toBeLessThan(5_000);
});
