import type { Metrics } from '../shared/metrics/metrics.ts';
import type { BatchVerdict, PartitionSource } from '../shared/ports/queue.ts';
import type { Oldest } from '../shared/ports/registry.ts';
import type { Share } from './share-partitions.ts';
import type { RetryReason } from './store-batch.ts';

export type DeadLetterKind =
  | 'unsigned'
  | 'invalid'
  | 'chat_not_found'
  | 'not_participant'
  | 'not_allowed'
  | 'failed';

/** What is measured of one partition's batches, from taking it over to giving it up. */
export interface PartitionMetrics {
  /** @returns to be called at its end */
  begin(messages: number): (verdict: BatchVerdict) => void;
  /** When the oldest of what is in hand was accepted, in ms since 1970. */
  oldest(sentAt: number): void;
  /** The first of what is in hand was sent by a newer version. */
  blocked(): void;
  retried(reason: RetryReason): void;
  /** Of each when it was accepted, in ms since 1970. */
  reached(stage: 'stored' | 'announced', sentAt: readonly number[]): void;
  deadLettered(kind: DeadLetterKind): void;
  /** It is another's. */
  end(): void;
}

interface InHand {
  sentAt: number | undefined;
  blocked: boolean;
}

export interface WorkerMetrics {
  /** Of one that is taken over. */
  partition(partition: number): PartitionMetrics;
  /** For those who look at the deployment. */
  oldest(): Oldest;
}

export function createWorkerMetrics(metrics: Metrics): WorkerMetrics {
  const inHand = new Map<string, InHand>();
  metrics.read('confab_oldest_message_age_seconds', () =>
    Array.from(inHand, ([partition, { sentAt }]) => [
      { partition },
      sentAt === undefined ? 0 : secondsSince(sentAt),
    ]),
  );
  metrics.read('confab_newer_payload_blocked', () =>
    Array.from(inHand, ([partition, { blocked }]) => [{ partition }, blocked ? 1 : 0]),
  );
  const observeMessages = metrics.histogram('confab_batch_messages');
  const lags = {
    stored: metrics.histogram('confab_message_lag_seconds', { stage: 'stored' }),
    announced: metrics.histogram('confab_message_lag_seconds', { stage: 'announced' }),
  };
  const countRetry = (reason: RetryReason | 'newer_payload') =>
    metrics.counter('confab_batch_retries_total', { reason })();
  metrics.counter('confab_batch_retries_total', { reason: 'error' });
  metrics.counter('confab_dead_lettered_total', { reason: 'failed' });

  function measure(number: number): PartitionMetrics {
    const partition = String(number);
    const hand: InHand = { sentAt: undefined, blocked: false };
    inHand.set(partition, hand);
    const observeDuration = metrics.histogram('messaging_process_duration_seconds', { partition });

    return {
      begin(messages) {
        const beganAt = performance.now();
        hand.blocked = false;
        observeMessages(messages);
        return (verdict) => {
          observeDuration((performance.now() - beganAt) / 1000);
          // What goes back is still the oldest.
          if (verdict !== 'later') hand.sentAt = undefined;
        };
      },
      oldest(sentAt) {
        hand.sentAt = sentAt;
      },
      blocked() {
        hand.blocked = true;
        countRetry('newer_payload');
      },
      retried: countRetry,
      reached(stage, sentAt) {
        const now = Date.now();
        for (const at of sentAt) lags[stage](Math.max(0, now - at) / 1000);
      },
      deadLettered: (reason) => metrics.counter('confab_dead_lettered_total', { reason })(),
      end() {
        if (inHand.get(partition) === hand) inHand.delete(partition);
      },
    };
  }

  return {
    partition: measure,
    oldest: () =>
      Object.fromEntries(
        [...inHand].flatMap(([partition, { sentAt }]) =>
          Number.isFinite(sentAt) ? [[partition, new Date(sentAt ?? 0).toISOString()]] : [],
        ),
      ),
  };
}

/** The clocks of two machines differ a little. */
const secondsSince = (at: number): number => Math.max(0, Date.now() - at) / 1000;

/** What a worker sees of all partitions: of several workers one tells it, so that nothing is there twice. */
export function tellShare(
  metrics: Metrics,
  share: Share,
  { depths }: Pick<PartitionSource, 'depths'>,
  partitionCount: number,
): void {
  metrics.read('confab_partitions_owned', share.owned);
  metrics.read('confab_workers_live', share.workers);
  let looking: ReturnType<typeof depths> | undefined;
  /** Asked once for all who want it at a scrape. */
  const seen = async () => {
    if (!share.isFirst()) return undefined;
    looking ??= depths().finally(() => {
      looking = undefined;
    });
    return looking;
  };
  metrics.read('confab_dead_letters', async () => (await seen())?.deadLetters);
  metrics.read('confab_queue_messages', async () => {
    const found = await seen();
    const partitions = Array.from({ length: partitionCount }, (_, partition) => partition);
    return (
      found &&
      partitions.map(
        (partition) => [{ partition: String(partition) }, found.waiting.get(partition) ?? 0] as const,
      )
    );
  });
}
