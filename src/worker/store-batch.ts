import { databaseErrorCode, isDatabaseUnavailable, isDataError, isInstallationError } from '../db/errors.ts';
import type { MessageToStore, StoreOutcome } from '../db/queries/store-messages.ts';
import { fullJitterMs, pause } from '../shared/backoff.ts';
import type { Logger } from '../shared/log.ts';
import { Abandoned } from './abandoned.ts';
import type { Stores } from './gather.ts';

export type BatchOutcome = StoreOutcome | { outcome: 'failed'; reason: string };

export interface StoreDependencies {
  stores: Stores;
  maxRetries: number;
  log: Logger;
  leaving: AbortSignal;
  /** Asked before each try: whoever froze with a batch in hand may not store what another has refused meanwhile. */
  current: () => boolean;
}

/**
 * Stores a batch, in its order, however long PostgreSQL is away. If the values of one message are at fault (SQLSTATE 22,
 * 23), or an error that nobody foresaw outlasts `maxRetries`, the batch is stored one by one and whichever fails is
 * given back with the reason.
 * @throws Abandoned when `leaving` is aborted while the database is away, and when the batch is no longer `current`
 */
export async function storeBatch(
  dependencies: StoreDependencies,
  batch: readonly MessageToStore[],
): Promise<BatchOutcome[]> {
  if (batch.length === 0) return [];
  const { current, stores } = dependencies;
  const whole = await attempt(dependencies, batch, (given) => stores.gather(given, current));
  if ('outcomes' in whole) return whole.outcomes;
  if (batch.length === 1) return [whole.failed];
  const outcomes: BatchOutcome[] = [];
  for (const message of batch) {
    const single = await attempt(dependencies, [message], stores.alone);
    outcomes.push(...('outcomes' in single ? single.outcomes : [single.failed]));
  }
  return outcomes;
}

async function attempt(
  dependencies: StoreDependencies,
  batch: readonly MessageToStore[],
  /** For the first try. What failed is tried again alone: whoever it shared the commit with may be what hangs. */
  store: Stores['alone'],
): Promise<{ outcomes: StoreOutcome[] } | { failed: { outcome: 'failed'; reason: string } }> {
  const { stores, maxRetries, log, leaving, current } = dependencies;
  let waits = 0;
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
        await pause(fullJitterMs(waits++), leaving);
        continue;
      }
      if (isDataError(error)) return { failed: failure(error) };
      // Leaving ends every pause at once: what is left of the retries is for the next worker.
      if (leaving.aborted) throw new Abandoned();
      if (retries >= maxRetries) return { failed: failure(error) };
      log.error({ err: error, size: batch.length, retry: retries + 1 }, 'storing a batch failed');
      await pause(fullJitterMs(retries++, 50, 1_000), leaving);
    }
  }
}

/** The code, not the text: PostgreSQL puts values into its messages. */
function failure(error: unknown): { outcome: 'failed'; reason: string } {
  const code = databaseErrorCode(error);
  return { outcome: 'failed', reason: `storing failed: ${code ? `SQLSTATE ${code}` : String(error)}` };
}
