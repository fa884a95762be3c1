import { afterEach, expect, test } from 'bun:test';
import { createLink as createProxyLink, createTcpProxy } from '../../src/commands/torture/tcp-proxy.ts';
import { createLog } from '../../src/shared/log.ts';
import { createLink } from '../../src/shared/queue/rabbitmq-link.ts';
import { createPublisher } from '../../src/shared/queue/rabbitmq-publisher.ts';
import { eventually } from '../support/eventually.ts';
import { realServers } from '../support/servers.ts';

const servers = await realServers();
const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

test('a connection on which a confirm is missing is dropped, and the next one is published over', async () => {
  const url = new URL(servers.rabbitmqUrl);
  const [deaf, well] = [createProxyLink(Number(url.port)), createProxyLink(Number(url.port))];
  let link = deaf;
  const proxy = createTcpProxy(() => [link]);
  undo.push(() => proxy.close());
  url.port = String(proxy.port);
  // Silence alone must not end the connection: only what is missing does.
  url.searchParams.set('heartbeat', '0');

  const publisher = createPublisher({ confirmDeadlineMs: 1_000 });
  let queue = '';
  const broker = createLink({
    url: url.href,
    name: 'test',
    log: createLog({ logLevel: 'silent' }, 'test'),
    waitMs: 10_000,
    async setup(connection) {
      const channel = await connection.createChannel();
      ({ queue } = await channel.assertQueue('', { exclusive: true }));
      await publisher.attach(connection);
    },
  });
  undo.push(() => broker.close());
  await broker.open();
  const publish = () => publisher.publish('', queue, Buffer.from('x'), { mandatory: true });
  await publish();

  // The messages arrive; what RabbitMQ says to them does not.
  deaf.flow({ toClient: { kind: 'drop' } });
  link = well;
  await expect(publish()).rejects.toMatchObject({ code: 'broker_unavailable' });
  await eventually('the connection is dropped', () => deaf.connections === 0);
  await eventually('a publish is confirmed', () =>
    publish().then(
      () => true,
      () => false,
    ),
  );
  expect(well.connections).toBe(1);
});
