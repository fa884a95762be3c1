import type { ChannelModel, ConsumeMessage } from 'amqplib';
import { fullJitterMs, pause } from '../backoff.ts';
import type { BrokerConfig } from '../config.ts';
import type { FreezeWatch } from '../freeze-watch.ts';
import type { Logger } from '../log.ts';
import { createAcknowledgements } from './acknowledgements.ts';
import type { ConsumeOptions, Consumer, Delivery, HandleBatch, PartitionSource } from './queue.ts';
import { closeChannel, openChannel } from './rabbitmq-channel.ts';
import type { Link } from './rabbitmq-link.ts';
import { partitionQueue } from './rabbitmq-topology.ts';

/** AMQP counts the prefetch in 16 bits. */
const mostPrefetch = 65_535;

/** The bytes behind a delivery's text: not everything in a queue is UTF-8, and a dead letter keeps what was there. */
export type RawBodies = WeakMap<Delivery, Buffer>;

/**
 * One channel a partition. Leaving is always closing the channel, never a cancel with messages unacknowledged: the
 * queue then has them back in their place, while after a cancel later ones pass them (measured on 3.10.8).
 */
export function createRabbitPartitions(dependencies: {
  link: Link;
  broker: BrokerConfig;
  rawBodies: RawBodies;
  /** A process that stood still has lost its partitions to others, and hears of it too late. */
  freezes: FreezeWatch;
  waiting: PartitionSource['waiting'];
  log: Logger;
}): { source: PartitionSource; close(): Promise<void> } {
  const { link, broker, rawBodies, freezes, waiting, log } = dependencies;
  const consumers = new Set<Consumer>();

  async function run(
    partition: number,
    options: ConsumeOptions,
    handle: HandleBatch,
    leaving: AbortSignal,
  ): Promise<void> {
    let failures = 0;
    const onDone = () => (failures = 0);
    while (!leaving.aborted) {
      const connection = await link.connected(leaving);
      if (!connection) return;
      try {
        await consumeOn(connection, partition, options, handle, leaving, onDone);
      } catch (error) {
        log.warn({ err: error, partition }, 'a channel failed; the partition is opened again');
      }
      await pause(fullJitterMs(failures++, 200, 5_000), leaving);
    }
  }

  /** Until the channel dies, a batch is to come later, or the consumer leaves. */
  async function consumeOn(
    connection: ChannelModel,
    partition: number,
    { batchSize, bufferedBatches }: ConsumeOptions,
    handle: HandleBatch,
    leaving: AbortSignal,
    onDone: () => void,
  ): Promise<void> {
    const before = freezes.count();
    const channel = await openChannel(connection);
    const waiting: ConsumeMessage[] = [];
    let dead = false;
    let ended = false;
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
    channel.on('error', (error) => log.warn({ err: error, partition }, 'the broker closed a channel'));
    channel.on('close', end);
    leaving.addEventListener('abort', onLeaving);

    try {
      await channel.prefetch(Math.min(mostPrefetch, batchSize * (1 + bufferedBatches)));
      await channel.consume(partitionQueue(broker, partition), (message) => {
        // Null: the broker has ended the consumer, its queue was deleted.
        if (message === null) ended = true;
        else waiting.push(message);
        wake();
      });

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
        if (dead) return;
        if (verdict === 'later') return;
        if (last) acknowledgements.done(last, batch.length, verdict === 'done' ? 'leisure' : 'once');
        onDone();
      }
    } finally {
      leaving.removeEventListener('abort', onLeaving);
      acknowledgements.flush();
      if (!dead) await closeChannel(channel);
    }
  }

  function deliveryOf({ content, properties }: ConsumeMessage, partition: number): Delivery {
    const { messageId } = properties;
    const delivery: Delivery = {
      id: typeof messageId === 'string' ? messageId : undefined,
      body: content.toString('utf8'),
      partition,
    };
    rawBodies.set(delivery, content);
    return delivery;
  }

  const source: PartitionSource = {
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
  };

  return {
    source,
    async close() {
      await Promise.all([...consumers].map((consumer) => consumer.close()));
    },
  };
}
