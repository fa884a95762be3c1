import type { ChannelModel } from 'amqplib';
import { pause } from '../../shared/backoff.ts';
import type { BrokerConfig } from '../../shared/config.ts';
import { withDeadline } from '../../shared/deadline.ts';
import type { Logger } from '../../shared/log.ts';
import { closeChannel, openChannel } from './channel.ts';
import { readStates } from './depths.ts';
import { reasonOf } from './errors.ts';
import { createLeaving } from './leaving.ts';
import type { Link } from './link.ts';
import { partitionQueue } from './topology.ts';

const lookEveryMs = 3_000;
/** Where leaders are being elected anew, they are silent for a moment. */
const lookAgainMs = 1_000;
const deafLooks = 2;
const mostAsked = 8;
/** One may be stuck by itself. */
const severalSilent = 2;
const consumeDeadlineMs = 2_000;

/**
 * For who consumes: at a node that is cut off from the others nothing comes, and nothing says why. It is left for another when
 * twice in a row several queues are silent, which others lead, or one takes no consumer: where the node itself leads it, it
 * answers what is asked, and whatever would change it waits for the others.
 * @param options.held partitions that have a consumer here: another one gets nothing
 */
export function watchNode(options: {
  link: Link;
  broker: BrokerConfig;
  partitionCount: number;
  held: () => readonly number[];
  log: Logger;
  everyMs?: number;
}): { stop(): void } {
  const { link, broker, partitionCount, held, log, everyMs = lookEveryMs } = options;
  const stopped = new AbortController();
  const leaving = createLeaving(broker.hosts.length);
  const asked = Math.min(mostAsked, partitionCount);
  const queues = Array.from({ length: asked }, (_, at) =>
    partitionQueue(broker, Math.floor((at * partitionCount) / asked)),
  );
  let connection: ChannelModel | undefined;
  let worked = false;
  let deaf = 0;
  let turn = 0;

  async function look(): Promise<void> {
    const current = link.current();
    if (!current) return;
    if (current !== connection) {
      connection = current;
      worked = false;
      deaf = 0;
    }
    if (await isDeaf(current)) {
      deaf += 1;
      if (deaf >= deafLooks) leaving.leave(current, worked, 'its queues neither answer nor take consumers');
    } else {
      worked = true;
      deaf = 0;
    }
  }

  async function isDeaf(current: ChannelModel): Promise<boolean> {
    const states = [...(await readStates(current, queues)).values()];
    const silent = states.filter((state) => state === 'silent').length;
    if (silent > 0) return silent >= Math.min(severalSilent, asked);
    const own = held();
    const partition = own[turn++ % own.length];
    return partition !== undefined && !(await takesConsumer(current, partitionQueue(broker, partition)));
  }

  async function run(): Promise<void> {
    while (!stopped.signal.aborted) {
      await pause(deaf > 0 && deaf < deafLooks ? lookAgainMs : everyMs, stopped.signal);
      await look().catch((error: unknown) => {
        log.debug({ reason: reasonOf(error) }, 'the queues could not be asked');
      });
    }
  }

  // One that stands alone is not cut off from anybody.
  if (broker.hosts.length > 1) void run();
  return { stop: () => stopped.abort() };
}

/** Behind the own one, as a queue has one active consumer. */
async function takesConsumer(connection: ChannelModel, queue: string): Promise<boolean> {
  const channel = await openChannel(() => connection.createChannel());
  const consuming = channel.consume(queue, () => {});
  const late = new Error('not taken');
  try {
    await withDeadline(consuming, consumeDeadlineMs, () => late);
    return true;
  } catch (error) {
    if (error !== late) throw error;
    return false;
  } finally {
    // What it may have been given all the same is back in its place then.
    void closeChannel(channel);
  }
}
