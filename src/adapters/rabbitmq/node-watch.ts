import type { ChannelModel } from 'amqplib';
import { pause } from '../../shared/backoff.ts';
import type { BrokerConfig } from '../../shared/config.ts';
import type { Logger } from '../../shared/log.ts';
import { readStates } from './depths.ts';
import { reasonOf } from './errors.ts';
import { createLeaving } from './leaving.ts';
import type { Link } from './link.ts';
import { partitionQueue } from './topology.ts';

const lookEveryMs = 3_000;
/** Where the leaders are being elected anew, they are silent for a moment. */
const lookAgainMs = 1_000;
const silentLooks = 2;
const mostAsked = 8;

/**
 * For who consumes: where a node is cut off from those that lead the queues, nothing comes, and nothing says why. It is left for
 * another when most queues are silent, twice in a row. A queue that the node itself leads answers all the same.
 */
export function watchNode(dependencies: {
  link: Link;
  broker: BrokerConfig;
  partitionCount: number;
  log: Logger;
}): { stop(): void } {
  const { link, broker, partitionCount, log } = dependencies;
  const stopped = new AbortController();
  const leaving = createLeaving(broker.hosts.length);
  const asked = Math.min(mostAsked, partitionCount);
  const queues = Array.from({ length: asked }, (_, at) =>
    partitionQueue(broker, Math.floor((at * partitionCount) / asked)),
  );
  let connection: ChannelModel | undefined;
  let worked = false;
  let silent = 0;

  async function look(): Promise<void> {
    const current = link.current();
    if (!current) return;
    if (current !== connection) {
      connection = current;
      worked = false;
      silent = 0;
    }
    const states = [...(await readStates(current, queues)).values()];
    if (states.filter((state) => state === 'silent').length * 2 <= states.length) {
      worked = true;
      silent = 0;
      return;
    }
    silent += 1;
    if (silent >= silentLooks) leaving.leave(current, worked, 'most of its queues do not answer');
  }

  async function run(): Promise<void> {
    while (!stopped.signal.aborted) {
      await pause(silent > 0 && silent < silentLooks ? lookAgainMs : lookEveryMs, stopped.signal);
      await look().catch((error: unknown) => {
        log.debug({ reason: reasonOf(error) }, 'the queues could not be asked');
      });
    }
  }

  // One that stands alone is not cut off from anybody.
  if (broker.hosts.length > 1) void run();
  return { stop: () => stopped.abort() };
}
