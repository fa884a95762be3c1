import { type Metrics, resultsOf } from '../shared/metrics/metrics.ts';
import type { Change } from './change.ts';

/** What made a gateway read: a predecessor that did not come, a hint that says no more, or the comparison with PostgreSQL. */
export type GapCause = 'lost_hint' | 'unknown' | 'comparison';

export interface SequencerMetrics {
  /** A change that was announced: the next one, one that was told before, or one that is not the next. */
  announced(as: 'delivered' | 'old' | 'gap'): void;
  /** It went to so many sockets. */
  told(change: Change, sockets: number): void;
  /** So many rows were read. */
  filled(cause: GapCause, rows: number): void;
  /** The comparison found that the chat has come to this number. */
  found(chatId: string, eventSequence: number): void;
  /** An announcement of this number came after all. */
  heard(chatId: string, eventSequence: number): void;
}

const sentAtField = '"sentAt":"';
const instantCharacters = 24;

/** @param slowMs how long an announcement may be under way */
export function createSequencerMetrics(metrics: Metrics, slowMs = 5_000): SequencerMetrics {
  const announced = { delivered: 0, old: 0, gap: 0 };
  metrics.read('confab_notifications_total', () => resultsOf(announced));
  let deliveries = 0;
  metrics.read('confab_deliveries_total', () => deliveries);
  let rowsRead = 0;
  metrics.read('confab_gap_rows_total', () => rowsRead);
  const fills = {
    lost_hint: metrics.counter('confab_gap_fills_total', { cause: 'lost_hint' }),
    unknown: metrics.counter('confab_gap_fills_total', { cause: 'unknown' }),
  };
  const countFound = metrics.counter('confab_gap_fills_total', { cause: 'comparison' });
  const observeLag = metrics.histogram('confab_message_lag_seconds', { stage: 'delivered' });

  /** What the comparison found of late, and before that: it may have been faster than an announcement that is on its way. */
  let late = new Map<string, number>();
  let latest = new Map<string, number>();
  let looking = false;

  function lookLater(): void {
    if (looking) return;
    looking = true;
    setTimeout(() => {
      looking = false;
      countFound(late.size);
      late = latest;
      latest = new Map();
      if (late.size > 0) lookLater();
    }, slowMs).unref();
  }

  return {
    announced(as) {
      announced[as] += 1;
    },
    told({ event, body }, sockets) {
      deliveries += sockets;
      if (event !== 'chat.message.new' || sockets === 0) return;
      // The first of the payload is the message's own: in its content quotes have a backslash before them.
      const at = body.indexOf(sentAtField) + sentAtField.length;
      const lagMs = Date.now() - Date.parse(body.slice(at, at + instantCharacters));
      if (!Number.isNaN(lagMs)) observeLag(Math.max(0, lagMs) / 1000);
    },
    filled(cause, rows) {
      rowsRead += rows;
      if (cause !== 'comparison' && rows > 0) fills[cause]();
    },
    found(chatId, eventSequence) {
      latest.set(chatId, eventSequence);
      lookLater();
    },
    heard(chatId, eventSequence) {
      for (const found of [late, latest]) {
        if (found.get(chatId) === eventSequence) found.delete(chatId);
      }
    },
  };
}
