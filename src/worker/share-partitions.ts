import { pause } from '../shared/backoff.ts';
import type { Logger } from '../shared/log.ts';
import type { Consumer } from '../shared/queue/queue.ts';
import type { WorkerRegistry } from '../shared/registry/registry.ts';
import { partitionsOf } from './partitions-of.ts';

/**
 * Keeps this worker consuming exactly the partitions that are its own among the live workers. Single active consumer
 * alone would be fail-over, not balance: the first worker gets everything.
 */
export async function sharePartitions(dependencies: {
  workerId: string;
  registry: WorkerRegistry;
  partitionCount: number;
  consume: (partition: number) => Promise<Consumer>;
  log: Logger;
  /** Between two beats; the registry takes a worker for dead after three. */
  beatMs?: number;
}): Promise<{ stop(): Promise<void>; ready(): boolean }> {
  const { workerId, registry, partitionCount, consume, log, beatMs = 2_000 } = dependencies;
  const consumers = new Map<number, Consumer>();
  /** Openings and closings under way: a batch may take its time to finish, and the beat does not wait for it. */
  const changing = new Map<number, Promise<void>>();
  const leaving = new AbortController();
  let shared = false;

  async function share(): Promise<void> {
    let workerIds: string[];
    try {
      workerIds = await registry.beat(workerId);
    } catch (error) {
      // Keep what it has: the others cannot tell either, and no partition has two active consumers.
      log.warn({ err: error }, 'the registry of workers is away');
      return;
    }
    if (leaving.signal.aborted) return;
    const own = partitionsOf(workerId, workerIds, partitionCount);
    const settled = (partition: number) => !changing.has(partition);
    const lost = [...consumers.keys()].filter((partition) => !own.has(partition)).filter(settled);
    const won = [...own].filter((partition) => !consumers.has(partition)).filter(settled);
    for (const partition of lost) change(partition, close);
    for (const partition of won) change(partition, open);
    if (lost.length + won.length > 0) log.info({ workers: workerIds.length, won, lost }, 'partitions shared');
    shared = true;
  }

  function change(partition: number, make: (partition: number) => Promise<void>): void {
    changing.set(
      partition,
      make(partition).finally(() => changing.delete(partition)),
    );
  }

  async function open(partition: number): Promise<void> {
    try {
      consumers.set(partition, await consume(partition));
    } catch (error) {
      log.warn({ err: error, partition }, 'a partition could not be opened; tried again with the next beat');
    }
  }

  async function close(partition: number): Promise<void> {
    try {
      await consumers.get(partition)?.close();
    } catch (error) {
      log.warn({ err: error, partition }, 'closing a partition failed');
    }
    consumers.delete(partition);
  }

  async function beat(): Promise<void> {
    while (!leaving.signal.aborted) {
      await pause(beatMs * (0.75 + Math.random() * 0.5), leaving.signal);
      if (!leaving.signal.aborted) await share();
    }
  }

  await share();
  await Promise.all(changing.values());
  const beating = beat();
  return {
    ready: () => shared && !leaving.signal.aborted,
    async stop() {
      leaving.abort();
      await beating;
      await Promise.all(changing.values());
      await Promise.all([...consumers.keys()].map(close));
      await registry.leave(workerId).catch((error: unknown) => {
        log.warn({ err: error }, 'could not leave the registry of workers; it forgets this one by itself');
      });
    },
  };
}
