import { afterAll } from 'bun:test';
import { readDepths } from '../../src/adapters/rabbitmq/depths.ts';
import { createLink } from '../../src/adapters/rabbitmq/link.ts';
import { openRabbitMq } from '../../src/adapters/rabbitmq/rabbitmq.ts';
import { createLog } from '../../src/shared/log.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import type { PartitionSource } from '../../src/shared/ports/queue.ts';
import { brokerConfig } from '../support/broker.ts';
import { type HalfDeadClient, halfDeadSuite } from '../support/half-dead.ts';
import { realServers } from '../support/servers.ts';
import { tlsCertificate } from '../support/tls.ts';
import { createTlsFront } from '../support/tls-front.ts';

const servers = await realServers();
const rabbitPort = Number(new URL(servers.rabbitmqUrl).port);
const front = await createTlsFront(rabbitPort);
afterAll(front.close);

const log = createLog({ logLevel: 'silent' }, 'test');
const partitionCount = 2;
const waitMs = 60_000;
const large = 'x'.repeat(128 * 1024);
let ids = 0;
const message = (partition: number, body = '{}') => ({ id: String(ids++), partition, body });

/** @param scheme as a URI begins that leads through what lies between */
function clientsBy(scheme: 'amqp' | 'amqps'): HalfDeadClient[] {
  const brokerBy = (port: number, names = servers.createBrokerNames()) => ({
    ...brokerConfig(`${scheme}://guest:guest@localhost:${port}`, names),
    ...(scheme === 'amqps' ? { tls: { ca: tlsCertificate } } : {}),
  });

  const openBy = (port: number) =>
    openRabbitMq({ metrics: createMetrics(), broker: brokerBy(port), partitionCount, log, waitMs });

  /** What accepts messages. */
  const publisher: HalfDeadClient = {
    name: `publisher (${scheme})`,
    open(port) {
      const queue = openBy(port);
      const opening = queue.sendQueue();
      opening.catch(() => {});
      const publish = async (body?: string) => {
        await (await opening).publish(message(ids % partitionCount, body));
      };
      return {
        use: () => publish(),
        fill() {
          for (let at = 0; at < 256; at += 1) publish(large).catch(() => {});
        },
        close: queue.close,
      };
    },
  };

  /** What works them off. */
  const consumer: HalfDeadClient = {
    name: `consumer (${scheme})`,
    async open(port) {
      const names = servers.createBrokerNames();
      const direct = openRabbitMq({
        metrics: createMetrics(),
        broker: brokerConfig(servers.rabbitmqUrl, names),
        partitionCount,
        log,
        waitMs,
      });
      const queue = openRabbitMq({
        metrics: createMetrics(),
        broker: brokerBy(port, names),
        partitionCount,
        log,
        waitMs,
      });
      const send = await direct.sendQueue();
      const handed = new Map<string | undefined, () => void>();
      const consume = (source: PartitionSource) =>
        source.consume(0, { batchSize: 128, bufferedBatches: 1 }, async (batch) => {
          for (const { id } of batch) handed.get(id)?.();
          return 'done';
        });
      queue.partitionSource().then(consume, () => {});
      return {
        async use() {
          const sent = message(0);
          const { promise, resolve } = Promise.withResolvers<void>();
          handed.set(sent.id, resolve);
          await send.publish(sent);
          await promise;
        },
        // All that it writes are acknowledgements.
        fill() {},
        async close() {
          await Promise.all([queue.close(), direct.close()]);
        },
      };
    },
  };

  /** What `bun run dlq` looks with. */
  const deadLetters: HalfDeadClient = {
    name: `dead letters (${scheme})`,
    open(port) {
      const queue = openBy(port);
      const [store, sink] = [queue.deadLetterStore(), queue.deadLetterSink()];
      for (const opening of [store, sink]) opening.catch(() => {});
      const delivery = (body: string) => ({ id: undefined, body, partition: 0 });
      return {
        use: async () => (await store).list(),
        fill() {
          const letter = { delivery: delivery(large), reason: 'too large' };
          for (let at = 0; at < 128; at += 1) {
            sink.then(({ put }) => put(letter)).catch(() => {});
          }
        },
        close: queue.close,
      };
    },
  };

  /** What `bun run repartition` waits with. */
  const depths: HalfDeadClient = {
    name: `depths (${scheme})`,
    open(port) {
      const broker = brokerBy(port);
      const link = createLink({ broker, name: 'test', log, waitMs });
      link.open().catch(() => {});
      return {
        use: () => readDepths(link, broker, partitionCount),
        // All that it writes are questions.
        fill() {},
        close: link.close,
      };
    },
  };

  // The other two have the same connections.
  return scheme === 'amqps' ? [publisher, consumer] : [publisher, consumer, deadLetters, depths];
}

// A consumer whose connection is gone leaves what it had in hand to the broker, which notices by its heartbeat too.
const limits = { afterItsEndMs: 4_000 };
halfDeadSuite('RabbitMQ', rabbitPort, clientsBy('amqp'), limits);
halfDeadSuite('RabbitMQ over TLS', front.port, clientsBy('amqps'), limits);
