import type { ErrorCode } from '../shared/contract.ts';
import type { Metrics } from '../shared/metrics/metrics.ts';

/** Why a socket has ended; `client` where it went by itself, or was not heard of any more. */
export type EndReason = 'token_end' | 'revoked' | 'backlog' | 'drain' | 'packets' | 'error' | 'client';

/** A connection, as it is counted. */
interface Counted {
  readonly stage: 'new' | 'joining' | 'joined';
  /** Undefined on long polling. */
  readonly ws: unknown;
}

export interface ConnectionMetrics {
  accepted(): void;
  refused(code: ErrorCode): void;
  ended(reason: EndReason): void;
  /** Of all connections there are. */
  watch(connections: Iterable<Counted>): void;
  /** What waits for the one that has most of it. */
  fullest(backlog: number): void;
}

export function createConnectionMetrics(metrics: Metrics): ConnectionMetrics {
  const countConnect = (result: ErrorCode | 'accepted') =>
    metrics.counter('confab_connects_total', { result });
  const accepted = countConnect('accepted');
  accepted(0);
  const ends = { token_end: 0, revoked: 0, backlog: 0, drain: 0, packets: 0, error: 0, client: 0 };
  let mostBacklog = 0;
  metrics.read('confab_disconnects_total', () =>
    (Object.entries(ends) as [EndReason, number][]).map(([reason, count]) => [{ reason }, count]),
  );
  metrics.read('confab_backlog_closes_total', () => ends.backlog);
  metrics.read('confab_socket_backlog_bytes', () => mostBacklog);

  return {
    accepted,
    refused: (code) => countConnect(code)(),
    ended(reason) {
      ends[reason] += 1;
    },
    watch(connections) {
      metrics.read('confab_sockets', () => {
        const { websocket, polling } = countOf(connections);
        return [
          [{ transport: 'websocket' } as const, websocket],
          [{ transport: 'polling' } as const, polling],
        ];
      });
      metrics.read('confab_sockets_connecting', () => countOf(connections).connecting);
    },
    fullest(backlog) {
      mostBacklog = backlog;
    },
  };
}

/** Some milliseconds at 100,000. */
function countOf(connections: Iterable<Counted>) {
  const count = { websocket: 0, polling: 0, connecting: 0 };
  for (const { stage, ws } of connections) {
    if (stage !== 'joined') count.connecting += 1;
    else if (ws) count.websocket += 1;
    else count.polling += 1;
  }
  return count;
}
