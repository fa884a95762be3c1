import type { ChannelModel } from 'amqplib';
import { createFreezeWatch } from '../../process/freeze-watch.ts';
import { pause } from '../../shared/backoff.ts';
import type { BrokerConfig } from '../../shared/config.ts';
import { withDeadline } from '../../shared/deadline.ts';
import type { Logger } from '../../shared/log.ts';
import type { Metrics } from '../../shared/metrics/metrics.ts';
import type { PartitionSource, Queue, SendQueue } from '../../shared/ports/queue.ts';
import type { PublishOptions } from './callers.ts';
import { defaultHeartbeatSeconds } from './connect.ts';
import { createRabbitDeadLetterSink, createRabbitDeadLetterStore } from './dead-letters.ts';
import { declareTopology } from './declare.ts';
import { type DepthWatch, watchDepths } from './depth-watch.ts';
import { readDepths } from './depths.ts';
import { createLink } from './link.ts';
import { createRabbitPartitions, type RawBodies } from './partitions.ts';
import { createPublisher, type Outlet } from './publisher.ts';
import { partitionQueue, topologyOf } from './topology.ts';

/** The broker gives a consumer up after two heartbeats; without any, others take its partitions after 6 s. */
const mostStandstillMs = ({ heartbeatSeconds }: BrokerConfig): number =>
  1_000 * Math.min(heartbeatSeconds || defaultHeartbeatSeconds, defaultHeartbeatSeconds);

/**
 * A queue that is declared again within a moment of its deletion (some 50 ms, on 3.10.8) leaves its consumers unaware: RabbitMQ does
 * not cancel them, and hands them messages of the new one that never arrive.
 */
const repairAfterMs = 1_000;

/**
 * Connects at the first thing asked for. Publishing and consuming have a connection each: a broker that is short of
 * memory stops reading from those that publish, and acknowledgements must not wait behind that.
 * @param waitMs how long the first connection may take; each of the four then rejects with one clear line
 */
export function openRabbitMq(dependencies: {
  broker: BrokerConfig;
  partitionCount: number;
  log: Logger;
  metrics: Metrics;
  waitMs: number;
}): Queue {
  const { broker, partitionCount, log, metrics, waitMs } = dependencies;
  const topology = topologyOf(broker, partitionCount);
  const rawBodies: RawBodies = new WeakMap();
  const freezes = createFreezeWatch(mostStandstillMs(broker));
  const setupDeadlineMs = 8_000 + 20 * partitionCount;

  let declaring: Promise<void> | undefined;
  let repairing: Promise<void> | undefined;
  let declared = false;
  /** At the start of the process, and when something turns out to be missing: never only because a connection was lost. */
  function declare(connection: ChannelModel): Promise<void> {
    declaring ??= declareTopology(connection, topology, broker, log)
      .then(() => {
        declared = true;
      })
      .finally(() => {
        declaring = undefined;
      });
    return declaring;
  }
  /** For whoever finds something missing. */
  function repair(connection: ChannelModel): Promise<void> {
    repairing ??= pause(repairAfterMs)
      .then(() => declare(connection))
      .finally(() => {
        repairing = undefined;
      });
    return repairing;
  }
  const declareFirst = async (connection: ChannelModel) => {
    if (!declared) await declare(connection);
  };
  const publisher = createPublisher({
    ...{ log, metrics, repair, nodes: broker.hosts.length },
    away: () => publishing.problem(),
  });
  const publishing = createLink({
    broker,
    name: 'confab publisher',
    log,
    waitMs,
    setupDeadlineMs,
    async setup(connection) {
      await declareFirst(connection);
      await publisher.attach(connection);
    },
  });
  const consuming = createLink({
    broker,
    name: 'confab consumer',
    log,
    waitMs,
    setupDeadlineMs,
    setup: declareFirst,
  });
  // That it is lost at each try is no news: the partition is complained of.
  const unwellLog = log.child({}, { level: log.isLevelEnabled('error') ? 'error' : 'silent' });
  const unwellLink = createLink({ broker, name: 'confab consumer of the unwell', log: unwellLog, waitMs });
  const partitions = createRabbitPartitions({
    link: consuming,
    unwellLink,
    broker,
    rawBodies,
    freezes,
    repair,
    waiting: async () => (await readDepths(consuming, broker, partitionCount)).messages,
    metrics,
    log,
  });
  let depths: DepthWatch | undefined;
  const source: PartitionSource = {
    ...partitions.source,
    problems: () => [...partitions.source.problems(), ...(depths?.problems() ?? [])],
    depth: () => depths?.depth(),
    depths: async () => depths?.depths(),
  };

  const links = { publisher: publishing, consumer: consuming };
  type Role = keyof typeof links;
  /** Who never publishes, or consumes, is not connected for it. */
  const used = new Set<Role>();
  metrics.read('confab_broker_connected', () =>
    Array.from(used, (role) => [{ role }, links[role].current() ? 1 : 0] as const),
  );
  async function open(role: Role): Promise<void> {
    used.add(role);
    await links[role].open();
  }

  const outlets: (Outlet | undefined)[] = [];
  function outletOf(partition: number): Outlet {
    const known = outlets[partition];
    if (known) return known;
    const queue = partitionQueue(broker, partition);
    const target = { exchange: broker.exchange, routingKey: queue, queue, label: `partition ${partition}` };
    const outlet = publisher.outlet(target);
    outlets[partition] = outlet;
    return outlet;
  }
  const sendQueue: SendQueue = {
    publish({ id, partition, body, traceparent }) {
      const options: PublishOptions = {
        messageId: id,
        contentType: 'application/json',
        persistent: true,
        mandatory: true,
      };
      // W3C's name for it, which other programs' instruments read and write, too.
      if (traceparent !== undefined) options.headers = { traceparent };
      return outletOf(partition).publish(Buffer.from(body), options);
    },
    ready: publisher.ready,
    problems: publisher.problems,
  };
  const sink = createRabbitDeadLetterSink({ publisher, broker, rawBodies });
  const store = createRabbitDeadLetterStore({ link: publishing, outletOf, broker, partitionCount });

  return {
    async sendQueue() {
      await open('publisher');
      return sendQueue;
    },
    async partitionSource() {
      await open('consumer');
      depths ??= watchDepths({ link: consuming, broker, partitionCount, log });
      return source;
    },
    async deadLetterSink() {
      await open('publisher');
      return sink;
    },
    async deadLetterStore() {
      await open('publisher');
      return store;
    },
    brokerName() {
      const connection = publishing.current() ?? consuming.current();
      const name = connection?.connection.serverProperties.cluster_name;
      // Where a cluster was given none, each of its nodes says its own.
      return broker.hosts.length > 1 && name?.includes('@') ? undefined : name;
    },
    async close() {
      freezes.stop();
      depths?.stop();
      await partitions.close();
      await Promise.all([consuming.close(), unwellLink.close()]);
      await withDeadline(publisher.drain(), 5_000, () => new Error('confirms are missing')).catch(
        (error: unknown) => log.warn({ err: error }, 'closing while messages wait for a confirm'),
      );
      await publishing.close();
    },
  };
}
