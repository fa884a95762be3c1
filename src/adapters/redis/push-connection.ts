import type { Socket } from 'bun';
import type { RedisConfig } from '../../shared/config.ts';
import type { Within } from '../../shared/deadline.ts';
import { createPushReader } from './push-reader.ts';

/** One connection to Redis, from the dialling until it is lost. Nothing can be asked before it is greeted. */
export interface PushConnection {
  /**
   * Resolves when Redis has acknowledged every channel.
   * @throws Error when the connection is lost, as it is by the deadline for acknowledgements
   */
  subscribe(channels: readonly string[]): Promise<void>;
  /** As `subscribe`. */
  unsubscribe(channels: readonly string[]): Promise<void>;
  /** An empty message. A failure shows as silence, or loses the connection. */
  publish(channel: string): void;
  drop(reason: Error): void;
}

export interface PushConnectionHandlers {
  greeted(): void;
  message(channel: string, payload: string): void;
  /** Once, for whatever reason, also when there never was a connection. */
  lost(reason: Error): void;
}

/** Channels of one command: more would keep Redis from its other clients for more than a millisecond or so. */
const mostChannels = 1_000;

/**
 * Acknowledgements come in order, one a channel, so they are counted: ioredis makes two buffers and a closure of each, which
 * took 4 to 5 µs a channel where this takes 2 (measured, the sets of the subscriber included).
 *
 * It speaks RESP3 (Redis 6 and later), in which a subscriber may publish. Channels belong to no database, so none is
 * selected. A Redis that is still loading its data subscribes already but runs no script, so nothing would be published:
 * to PING it answers with an error.
 * @param options.connectTimeoutMs for TCP and the answer to the greeting
 * @param options.within the deadline for acknowledgements
 */
export function connectForPushes(
  { redis, connectTimeoutMs, within }: { redis: RedisConfig; connectTimeoutMs: number; within: Within },
  on: PushConnectionHandlers,
): PushConnection {
  let socket: Socket | undefined;
  let ended: Error | undefined;
  /** To HELLO and PING. */
  let greetings = 2;
  /** Of a socket that took only a part. */
  let unwritten: Buffer[] = [];
  /** Channels of all commands so far. */
  let asked = 0;
  let acknowledged = 0;
  /** `until` grows. */
  const waiting: { until: number; resolve: () => void; reject: (reason: Error) => void }[] = [];

  const read = createPushReader({
    message: on.message,
    acknowledged() {
      acknowledged += 1;
      if (acknowledged > asked) throw new Error('Redis acknowledged what nobody asked for');
      if (waiting[0]?.until === acknowledged) waiting.shift()?.resolve();
    },
    answered(error) {
      if (error) throw error;
      if (greetings === 0) return;
      greetings -= 1;
      if (greetings > 0) return;
      clearTimeout(connecting);
      on.greeted();
    },
  });

  function end(reason: Error): void {
    if (ended) return;
    ended = reason;
    clearTimeout(connecting);
    unwritten = [];
    socket?.terminate();
    for (const { reject } of waiting.splice(0)) reject(reason);
    on.lost(reason);
  }

  function write(command: readonly string[]): void {
    if (ended) return;
    let frame = `*${command.length}\r\n`;
    for (const word of command) frame += `$${Buffer.byteLength(word)}\r\n${word}\r\n`;
    unwritten.push(Buffer.from(frame));
    if (unwritten.length === 1) flush();
  }

  function flush(): void {
    for (let head = unwritten[0]; head && socket; head = unwritten[0]) {
      const written = socket.write(head);
      if (written < head.length) {
        // A closed socket takes -1, and says that it is closed.
        if (written > 0) unwritten[0] = head.subarray(written);
        return;
      }
      unwritten.shift();
    }
  }

  async function ask(command: 'SUBSCRIBE' | 'UNSUBSCRIBE', channels: readonly string[]): Promise<void> {
    if (ended) throw ended;
    if (channels.length === 0) return;
    for (let at = 0; at < channels.length; at += mostChannels) {
      write([command, ...channels.slice(at, at + mostChannels)]);
    }
    asked += channels.length;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    waiting.push({ until: asked, resolve, reject });
    await within(promise, () => {
      const late = new Error(`Redis did not acknowledge ${command} in time`);
      end(late);
      return late;
    });
  }

  const connection: PushConnection = {
    subscribe: (channels) => ask('SUBSCRIBE', channels),
    unsubscribe: (channels) => ask('UNSUBSCRIBE', channels),
    publish: (channel) => write(['PUBLISH', channel, '']),
    drop: end,
  };

  const connecting = setTimeout(
    () => end(new Error(`Redis did not answer within ${connectTimeoutMs} ms`)),
    connectTimeoutMs,
  );
  Bun.connect({
    hostname: redis.host,
    port: redis.port,
    socket: {
      open(opened) {
        if (ended) return void opened.terminate();
        socket = opened;
        // Nagle would hold a command back until the one before it is answered.
        opened.setNoDelay(true);
        const secret = redis.password === undefined ? [] : ['AUTH', 'default', redis.password];
        write(['HELLO', '3', ...secret, 'SETNAME', 'confab-subscriber']);
        write(['PING']);
      },
      data(_, piece) {
        if (ended) return;
        try {
          read(piece);
        } catch (error) {
          end(error instanceof Error ? error : new Error(String(error)));
        }
      },
      drain: flush,
      close: (_, error) => end(error ?? new Error('the connection to Redis was closed')),
      error: (_, error) => end(error),
    },
  }).catch(end);
  return connection;
}
