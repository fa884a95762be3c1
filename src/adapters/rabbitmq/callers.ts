import type { Options } from 'amqplib';
import { ChatError } from '../../shared/errors.ts';
import type { PublishMetrics } from './publish-metrics.ts';

/** More than this is a broker that does not keep up: saying so at once is better than a queue in this process. */
export const mostCallers = 20_000;

export type PublishOptions = Options.Publish & { messageId?: string };

/** Who waits for a confirm. */
export interface Caller {
  content: Buffer;
  options: PublishOptions;
  measured: Pick<PublishMetrics, 'ended'>;
  promise: Promise<void>;
  /** The message came back: no queue takes it. */
  returned: boolean;
  settled: boolean;
  /** By `performance.now()`. */
  expiresAt: number;
  resolve: () => void;
  reject: (error: Error) => void;
}

/** All who wait, of all queues; one timer watches them, instead of one each. */
export interface Callers {
  add(content: Buffer, options: PublishOptions, measured: Caller['measured']): Caller;
  /** False when it was answered before. Who gets true answers it. */
  settle(one: Caller, confirmed: boolean): boolean;
  full(): boolean;
  count(): number;
  /** Resolves when nobody waits any more. */
  drain(): Promise<void>;
}

/** @param expire answers those whose time is over; tells when the next one's is, if there is one */
export function createCallers(deadlineMs: number, expire: (now: number) => number | undefined): Callers {
  let count = 0;
  let sweeping: ReturnType<typeof setTimeout> | undefined;
  let drained: PromiseWithResolvers<void> | undefined;

  function watch(ms: number): void {
    sweeping ??= setTimeout(sweep, Math.ceil(ms));
  }

  function sweep(): void {
    sweeping = undefined;
    const now = performance.now();
    const next = expire(now);
    if (next !== undefined) watch(next - now);
  }

  return {
    add(content, options, measured) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      count += 1;
      watch(deadlineMs);
      return {
        content,
        options,
        measured,
        promise,
        returned: false,
        settled: false,
        expiresAt: performance.now() + deadlineMs,
        resolve,
        reject,
      };
    },

    settle(one, confirmed) {
      if (one.settled) return false;
      one.settled = true;
      one.measured.ended(one.expiresAt - deadlineMs, confirmed);
      count -= 1;
      if (count === 0) {
        clearTimeout(sweeping);
        sweeping = undefined;
        drained?.resolve();
        drained = undefined;
      }
      return true;
    },

    full: () => count >= mostCallers,
    count: () => count,

    async drain() {
      if (count === 0) return;
      drained ??= Promise.withResolvers();
      await drained.promise;
    },
  };
}

/** Of callers in the order of their calls. */
export function oldestOf(all: Iterable<Caller>): Caller | undefined {
  for (const one of all) {
    if (!one.settled) return one;
  }
  return undefined;
}

export function unavailable(reason: string, cause?: unknown): ChatError {
  return new ChatError('broker_unavailable', undefined, {
    cause: new Error(reason, cause === undefined ? {} : { cause }),
    retryAfterSeconds: 2,
  });
}
