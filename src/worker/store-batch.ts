import {
  databaseErrorCode,
  isDatabaseUnavailable,
  isDataError,
  isInstallationError,
  isTimeout,
} from '../db/errors.ts';
import type { MessageToStore, StoreOutcome } from '../db/queries/store-messages.ts';
import { fullJitterMs, pause } from '../shared/backoff.ts';
import type { Logger } from '../shared/log.ts';
import { Abandoned } from './abandoned.ts';
import type { Stores } from './gather.ts';

export type BatchOutcome = StoreOutcome | Failed;

interface Failed {
  outcome: 'failed';
  reason: string;
}

export interface StoreDependencies {
  stores: Stores;
  maxRetries: number;
  log: Logger;
  leaving: AbortSignal;
  /** Asked before each try: whoever froze with a batch in hand may not store what another has refused meanwhile. */
  current: () => boolean;
  /** Told of each try that is followed by another. */
  onRetry: (reason: RetryReason) => void;
}

export type RetryReason = 'database_away' | 'timeout' | 'error';

/**
 * How often PostgreSQL may give up a batch for taking too long, while it stores for others: then it is stored in halves, of
 * which each is given up once before it is halved in turn. It is a message at last, which is set aside after three.
 */
const mostTimeoutsOfBatch = 2;
const mostTimeoutsOfMessage = 3;

/**
 * Stores a batch, in its order, however long PostgreSQL is away. If the values of one message are at fault (SQLSTATE 22,
 * 23), or an error that nobody foresaw outlasts `maxRetries`, the batch is stored one by one; if it takes too long where
 * others do not, in halves. Whichever fails is given back with the reason; the order is kept within each chat.
 * @throws Abandoned when `leaving` is aborted while the database is away, and when the batch is no longer `current`
 */
export async function storeBatch(
  dependencies: StoreDependencies,
  batch: readonly MessageToStore[],
): Promise<BatchOutcome[]> {
  const { current, stores } = dependencies;
  /** Chats of which a message was set aside: somebody may hold one for hours. What else is of them is tried once, together. */
  const stuck = new Set<string>();

  async function storePart(part: readonly MessageToStore[], store: Stores['alone']): Promise<BatchOutcome[]> {
    const [first] = part;
    if (!first) return [];
    const hangs = part.map(({ chatId }) => stuck.has(chatId));
    const allHang = !hangs.includes(false);
    if (hangs.includes(true) && !allHang) {
      const others = await storePart(
        part.filter((_, at) => !hangs[at]),
        stores.alone,
      );
      const hanging = await storePart(
        part.filter((_, at) => hangs[at]),
        stores.alone,
      );
      return hangs.flatMap((hung) => (hung ? hanging : others).shift() ?? []);
    }
    const mostTimeouts = allHang ? 1 : mostTimeoutsOf(part.length);
    const whole = await attempt(dependencies, part, store, mostTimeouts);
    if ('outcomes' in whole) return whole.outcomes;
    if (part.length === 1 && whole.timedOut) stuck.add(first.chatId);
    if (part.length === 1 || (allHang && whole.timedOut)) return part.map(() => whole.failed);
    const outcomes: BatchOutcome[] = [];
    for (const smaller of whole.timedOut ? halves(part) : part.map((message) => [message]))
      outcomes.push(...(await storePart(smaller, stores.alone)));
    return outcomes;
  }

  function mostTimeoutsOf(size: number): number {
    if (size === 1) return mostTimeoutsOfMessage;
    return size === batch.length ? mostTimeoutsOfBatch : 1;
  }

  return storePart(batch, (given) => stores.gather(given, current));
}

function halves<Item>(items: readonly Item[]): [readonly Item[], readonly Item[]] {
  const middle = Math.ceil(items.length / 2);
  return [items.slice(0, middle), items.slice(middle)];
}

async function attempt(
  dependencies: StoreDependencies,
  batch: readonly MessageToStore[],
  /** For the first try. What failed is tried again alone: whoever it shared the commit with may be what hangs. */
  store: Stores['alone'],
  mostTimeouts: number,
): Promise<{ outcomes: StoreOutcome[] } | { failed: Failed; timedOut: boolean }> {
  const { stores, maxRetries, log, leaving, current, onRetry } = dependencies;
  let waits = 0;
  let timeouts = 0;
  let retries = 0;
  for (;;) {
    if (!current()) throw new Abandoned();
    try {
      const outcomes = await (waits + retries === 0 ? store : stores.alone)(batch);
      if (waits > 0) log.info({ waits }, 'the database is back');
      return { outcomes };
    } catch (error) {
      if (error instanceof Abandoned) throw error;
      if (isDatabaseUnavailable(error) || isInstallationError(error)) {
        if (waits === 0) log.warn({ err: error }, 'the database is away; the batch waits for it');
        if (leaving.aborted) throw new Abandoned();
        const tooLong = isTimeout(error) && (await stores.work());
        onRetry(tooLong ? 'timeout' : 'database_away');
        if (tooLong) {
          timeouts += 1;
          log.warn(
            { timeouts, size: batch.length },
            'a batch takes too long while PostgreSQL stores for others',
          );
          if (timeouts >= mostTimeouts) return { failed: failure(error, timeouts), timedOut: true };
        }
        await pause(fullJitterMs(waits++), leaving);
        continue;
      }
      if (isDataError(error)) return { failed: failure(error), timedOut: false };
      // Leaving ends every pause at once: what is left of the retries is for the next worker.
      if (leaving.aborted) throw new Abandoned();
      if (retries >= maxRetries) return { failed: failure(error), timedOut: false };
      onRetry('error');
      log.error({ err: error, size: batch.length, retry: retries + 1 }, 'storing a batch failed');
      await pause(fullJitterMs(retries++, 50, 1_000), leaving);
    }
  }
}

/** The code, not the text: PostgreSQL puts values into its messages. */
function failure(error: unknown, timeouts = 0): Failed {
  const code = databaseErrorCode(error);
  const what = timeouts > 0 ? `storing took too long ${timeouts} times` : 'storing failed';
  return { outcome: 'failed', reason: `${what}: ${code ? `SQLSTATE ${code}` : String(error)}` };
}
