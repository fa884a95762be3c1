import type { ChannelModel } from 'amqplib';
import { fullJitterMs, pause } from '../../shared/backoff.ts';
import { addressText, type BrokerAddress, type BrokerNode } from '../../shared/config/broker-address.ts';
import { withDeadline } from '../../shared/deadline.ts';
import type { Logger } from '../../shared/log.ts';
import { StartError } from '../../shared/start-error.ts';
import { connectTo, discard, socketOf } from './connect.ts';

/** One connection to the broker that comes back by itself, at whichever of its nodes. */
export interface Link {
  /**
   * The first connection; every further call gives the same.
   * @throws StartError when there is none within `waitMs`, at once when waiting cannot help
   */
  open(): Promise<void>;
  current(): ChannelModel | undefined;
  /** Why there is no connection now. */
  problem(): string | undefined;
  /**
   * Resolves as soon as there is a connection, or with undefined when the signal is aborted. A link that nobody has opened is
   * opened by this, and waited for as after a loss.
   */
  connected(signal: AbortSignal): Promise<ChannelModel | undefined>;
  close(): Promise<void>;
}

const defaultSetupDeadlineMs = 8_000;

/**
 * amqplib's own recovery is not used: it cannot give up on a connect that hangs, an error during its `setup` is uncaught,
 * and it retries what retrying does not mend.
 * @param setup what a connection needs before it is handed out; runs again after every loss
 */
export function createLink(dependencies: {
  broker: BrokerAddress;
  /** Shown by the broker in its list of connections. */
  name: string;
  log: Logger;
  waitMs: number;
  setup?: (connection: ChannelModel) => Promise<void>;
  setupDeadlineMs?: number;
}): Link {
  const { broker, name, log, waitMs, setup, setupDeadlineMs = defaultSetupDeadlineMs } = dependencies;
  const { hosts } = broker;
  const turn = turnsOf(hosts);
  const at = `RabbitMQ at ${hosts.map(addressText).join(', ')}`;
  const closing = new AbortController();
  let connection: ChannelModel | undefined;
  let problem: string | undefined = 'not connected yet';
  let available = Promise.withResolvers<void>();
  let opening: Promise<void> | undefined;
  let reconnecting: Promise<void> | undefined;

  async function connect(node: BrokerNode): Promise<void> {
    const next = await connectTo(node, broker, name);
    let lost: Error | undefined;
    next.on('error', (error) => (lost = error));
    next.on('close', (error) => {
      lost ??= error instanceof Error ? error : new Error('closed');
      socketOf(next).destroy();
      if (connection === next) onLost(node, lost);
    });
    // amqplib hears of `end` and `error` alone, and where bytes are unwritten Bun tells the end of a socket by `close`.
    const socket = socketOf(next);
    socket.once('close', () => {
      if (!lost) socket.emit('error', new Error('the socket was closed'));
    });
    try {
      await withDeadline(
        Promise.resolve(setup?.(next)),
        setupDeadlineMs,
        () => new Error(`not set up within ${setupDeadlineMs} ms`),
      );
      if (lost) throw lost;
      if (closing.signal.aborted) throw new Error('closed');
    } catch (error) {
      void discard(next);
      // What ended the connection says more than what was under way on it.
      throw lost ?? error;
    }
    connection = next;
    problem = undefined;
    available.resolve();
  }

  function onLost(node: BrokerNode, error: Error): void {
    connection = undefined;
    problem = error.message;
    available = Promise.withResolvers();
    if (closing.signal.aborted) return;
    log.warn({ reason: error.message }, `lost RabbitMQ at ${addressText(node)} (${name})`);
    turn.past(node);
    reconnecting = reconnect();
  }

  async function reconnect(): Promise<void> {
    /** Each once: of several nodes each may have a reason of its own. */
    const said = new Set<string>();
    for (let attempt = 0; ; attempt += 1) {
      const node = turn.next();
      // All nodes at once, then a pause.
      if (attempt % hosts.length === 0) {
        await pause(fullJitterMs(attempt / hosts.length, 100), closing.signal);
      }
      if (closing.signal.aborted) return;
      try {
        await connect(node);
        log.info(`RabbitMQ at ${addressText(node)} is back (${name})`);
        return;
      } catch (error) {
        problem = messageOf(error);
        if (said.has(problem) || closing.signal.aborted) continue;
        said.add(problem);
        const level = isLasting(error) ? 'error' : 'warn';
        log[level]({ reason: problem }, `no connection to RabbitMQ at ${addressText(node)} yet (${name})`);
      }
    }
  }

  async function openFirst(): Promise<void> {
    const end = Date.now() + waitMs;
    let waited = false;
    for (let round = 0; ; round += 1) {
      const failures: unknown[] = [];
      for (const _ of hosts) {
        if (closing.signal.aborted) break;
        try {
          return await connect(turn.next());
        } catch (error) {
          failures.push(error);
        }
      }
      const lasting = failures.find(isLasting);
      if (closing.signal.aborted) throw new StartError(`${at}: closed before there was a connection`);
      if (lasting !== undefined) throw lasting;
      const reason = [...new Set(failures.map(messageOf))].join('; ');
      if (Date.now() >= end) {
        throw new StartError(`${at} was not there within ${waitMs / 1000} s: ${reason}`, {
          cause: failures[0],
        });
      }
      if (!waited) log.info({ reason }, `waiting for ${at}, ${waitMs / 1000} s at most`);
      waited = true;
      await pause(Math.min(fullJitterMs(round, 100), Math.max(0, end - Date.now())), closing.signal);
    }
  }

  return {
    open() {
      opening ??= openFirst();
      return opening;
    },
    current: () => connection,
    problem: () => problem,
    async connected(signal) {
      while (!signal.aborted && !closing.signal.aborted) {
        if (connection) return connection;
        if (!opening) reconnecting ??= reconnect();
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

/** Begins anywhere, so that processes spread over the nodes; then one after the other. */
function turnsOf(nodes: readonly BrokerNode[]): { next(): BrokerNode; past(node: BrokerNode): void } {
  let at = Math.floor(Math.random() * nodes.length);
  return {
    next() {
      const node = nodes[at % nodes.length];
      if (!node) throw new StartError('RabbitMQ has no address');
      at += 1;
      return node;
    },
    past(node) {
      at = nodes.indexOf(node) + 1;
    },
  };
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** What waiting does not mend. */
const isLasting = (error: unknown): boolean => error instanceof StartError;

async function untilEither(ready: Promise<void>, ...signals: AbortSignal[]): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = () => resolve();
  for (const signal of signals) signal.addEventListener('abort', end);
  await Promise.race([ready, promise]);
  for (const signal of signals) signal.removeEventListener('abort', end);
}
