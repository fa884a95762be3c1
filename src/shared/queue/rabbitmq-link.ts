import amqplib, { type ChannelModel } from 'amqplib';
import { fullJitterMs, pause } from '../backoff.ts';
import { withDeadline } from '../deadline.ts';
import type { Logger } from '../log.ts';
import { StartError } from '../start-error.ts';
import { TopologyError } from './rabbitmq-topology.ts';

/** One connection to the broker that comes back by itself. */
export interface Link {
  /**
   * The first connection; every further call gives the same.
   * @throws StartError when there is none within `waitMs`, at once when waiting cannot help
   */
  open(): Promise<void>;
  current(): ChannelModel | undefined;
  /** Resolves as soon as there is a connection, or with undefined when the signal is aborted. */
  connected(signal: AbortSignal): Promise<ChannelModel | undefined>;
  close(): Promise<void>;
}

/** A dead peer is noticed after two silent intervals. */
const heartbeatSeconds = 5;
const connectDeadlineMs = 4_000;
/** Declaring a thousand queues takes its time; a dead connection is noticed by the heartbeat long before. */
const setupDeadlineMs = 30_000;
const closeDeadlineMs = 1_000;

/**
 * amqplib's own recovery is not used: it cannot give up on a connect that hangs, an error during its `setup` is uncaught,
 * and it retries what retrying does not mend.
 * @param setup what a connection needs before it is handed out; runs again after every loss
 */
export function createLink(dependencies: {
  url: string;
  /** Shown by the broker in its list of connections. */
  name: string;
  log: Logger;
  waitMs: number;
  setup: (connection: ChannelModel) => Promise<void>;
}): Link {
  const { name, log, waitMs, setup } = dependencies;
  const url = new URL(dependencies.url);
  if (!url.searchParams.has('heartbeat')) url.searchParams.set('heartbeat', String(heartbeatSeconds));
  const address = `${url.hostname}:${url.port || (url.protocol === 'amqps:' ? 5671 : 5672)}`;
  const closing = new AbortController();
  let connection: ChannelModel | undefined;
  let available = Promise.withResolvers<void>();
  let opening: Promise<void> | undefined;
  let reconnecting: Promise<void> | undefined;

  async function connect(): Promise<void> {
    const connecting = amqplib.connect(url.href, {
      timeout: connectDeadlineMs,
      noDelay: true,
      clientProperties: { connection_name: name },
    });
    const late = () => new Error(`no answer within ${connectDeadlineMs} ms`);
    const next = await withDeadline(connecting, connectDeadlineMs, late).catch((error: unknown) => {
      connecting.then(discard, () => {});
      throw error;
    });
    let lost: Error | undefined;
    next.on('error', (error) => (lost = error));
    next.on('close', (error) => {
      lost ??= error instanceof Error ? error : new Error('closed');
      destroySocket(next);
      if (connection === next) onLost(lost);
    });
    try {
      await withDeadline(setup(next), setupDeadlineMs, () => new Error('setting up took too long'));
      if (lost) throw lost;
      if (closing.signal.aborted) throw new Error('closed');
    } catch (error) {
      void discard(next);
      throw error;
    }
    connection = next;
    available.resolve();
  }

  function onLost(error: Error): void {
    connection = undefined;
    available = Promise.withResolvers();
    if (closing.signal.aborted) return;
    log.warn({ reason: error.message }, `lost RabbitMQ at ${address} (${name})`);
    reconnecting = reconnect();
  }

  async function reconnect(): Promise<void> {
    for (let attempt = 0; !closing.signal.aborted; attempt += 1) {
      await pause(fullJitterMs(attempt, 100), closing.signal);
      if (closing.signal.aborted) return;
      try {
        await connect();
        log.info(`RabbitMQ at ${address} is back (${name})`);
        return;
      } catch (error) {
        if (error instanceof TopologyError) log.error(error.message);
      }
    }
  }

  async function openFirst(): Promise<void> {
    const end = Date.now() + waitMs;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await connect();
      } catch (error) {
        if (error instanceof TopologyError || closing.signal.aborted) throw error;
        const reason = error instanceof Error ? error.message : String(error);
        if (/ACCESS.REFUSED|NOT.ALLOWED/.test(reason)) {
          throw new StartError(`RabbitMQ at ${address} refuses: ${reason}`, { cause: error });
        }
        if (Date.now() >= end) {
          throw new StartError(`RabbitMQ at ${address} was not there within ${waitMs / 1000} s: ${reason}`, {
            cause: error,
          });
        }
        if (attempt === 0) log.info(`waiting for RabbitMQ at ${address}, ${waitMs / 1000} s at most`);
        await pause(Math.min(fullJitterMs(attempt, 100), Math.max(0, end - Date.now())), closing.signal);
      }
    }
  }

  return {
    open() {
      opening ??= openFirst();
      return opening;
    },
    current: () => connection,
    async connected(signal) {
      while (!signal.aborted && !closing.signal.aborted) {
        if (connection) return connection;
        await untilEither(available.promise, signal, closing.signal);
      }
      return undefined;
    },
    async close() {
      closing.abort();
      const last = connection;
      if (last) await discard(last);
      await opening?.catch(() => {});
      await reconnecting;
    },
  };
}

async function untilEither(ready: Promise<void>, ...signals: AbortSignal[]): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = () => resolve();
  for (const signal of signals) signal.addEventListener('abort', end);
  await Promise.race([ready, promise]);
  for (const signal of signals) signal.removeEventListener('abort', end);
}

async function discard(connection: ChannelModel): Promise<void> {
  connection.on('error', () => {});
  try {
    await withDeadline(connection.close(), closeDeadlineMs, () => new Error('no goodbye'));
  } catch {
    // It was gone already, or it is now.
  }
  destroySocket(connection);
}

/** amqplib only half-closes the socket: to a peer that is silent it would stay open. */
function destroySocket(connection: ChannelModel): void {
  const { stream } = connection.connection as unknown as { stream?: { destroy?: () => void } };
  stream?.destroy?.();
}
