import type { ChannelModel, ConfirmChannel, Options } from 'amqplib';
import { fullJitterMs, pause } from '../backoff.ts';
import { ChatError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { byReason } from './by-reason.ts';
import { ChannelTimeout, openChannel } from './rabbitmq-channel.ts';
import { coalesceWrites } from './rabbitmq-coalesce.ts';
import { socketOf } from './rabbitmq-connect.ts';
import { codeOf, notFound, reasonOf } from './rabbitmq-errors.ts';

/** A queue that is published to, by way of an exchange. */
export interface Target {
  exchange: string;
  /** The queue, as people are told of it: `partition 3`. */
  label: string;
}

/**
 * Publishes that are done when the broker has confirmed them. `attach` belongs into the setup of the link.
 *
 * Each queue has a channel of its own. RabbitMQ reads a connection no further when one of its channels cannot go on, so just so many
 * messages of a queue are under way that one which does not confirm leaves the others alone; what is more waits here, in order.
 */
export interface Publisher {
  attach(connection: ChannelModel): Promise<void>;
  /** One for each queue. */
  outlet(to: Target): Outlet;
  /** Whether a publish would be tried now. */
  ready(): boolean;
  /** What is wrong now, a line each. */
  problems(): string[];
  /** Resolves when nothing waits for a confirm any more. */
  drain(): Promise<void>;
}

export interface Outlet {
  /**
   * Resolves with the broker's confirm; the messages go out in the order of the calls.
   * @throws ChatError `broker_unavailable`: no connection, blocked, full, unroutable, no confirm within 4 s; at once where the
   * queue has not confirmed for that long, but for one message at a time that tries it
   */
  publish(
    routingKey: string,
    content: Buffer,
    options: Options.Publish & { messageId?: string },
  ): Promise<void>;
}

/** Below the 5 s that a client is promised. */
const defaultConfirmDeadlineMs = 4_000;
/** More than this is a broker that does not keep up: saying so at once is better than a queue in this process. */
const mostInFlight = 20_000;
const mostWaiting = 5_000;
/**
 * Of one queue. A quorum queue that does not confirm holds its channel up, and after 201 messages to such a channel
 * (`credit_flow_default_credit` 400, granted anew by 200) RabbitMQ stops reading the connection. Measured on 3.10.8 with one of eight
 * queues suspended: with 200 unconfirmed the seven others go on as before, with 380 nothing of them gets through. On a channel that
 * all queues share it is 33 (`quorum_commands_soft_limit`), or one where the queue has not been published to yet.
 */
const mostUnconfirmed = 128;
/** A broker that has not confirmed for 4 s and does not open a channel either is not there. */
const reopenDeadlineMs = 1_000;
/** What was refused and has not been tried since may be well. */
const toldMs = 60_000;

interface InFlight {
  routingKey: string;
  content: Buffer;
  options: Options.Publish & { messageId?: string };
  returned: boolean;
  /** Its caller has been answered. */
  settled: boolean;
  expiresAt: number;
  resolve: () => void;
  reject: (error: Error) => void;
}

/** A channel, and what is unconfirmed on it, whether or not a caller still waits for it. */
interface Line {
  readonly channel: ConfirmChannel;
  readonly unconfirmed: Set<InFlight>;
  closed: boolean;
}

/** What one connection has for one queue. */
interface Lane {
  readonly to: Target;
  line: Line | undefined;
  opening: boolean;
  /** In the order of the calls. */
  waiting: InFlight[];
  /** Since when it has not confirmed; one message at a time tries it. */
  silentSince: number | undefined;
  /** Why its last channel was closed, and until when no other is tried. */
  refusal: { reason: string; code: unknown; until: number } | undefined;
  failures: number;
}

/** What belongs to one connection and ends with it. */
interface Attached {
  readonly connection: ChannelModel;
  readonly lanes: Set<Lane>;
  /** The broker's reason for taking nothing. */
  blocked: string | undefined;
  lost: string | undefined;
  /** Why the broker takes nothing of what is published; until it has confirmed a message. */
  refusal: string | undefined;
  repairing: boolean;
}

/**
 * The hot path of the api. One timer watches all confirms, instead of one each.
 * @param away why there is no connection
 * @param repair declares what is missing
 */
export function createPublisher({
  log,
  away,
  repair,
  confirmDeadlineMs = defaultConfirmDeadlineMs,
}: {
  log: Logger;
  away: () => string | undefined;
  repair: (connection: ChannelModel) => Promise<void>;
  confirmDeadlineMs?: number;
}): Publisher {
  let current: Attached | undefined;
  /** Callers that wait. */
  let inFlight = 0;
  let sweeping: ReturnType<typeof setTimeout> | undefined;
  let drained: PromiseWithResolvers<void> | undefined;

  function settle(one: InFlight): boolean {
    if (one.settled) return false;
    one.settled = true;
    inFlight -= 1;
    if (inFlight === 0) {
      clearTimeout(sweeping);
      sweeping = undefined;
      drained?.resolve();
      drained = undefined;
    }
    return true;
  }

  function rejectAll(lane: Lane, line: Line | undefined, reason: string): void {
    const waiting = lane.waiting.splice(0);
    for (const one of [...(line?.unconfirmed ?? []), ...waiting]) {
      if (settle(one)) one.reject(unavailable(reason));
    }
  }

  function rejectEverything({ lanes }: Attached, reason: string): void {
    for (const lane of lanes) rejectAll(lane, lane.line, reason);
  }

  function watch(ms: number): void {
    sweeping ??= setTimeout(sweep, Math.ceil(ms));
  }

  function sweep(): void {
    sweeping = undefined;
    const now = performance.now();
    let next = Number.POSITIVE_INFINITY;
    for (const lane of current?.lanes ?? []) {
      // In the order of the calls: the first that waits is the oldest.
      const oldest = oldestOf(lane.line?.unconfirmed) ?? oldestOf(lane.waiting);
      if (!oldest) continue;
      if (oldest.expiresAt > now) next = Math.min(next, oldest.expiresAt);
      else fallSilent(lane);
    }
    if (next < Number.POSITIVE_INFINITY) watch(next - now);
  }

  function fallSilent(lane: Lane): void {
    const { line, to } = lane;
    const attached = current;
    if (!attached) return;
    if (lane.silentSince === undefined) {
      log.warn(`${to.label} does not confirm: what goes there is refused until it does`);
    }
    lane.silentSince = performance.now();
    lane.line = undefined;
    rejectAll(lane, line, `${to.label} has not confirmed within ${confirmDeadlineMs} ms`);
    // A channel that was opened while a quorum queue was starting may never hear of what it sends there; a new one does.
    void openLine(attached, lane, line);
  }

  /**
   * Opens a channel for a lane that has none.
   * @param left closed first: behind a queue that is silent that takes until it is back, and nothing is tried before
   */
  async function openLine(attached: Attached, lane: Lane, left?: Line): Promise<void> {
    if (lane.opening) return;
    lane.opening = true;
    try {
      if (lane.refusal?.code === notFound) await repair(attached.connection);
      const line = await lineOn(attached, lane, left ? reopenDeadlineMs : undefined);
      await left?.channel.close().catch(() => {});
      if (attached !== current || line.closed) return;
      lane.line = line;
      pump(lane, line);
    } catch (error) {
      if (attached !== current) return;
      if (error instanceof ChannelTimeout && attached.blocked === undefined) {
        // With an error: of a mere end amqplib hears nothing while bytes are unwritten.
        socketOf(attached.connection).destroy(new Error('RabbitMQ neither confirms nor answers'));
      } else {
        refuse(attached, lane, error);
        rejectAll(lane, undefined, `RabbitMQ refuses: ${reasonOf(error)}`);
      }
    } finally {
      lane.opening = false;
    }
  }

  async function lineOn(attached: Attached, lane: Lane, deadlineMs?: number): Promise<Line> {
    const channel = await openChannel(() => attached.connection.createConfirmChannel(), deadlineMs);
    const line: Line = { channel, unconfirmed: new Set(), closed: false };
    let error: unknown;
    channel.on('error', (reason) => (error = reason));
    // Of one id several may be under way, and which one came back is not told: none of them is taken for routed.
    channel.on('return', ({ properties }) => {
      for (const one of line.unconfirmed) one.returned ||= one.options.messageId === properties.messageId;
    });
    // Before amqplib's own listener, which gives each confirm that is missing an error that does not say why.
    channel.prependListener('close', () => {
      line.closed = true;
      if (lane.line !== line) return;
      lane.line = undefined;
      if (error !== undefined) refuse(attached, lane, error);
      const lost = `the connection to RabbitMQ was lost${attached.lost ? `: ${attached.lost}` : ''}`;
      rejectAll(lane, line, error === undefined ? lost : `RabbitMQ refuses: ${reasonOf(error)}`);
    });
    return line;
  }

  /** A permission revoked, an exchange deleted, no channel left: tried again with the first message after a pause. */
  function refuse(attached: Attached, lane: Lane, error: unknown): void {
    const reason = reasonOf(error);
    if (attached.refusal !== reason) log.error({ reason }, 'RabbitMQ refuses what is published');
    attached.refusal = reason;
    // At once the first time: what was deleted is declared again then.
    const until = performance.now() + (lane.failures === 0 ? 0 : fullJitterMs(lane.failures, 50));
    lane.refusal = { reason, code: codeOf(error), until };
    lane.failures += 1;
  }

  /** What came back had no queue. */
  async function repairRoutes(attached: Attached): Promise<void> {
    if (attached.repairing) return;
    attached.repairing = true;
    log.error('a message came back because no queue takes it: all of them are declared again');
    await repair(attached.connection).catch((error: unknown) => {
      log.error({ reason: reasonOf(error) }, 'the queues could not be declared again');
    });
    await pause(1_000);
    attached.repairing = false;
  }

  const roomOf = ({ silentSince }: Lane): number => (silentSince === undefined ? mostUnconfirmed : 1);

  function pump(lane: Lane, line: Line): void {
    while (lane.waiting.length > 0 && line.unconfirmed.size < roomOf(lane)) {
      const one = lane.waiting.shift();
      if (one && !one.settled) write(lane, line, one);
    }
  }

  function write(lane: Lane, line: Line, one: InFlight): void {
    const { routingKey, content, options } = one;
    line.unconfirmed.add(one);
    try {
      line.channel.publish(lane.to.exchange, routingKey, content, options, (error: unknown) =>
        answered(lane, line, one, error),
      );
    } catch (error) {
      line.unconfirmed.delete(one);
      if (settle(one)) one.reject(unavailable('the channel is closing', error));
    }
  }

  function answered(lane: Lane, line: Line, one: InFlight, error: unknown): void {
    const { label, exchange } = lane.to;
    line.unconfirmed.delete(one);
    if (!error) hear(lane);
    if (settle(one)) {
      if (error) {
        one.reject(unavailable(`RabbitMQ does not take it for ${label}: full, or without a leader`, error));
      } else if (one.returned) {
        one.reject(unavailable(`no queue is bound to ${exchange} by ${one.routingKey}`));
        if (current) void repairRoutes(current);
      } else {
        one.resolve();
      }
    }
    if (lane.waiting.length > 0 && lane.line === line) pump(lane, line);
  }

  function hear(lane: Lane): void {
    if (lane.silentSince !== undefined) {
      lane.silentSince = undefined;
      log.info(`${lane.to.label} confirms again`);
    }
    if (lane.refusal === undefined) return;
    lane.refusal = undefined;
    lane.failures = 0;
    if (current?.refusal !== undefined) log.info('RabbitMQ takes what is published again');
    if (current) current.refusal = undefined;
  }

  function refusalOf(attached: Attached, lane: Lane): string | undefined {
    const { blocked } = attached;
    if (blocked !== undefined) return `RabbitMQ takes no messages now: ${blocked}`;
    if (inFlight >= mostInFlight) return `${mostInFlight} messages wait for a confirm`;
    const { line, waiting, refusal, silentSince, to } = lane;
    if (silentSince !== undefined && (!line || line.unconfirmed.size > 0))
      return `${to.label} does not confirm`;
    if (!line && refusal && refusal.until > performance.now()) return `RabbitMQ refuses: ${refusal.reason}`;
    if (waiting.length >= mostWaiting) return `${mostWaiting} messages wait for their turn to ${to.label}`;
    return undefined;
  }

  const awayText = () => `no connection to RabbitMQ: ${away() ?? 'lost'}`;

  return {
    async attach(connection) {
      coalesceWrites(connection);
      const attached: Attached = {
        connection,
        lanes: new Set(),
        blocked: undefined,
        lost: undefined,
        refusal: undefined,
        repairing: false,
      };
      connection.on('blocked', (reason) => {
        attached.blocked = reason;
        log.warn({ reason }, 'RabbitMQ takes no messages now: blocked');
        rejectEverything(attached, `RabbitMQ takes no messages now: ${reason}`);
      });
      connection.on('unblocked', () => {
        attached.blocked = undefined;
        log.info('RabbitMQ takes messages again: unblocked');
      });
      connection.on('error', ({ message }) => (attached.lost = message));
      connection.on('close', () => {
        if (current === attached) current = undefined;
        rejectEverything(attached, 'the connection to RabbitMQ was lost');
      });
      current = attached;
    },

    outlet(to) {
      let lane: Lane | undefined;
      let of: Attached | undefined;

      function laneOn(attached: Attached): Lane {
        if (lane && of === attached) return lane;
        of = attached;
        lane = {
          to,
          line: undefined,
          opening: false,
          waiting: [],
          silentSince: undefined,
          refusal: undefined,
          failures: 0,
        };
        attached.lanes.add(lane);
        return lane;
      }

      return {
        publish(routingKey, content, options) {
          const attached = current;
          if (!attached) return Promise.reject(unavailable(awayText()));
          const lane = laneOn(attached);
          const reason = refusalOf(attached, lane);
          if (reason !== undefined) return Promise.reject(unavailable(reason));
          const { promise, resolve, reject } = Promise.withResolvers<void>();
          const one: InFlight = {
            routingKey,
            content,
            options,
            returned: false,
            settled: false,
            expiresAt: performance.now() + confirmDeadlineMs,
            resolve,
            reject,
          };
          inFlight += 1;
          watch(confirmDeadlineMs);
          const { line } = lane;
          if (line && lane.waiting.length === 0 && line.unconfirmed.size < roomOf(lane)) {
            write(lane, line, one);
          } else {
            lane.waiting.push(one);
            if (!line) void openLine(attached, lane);
          }
          return promise;
        },
      };
    },

    ready: () => current !== undefined && current.blocked === undefined,

    problems() {
      if (!current) return [awayText()];
      const { blocked, lanes } = current;
      if (blocked !== undefined) return [`RabbitMQ takes no messages now: ${blocked}`];
      const told = performance.now() - toldMs;
      const reasonFor = ({ silentSince, refusal }: Lane): string | undefined => {
        if (silentSince !== undefined && silentSince > told) return 'no confirms';
        return refusal && refusal.until > told ? refusal.reason : undefined;
      };
      return byReason([...lanes].map((lane) => [lane.to.label, reasonFor(lane)]));
    },

    async drain() {
      if (inFlight === 0) return;
      drained ??= Promise.withResolvers();
      await drained.promise;
    },
  };
}

/** Of those whose callers wait. */
function oldestOf(all: Iterable<InFlight> | undefined): InFlight | undefined {
  for (const one of all ?? []) {
    if (!one.settled) return one;
  }
  return undefined;
}

function unavailable(reason: string, cause?: unknown): ChatError {
  return new ChatError('broker_unavailable', undefined, {
    cause: new Error(reason, cause === undefined ? {} : { cause }),
    retryAfterSeconds: 2,
  });
}
