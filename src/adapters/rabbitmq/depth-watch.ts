import { pause } from '../../shared/backoff.ts';
import type { BrokerConfig } from '../../shared/config.ts';
import type { Logger } from '../../shared/log.ts';
import type { QueueDepth, QueueDepths } from '../../shared/ports/queue.ts';
import { byReason } from './by-reason.ts';
import { readStates } from './depths.ts';
import { reasonOf } from './errors.ts';
import type { Link } from './link.ts';
import { partitionQueue } from './topology.ts';

export interface DepthWatch {
  /** Undefined before the first look. */
  depth(): QueueDepth | undefined;
  depths(): QueueDepths | undefined;
  /** Partitions that nobody works off. */
  problems(): string[];
  stop(): void;
}

const lookEveryMs = 15_000;
/** For each partition, so that a thousand of them do not keep the broker busy. */
const leastMs = 60;

/** Looks at all partitions and the dead letters from time to time: also at those that no worker has. */
export function watchDepths(dependencies: {
  link: Link;
  broker: BrokerConfig;
  partitionCount: number;
  log: Logger;
  everyMs?: number;
}): DepthWatch {
  const { link, broker, partitionCount, log } = dependencies;
  const { everyMs = Math.max(lookEveryMs, leastMs * partitionCount) } = dependencies;
  const stopped = new AbortController();
  const partitions = Array.from({ length: partitionCount }, (_, partition) => partition);
  const queues = [
    ...partitions.map((partition) => partitionQueue(broker, partition)),
    broker.deadLetterQueue,
  ];
  let depths: QueueDepths | undefined;
  /** By partition, since the last look. */
  let idle = new Map<number, string>();
  let problems = new Map<number, string>();

  async function look(): Promise<void> {
    const connection = link.current();
    if (!connection) return;
    const states = await readStates(connection, queues);
    // One that does not answer has what it had: to say 0 would be an increase once it answers again.
    const messagesIn = (queue: string, before = 0) => {
      const state = states.get(queue);
      return typeof state === 'object' ? state.messages : before;
    };
    depths = {
      waiting: new Map(
        partitions.map((partition) => [
          partition,
          messagesIn(partitionQueue(broker, partition), depths?.waiting.get(partition)),
        ]),
      ),
      deadLetters: messagesIn(broker.deadLetterQueue, depths?.deadLetters),
    };
    const found = new Map<number, string>();
    for (const partition of partitions) {
      const state = states.get(partitionQueue(broker, partition));
      if (state === 'silent') found.set(partition, 'its queue does not answer');
      else if (typeof state === 'object' && state.consumers === 0 && state.messages > 0) {
        found.set(partition, 'messages wait, and nobody consumes it');
      }
    }
    // Between one worker and the next nobody does for a moment: what is so twice, stays so.
    const lasting = new Map([...found].filter(([partition]) => idle.has(partition)));
    for (const [partition, reason] of lasting) {
      if (!problems.has(partition)) log.warn({ partition, reason }, 'a partition is not worked off');
    }
    for (const partition of problems.keys()) {
      if (!lasting.has(partition)) log.info({ partition }, 'a partition is worked off again');
    }
    idle = found;
    problems = lasting;
  }

  async function run(): Promise<void> {
    while (!stopped.signal.aborted) {
      await look().catch((error: unknown) => {
        log.debug({ reason: reasonOf(error) }, 'the depths of the queues could not be read');
      });
      await pause(everyMs * (0.75 + Math.random() * 0.5), stopped.signal);
    }
  }

  void run();
  return {
    depth: () =>
      depths && { ...depths, waiting: depths.waiting.values().reduce((sum, messages) => sum + messages, 0) },
    depths: () => depths,
    problems: () => byReason([...problems].map(([partition, reason]) => [`partition ${partition}`, reason])),
    stop: () => stopped.abort(),
  };
}
