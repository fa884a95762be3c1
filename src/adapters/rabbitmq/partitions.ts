import type { ChannelModel, ConsumeMessage } from 'amqplib';
import type { FreezeWatch } from '../../process/freeze-watch.ts';
import { fullJitterMs, pause } from '../../shared/backoff.ts';
import type { BrokerConfig } from '../../shared/config.ts';
import type { Logger } from '../../shared/log.ts';
import type { Metrics } from '../../shared/metrics/metrics.ts';
import type {
  ConsumeOptions,
  Consumer,
  Delivery,
  HandleBatch,
  PartitionSource,
} from '../../shared/ports/queue.ts';
import { createAcknowledgements } from './acknowledgements.ts';
import { beginConsuming, NotAnswered } from './begin-consuming.ts';
import { byReason } from './by-reason.ts';
import { closeChannel, openChannel } from './channel.ts';
import { codeOf, notFound, reasonOf } from './errors.ts';
import type { Link } from './link.ts';
import { messageIdOf } from './message-id.ts';
import { partitionQueue } from './topology.ts';

/** The bytes behind a delivery's text: not everything in a queue is UTF-8, and a dead letter keeps what was there. */
export type RawBodies = WeakMap<Delivery, Buffer>;

/**
 * One channel a partition. Leaving is always closing the channel, never a cancel with messages unacknowledged: the
 * queue then has them back in their place, while after a cancel later ones pass them (measured on 3.10.8).
 */
export function createRabbitPartitions(dependencies: {
  link: Link;
  /**
   * For partitions whose queue has no leader, or one that is silent: consuming such a queue costs everything on the connection
   * (541, at once or after 65 s). Connects when it is needed.
   */
  unwellLink: Link;
  broker: BrokerConfig;
  rawBodies: RawBodies;
  /** A process that stood still has lost its partitions to others, and hears of it too late. */
  freezes: FreezeWatch;
  /** Declares what is missing. */
  repair: (connection: ChannelModel) => Promise<void>;
  waiting: PartitionSource['waiting'];
  metrics: Metrics;
  log: Logger;
}): { source: Omit<PartitionSource, 'depth' | 'depths'>; close(): Promise<void> } {
  const { link, unwellLink, broker, rawBodies, freezes, repair, waiting, metrics, log } = dependencies;
  let consumed = 0;
  metrics.read('messaging_client_consumed_messages_total', () => consumed);
  const consumers = new Set<Consumer>();
  /** Why a partition is not consumed now. */
  const troubles = new Map<number, string>();

  async function run(
    partition: number,
    options: ConsumeOptions,
    handle: HandleBatch,
    leaving: AbortSignal,
  ): Promise<void> {
    let failures = 0;
    let unwell = false;
    const onDone = () => (failures = 0);
    const onConsuming = () => {
      unwell = false;
      if (troubles.delete(partition)) log.info({ partition }, 'a partition is consumed again');
    };
    while (!leaving.aborted) {
      const connection = await (unwell ? unwellLink : link).connected(leaving);
      if (!connection) break;
      try {
        await consumeOn(connection, partition, options, handle, leaving, unwell, { onDone, onConsuming });
      } catch (error) {
        if (leaving.aborted) break;
        unwell ||= error instanceof NotAnswered;
        complain(partition, reasonOf(error));
        if (codeOf(error) === notFound) {
          await repair(connection).catch((cause: unknown) => complain(partition, reasonOf(cause)));
        }
      }
      await pause(fullJitterMs(failures++, 200, 5_000), leaving);
    }
    troubles.delete(partition);
  }

  /** Once for each reason, not once for each try. */
  function complain(partition: number, reason: string): void {
    if (troubles.get(partition) === reason) return;
    troubles.set(partition, reason);
    log.warn({ reason, partition }, 'a partition is not consumed; it is tried again');
  }

  /** Until the channel dies, a batch is to come later, or the consumer leaves. */
  async function consumeOn(
    connection: ChannelModel,
    partition: number,
    { batchSize, bufferedBatches }: ConsumeOptions,
    handle: HandleBatch,
    leaving: AbortSignal,
    unwell: boolean,
    { onDone, onConsuming }: { onDone: () => void; onConsuming: () => void },
  ): Promise<void> {
    const before = freezes.count();
    const queue = partitionQueue(broker, partition);
    const channel = await openChannel(() => connection.createChannel());
    const waiting: ConsumeMessage[] = [];
    let dead = false;
    let ended = false;
    let consuming = false;
    let failure: unknown;
    let wake = () => {};
    const acknowledgements = createAcknowledgements<ConsumeMessage>({
      acknowledge: (last) => channel.ack(last, true),
      // The prefetch is a batch at least: the next deliveries do not wait for these.
      most: batchSize / 2,
      onRefused(error) {
        log.warn(
          { err: error, partition },
          'a channel that is closing: what is not acknowledged comes again',
        );
        ended = true;
        wake();
      },
    });
    const end = () => {
      dead = true;
      acknowledgements.drop();
      wake();
    };
    const onLeaving = () => wake();
    const current = () => !dead && freezes.count() === before;
    channel.on('error', (error) => (failure = error));
    channel.on('close', end);
    leaving.addEventListener('abort', onLeaving);

    try {
      const prefetch = batchSize * (1 + bufferedBatches);
      consuming = await beginConsuming(channel, { queue, unwell, prefetch, leaving }, (message) => {
        // Null: the broker has ended the consumer, its queue was deleted.
        if (message === null) ended = true;
        else waiting.push(message);
        if (message) consumed += 1;
        wake();
      });
      if (consuming) onConsuming();

      while (!dead && !ended && !leaving.aborted) {
        if (waiting.length === 0) {
          await new Promise<void>((resolve) => (wake = resolve));
          continue;
        }
        const batch = waiting.splice(0, batchSize);
        const last = batch.at(-1);
        if (!current()) return;
        const deliveries = batch.map((message) => deliveryOf(message, partition));
        const verdict = await handle(deliveries, current);
        // The deliveries died with their channel: whatever became of the batch, it comes again.
        if (dead) break;
        if (verdict === 'later') return;
        if (last) acknowledgements.done(last, batch.length, verdict === 'done' ? 'leisure' : 'once');
        onDone();
      }
      if (failure !== undefined) throw failure;
    } finally {
      leaving.removeEventListener('abort', onLeaving);
      acknowledgements.flush();
      // Behind a consume that is not answered the goodbye is not either; it undoes the consume when it is.
      const closed = dead ? undefined : closeChannel(channel);
      if (consuming) await closed;
    }
  }

  function deliveryOf({ content, properties }: ConsumeMessage, partition: number): Delivery {
    const delivery: Delivery = { id: messageIdOf(properties), body: content.toString('utf8'), partition };
    rawBodies.set(delivery, content);
    return delivery;
  }

  const source: Omit<PartitionSource, 'depth' | 'depths'> = {
    async consume(partition, options, handle) {
      const leaving = new AbortController();
      const running = run(partition, options, handle, leaving.signal);
      const consumer: Consumer = {
        async close() {
          leaving.abort();
          consumers.delete(consumer);
          await running;
        },
      };
      consumers.add(consumer);
      return consumer;
    },
    waiting,
    ready: () => link.current() !== undefined,
    problems() {
      if (!link.current()) return ['no connection to RabbitMQ'];
      return byReason([...troubles.keys()].map((partition) => [`partition ${partition}`, 'not consumed']));
    },
  };

  return {
    source,
    async close() {
      await Promise.all([...consumers].map((consumer) => consumer.close()));
    },
  };
}
