import type { Writable } from 'node:stream';
import type { ChannelModel, ConfirmChannel, Options } from 'amqplib';
import { ChatError } from '../errors.ts';

/**
 * Publishes that are done when the broker has confirmed them. `attach` belongs into the setup of the link.
 */
export interface Publisher {
  attach(connection: ChannelModel): Promise<void>;
  /**
   * Resolves with the broker's confirm; the messages go out in the order of the calls.
   * @throws ChatError `broker_unavailable`: no connection, blocked, full, unroutable, or no confirm within 4 s
   */
  publish(
    exchange: string,
    routingKey: string,
    content: Buffer,
    options: Options.Publish & { messageId?: string },
  ): Promise<void>;
  ready(): boolean;
  /** Resolves when nothing waits for a confirm any more. */
  drain(): Promise<void>;
}

/** Below the 5 s that a client is promised. */
const defaultConfirmDeadlineMs = 4_000;
/** More than this is a broker that does not keep up: saying so at once is better than a queue in this process. */
const mostInFlight = 20_000;

interface InFlight {
  messageId: string | undefined;
  /** Under way with the same id. */
  older: InFlight | undefined;
  returned: boolean;
  expiresAt: number;
  reject: (error: Error) => void;
}

/** The hot path of the api. One timer watches all confirms, instead of one each. */
export function createPublisher({ confirmDeadlineMs = defaultConfirmDeadlineMs } = {}): Publisher {
  const inFlight = new Set<InFlight>();
  /** The newest of each id, for what the broker returns: looking through all took a second for 20,000. */
  const newestOf = new Map<string | undefined, InFlight>();
  let current: ConfirmChannel | undefined;
  /** Drops the connection that `current` is on. */
  let drop = () => {};
  let blocked = false;
  let sweeping: ReturnType<typeof setTimeout> | undefined;
  let drained: PromiseWithResolvers<void> | undefined;

  function forgetId(one: InFlight): void {
    const { messageId, older } = one;
    let newer = newestOf.get(messageId);
    if (newer === one) {
      if (older) newestOf.set(messageId, older);
      else newestOf.delete(messageId);
      return;
    }
    while (newer && newer.older !== one) newer = newer.older;
    if (newer) newer.older = older;
  }

  function settle(one: InFlight): boolean {
    const first = inFlight.delete(one);
    if (first) forgetId(one);
    if (inFlight.size === 0) {
      clearTimeout(sweeping);
      sweeping = undefined;
      drained?.resolve();
    }
    return first;
  }

  function rejectAll(reason: string): void {
    for (const one of [...inFlight]) {
      if (settle(one)) one.reject(unavailable(reason));
    }
  }

  function sweep(): void {
    sweeping = undefined;
    const now = performance.now();
    for (const one of inFlight) {
      // In the order of the calls: the rest is younger.
      if (one.expiresAt > now) {
        watch(one.expiresAt - now);
        return;
      }
      if (!settle(one)) continue;
      one.reject(unavailable(`no confirm within ${confirmDeadlineMs} ms`));
      // A channel opened while a quorum queue is still starting may never hear of what it sends there; a new one does.
      drop();
    }
  }

  function watch(ms: number): void {
    sweeping ??= setTimeout(sweep, Math.ceil(ms));
  }

  return {
    async attach(connection) {
      coalesceWrites(connection);
      const channel = await connection.createConfirmChannel();
      channel.on('error', () => {});
      // Of one id several may be under way, and which one came back is not told: none of them is taken for routed.
      channel.on('return', ({ properties }) => {
        for (let one = newestOf.get(properties.messageId); one; one = one.older) one.returned = true;
      });
      channel.on('close', () => {
        if (current !== channel) return;
        current = undefined;
        rejectAll('the channel was closed');
        // Whatever closed it (an exchange deleted, say), a new connection declares everything again.
        connection.close().catch(() => {});
      });
      connection.on('blocked', () => {
        blocked = true;
        rejectAll('the broker takes no messages now');
      });
      connection.on('unblocked', () => (blocked = false));
      blocked = false;
      current = channel;
      drop = () => {
        drop = () => {};
        socketOf(connection).destroy();
      };
    },

    publish(exchange, routingKey, content, options) {
      if (!current) return Promise.reject(unavailable('no connection'));
      if (blocked) return Promise.reject(unavailable('the broker takes no messages now'));
      if (inFlight.size >= mostInFlight) {
        return Promise.reject(unavailable(`${mostInFlight} messages wait for a confirm`));
      }
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const one: InFlight = {
        messageId: options.messageId,
        older: newestOf.get(options.messageId),
        returned: false,
        expiresAt: performance.now() + confirmDeadlineMs,
        reject,
      };
      inFlight.add(one);
      newestOf.set(one.messageId, one);
      watch(confirmDeadlineMs);
      try {
        current.publish(exchange, routingKey, content, options, (error: unknown) => {
          if (!settle(one)) return;
          if (error) reject(unavailable(error));
          else if (one.returned) reject(unavailable(`no queue is bound to ${exchange} by ${routingKey}`));
          else resolve();
        });
      } catch (error) {
        settle(one);
        reject(unavailable(error));
      }
      return promise;
    },

    ready: () => current !== undefined && !blocked,

    async drain() {
      if (inFlight.size === 0) return;
      drained ??= Promise.withResolvers();
      await drained.promise;
    },
  };
}

/**
 * amqplib writes each message to the socket by itself. Corked until the end of the tick, all that is published in one tick
 * goes out in one write (measured at 64 in flight: 20 to 10 µs of CPU a confirmed message, and twice as many a second,
 * because the broker too reads more at once).
 */
function coalesceWrites(connection: ChannelModel): void {
  const stream = socketOf(connection);
  const write = stream.write;
  let corked = false;
  const flush = () => {
    corked = false;
    stream.uncork();
  };
  stream.write = (...given: unknown[]) => {
    if (!corked) {
      corked = true;
      stream.cork();
      process.nextTick(flush);
    }
    return Reflect.apply(write, stream, given);
  };
}

/** Private to amqplib. */
const socketOf = (connection: ChannelModel): Writable =>
  (connection.connection as unknown as { stream: Writable }).stream;

function unavailable(reason: unknown): ChatError {
  const cause = typeof reason === 'string' ? new Error(reason) : reason;
  return new ChatError('broker_unavailable', undefined, { cause, retryAfterSeconds: 2 });
}
