import type { Database } from '../../db/database.ts';
import { withDeadline } from '../../shared/deadline.ts';
import { ChatError } from '../../shared/errors.ts';
import type { QueuedMessage, SendQueue } from '../../shared/ports/queue.ts';
import type { Traceparent } from '../../shared/ports/tracing.ts';

const insertSql = `INSERT INTO queued_messages (partition, id, body)
SELECT partition, id, body
FROM unnest($1::int[], $2::text[], $3::text[]) WITH ORDINALITY AS m (partition, id, body, ord)
ORDER BY ord`;

/** The most messages of one insert. */
const mostAtOnce = 500;
/** Below the 5 s that a client is promised. */
const publishDeadlineMs = 4_000;

interface Waiting {
  message: QueuedMessage;
  resolve: () => void;
  reject: (error: Error) => void;
}

/**
 * Collects the publishes of one tick, and those that come while an insert is under way, into one insert; one insert at
 * a time, so positions keep the order of the calls.
 */
export function createEmbeddedSendQueue(dependencies: {
  database: Database;
  traces: Map<string, Traceparent>;
  onStored: (partitions: Iterable<number>) => void;
}): SendQueue & { close(): Promise<void> } {
  const { database, traces, onStored } = dependencies;
  let waiting: Waiting[] = [];
  let flushing: Promise<void> | undefined;
  let closed = false;

  async function flush(): Promise<void> {
    await Promise.resolve();
    while (waiting.length > 0) {
      const batch = waiting.slice(0, mostAtOnce);
      waiting = waiting.slice(mostAtOnce);
      try {
        await database.query(insertSql, [
          batch.map(({ message }) => message.partition),
          batch.map(({ message }) => message.id),
          batch.map(({ message }) => message.body),
        ]);
        for (const { resolve } of batch) resolve();
        onStored(new Set(batch.map(({ message }) => message.partition)));
      } catch (error) {
        const unavailable = brokerUnavailable(error);
        for (const { message, reject } of batch) {
          traces.delete(message.id);
          reject(unavailable);
        }
      }
    }
    flushing = undefined;
  }

  return {
    publish(message) {
      if (closed) return Promise.reject(brokerUnavailable(new Error('the queue is closed')));
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      waiting.push({ message, resolve, reject });
      if (message.traceparent !== undefined) traces.set(message.id, message.traceparent);
      flushing ??= flush();
      return withDeadline(promise, publishDeadlineMs, () =>
        brokerUnavailable(new Error(`not stored within ${publishDeadlineMs} ms`)),
      );
    },
    ready: () => !closed,
    problems: () => [],
    async close() {
      closed = true;
      await flushing;
    },
  };
}

function brokerUnavailable(cause: unknown): ChatError {
  return new ChatError('broker_unavailable', undefined, { cause, retryAfterSeconds: 2 });
}
