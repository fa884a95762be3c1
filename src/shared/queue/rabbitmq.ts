import type { BrokerConfig } from '../config.ts';
import { withDeadline } from '../deadline.ts';
import { createFreezeWatch } from '../freeze-watch.ts';
import type { Logger } from '../log.ts';
import type { Queue, SendQueue } from './queue.ts';
import { createRabbitDeadLetterSink, createRabbitDeadLetterStore } from './rabbitmq-dead-letters.ts';
import { readDepths } from './rabbitmq-depths.ts';
import { createLink } from './rabbitmq-link.ts';
import { createRabbitPartitions, type RawBodies } from './rabbitmq-partitions.ts';
import { createPublisher } from './rabbitmq-publisher.ts';
import { declareTopology, partitionQueue, topologyOf } from './rabbitmq-topology.ts';

/** The broker gives a consumer up after two heartbeats of 5 s. */
const mostStandstillMs = 3_000;

/**
 * Connects at the first thing asked for. Publishing and consuming have a connection each: a broker that is short of
 * memory stops reading from those that publish, and acknowledgements must not wait behind that.
 * @param waitMs how long the first connection may take; each of the four then rejects with one clear line
 */
export function openRabbitMq(dependencies: {
  broker: BrokerConfig;
  partitionCount: number;
  log: Logger;
  waitMs: number;
}): Queue {
  const { broker, partitionCount, log, waitMs } = dependencies;
  const topology = topologyOf(broker, partitionCount);
  const rawBodies: RawBodies = new WeakMap();
  const publisher = createPublisher();
  const freezes = createFreezeWatch(mostStandstillMs);
  const publishing = createLink({
    url: broker.url,
    name: 'confab publisher',
    log,
    waitMs,
    async setup(connection) {
      await declareTopology(connection, topology);
      await publisher.attach(connection);
    },
  });
  const consuming = createLink({
    url: broker.url,
    name: 'confab consumer',
    log,
    waitMs,
    setup: (connection) => declareTopology(connection, topology),
  });
  const waiting = async () => (await readDepths(consuming, broker, partitionCount)).messages;
  const partitions = createRabbitPartitions({ link: consuming, broker, rawBodies, freezes, waiting, log });

  const sendQueue: SendQueue = {
    publish: ({ id, partition, body }) =>
      publisher.publish(broker.exchange, partitionQueue(broker, partition), Buffer.from(body), {
        messageId: id,
        contentType: 'application/json',
        persistent: true,
        mandatory: true,
      }),
    ready: publisher.ready,
  };
  const sink = createRabbitDeadLetterSink({ publisher, broker, rawBodies });
  const store = createRabbitDeadLetterStore({ link: publishing, publisher, broker, partitionCount });

  return {
    async sendQueue() {
      await publishing.open();
      return sendQueue;
    },
    async partitionSource() {
      await consuming.open();
      return partitions.source;
    },
    async deadLetterSink() {
      await publishing.open();
      return sink;
    },
    async deadLetterStore() {
      await publishing.open();
      return store;
    },
    brokerName() {
      const connection = publishing.current() ?? consuming.current();
      return connection?.connection.serverProperties.cluster_name;
    },
    async close() {
      freezes.stop();
      await partitions.close();
      await consuming.close();
      await withDeadline(publisher.drain(), 5_000, () => new Error('confirms are missing')).catch(
        (error: unknown) => log.warn({ err: error }, 'closing while messages wait for a confirm'),
      );
      await publishing.close();
    },
  };
}
