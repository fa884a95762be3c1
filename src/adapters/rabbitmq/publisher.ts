import type { ChannelModel, ConfirmChannel, Options } from 'amqplib';
import { fullJitterMs, pause } from '../../shared/backoff.ts';
import { ChatError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';
import { byReason } from './by-reason.ts';
import { ChannelTimeout, closeChannel, openChannel } from './channel.ts';
import { coalesceWrites } from './coalesce.ts';
import { socketOf } from './connect.ts';
import { codeOf, notFound, reasonOf } from './errors.ts';
import { askLeader } from './leader.ts';

/** A queue that is published to. */
export interface Target {
  exchange: string;
  routingKey: string;
  /** The queue that is bound to it. */
  queue: string;
  /** As people are told of it: `partition 3`. */
  label: string;
}

/**
 * Publishes that are done when the broker has confirmed them. `attach` belongs into the setup of the link.
 *
 * All queues share a channel for as long as they are well: one for each costs a tenth more of the broker's and the client's processor
 * time. RabbitMQ reads a connection no further when one of its channels cannot go on, so just so many messages of a queue are under way
 * that one which does not confirm leaves the others alone; what is more waits here, in order. A queue that has not
 * confirmed in time is tried on a channel of its own, until it does.
 */
export interface Publisher {
  attach(connection: ChannelModel): Promise<void>;
  /** One for each queue. */
  outlet(to: Target): Outlet;
  /** Whether a publish would be tried now. */
  ready(): boolean;
  /** What is wrong now, a line each; without reasons, which may name addresses and users: the log has them. */
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
  publish(content: Buffer, options: Options.Publish & { messageId?: string }): Promise<void>;
}

/** Below the 5 s that a client is promised. */
const defaultConfirmDeadlineMs = 4_000;
/** More than this is a broker that does not keep up: saying so at once is better than a queue in this process. */
const mostInFlight = 20_000;
const mostWaiting = 5_000;
/**
 * Of one queue. From the 33rd unconfirmed command of a channel to a quorum queue on (`quorum_commands_soft_limit`) the channel gets no
 * more credit until the queue has caught up, and soon the connection is not read any more. Measured on 3.10.8 with one of eight
 * queues suspended: with 32 the seven others go on as before, with 33 nothing of them gets through. One queue takes 22,000 messages a
 * second with 32 under way.
 */
const mostUnconfirmed = 32;
/** A broker that has not confirmed for 4 s and does not open a channel either is not there. */
const reopenDeadlineMs = 1_000;
/** What was refused and has not been tried since may be well. */
const toldMs = 60_000;

interface InFlight {
  content: Buffer;
  options: Options.Publish & { messageId?: string };
  returned: boolean;
  /** Its caller has been answered. */
  settled: boolean;
  expiresAt: number;
  resolve: () => void;
  reject: (error: Error) => void;
}

interface Line {
  readonly channel: ConfirmChannel;
  readonly shared: boolean;
  closed: boolean;
}

/** What one connection has for one queue. */
interface Lane {
  readonly to: Target;
  readonly attached: Attached;
  /** The shared one, one that was shared before, or one of its own. */
  line: Line | undefined;
  /** On `line`, whether or not a caller still waits. */
  unconfirmed: Set<InFlight>;
  /** In the order of the calls. */
  waiting: InFlight[];
  joining: boolean;
  opening: boolean;
  /** Since when it has not confirmed. */
  silentSince: number | undefined;
  /** Why its last channel was closed, and until when no other is tried. */
  refusal: { reason: string; code: unknown; until: number } | undefined;
  failures: number;
}

/** What belongs to one connection and ends with it. */
interface Attached {
  readonly connection: ChannelModel;
  readonly lanes: Set<Lane>;
  shared: Line | undefined;
  sharing: Promise<Line> | undefined;
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

  function publish(lane: Lane, content: Buffer, options: InFlight['options']): Promise<void> {
    const refusal = refusalOf(lane);
    if (refusal !== undefined) return Promise.reject(unavailable(refusal));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const expiresAt = performance.now() + confirmDeadlineMs;
    const one: InFlight = { content, options, returned: false, settled: false, expiresAt, resolve, reject };
    inFlight += 1;
    watch(confirmDeadlineMs);
    const { line, waiting, unconfirmed, attached } = lane;
    // As nearly always: nothing is before it, and all is well.
    const free = waiting.length === 0 && unconfirmed.size < mostUnconfirmed;
    if (free && line && line === attached.shared) {
      write(lane, line, one);
    } else {
      waiting.push(one);
      advance(lane);
    }
    return promise;
  }

  function refusalOf({
    attached,
    line,
    unconfirmed,
    waiting,
    refusal,
    silentSince,
    to,
  }: Lane): string | undefined {
    if (attached.blocked !== undefined) return `RabbitMQ takes no messages now: ${attached.blocked}`;
    if (inFlight >= mostInFlight) return `${mostInFlight} messages wait for a confirm`;
    if (silentSince !== undefined && (!line || unconfirmed.size > 0)) return `${to.label} does not confirm`;
    if (!line && refusal && refusal.until > performance.now()) return `RabbitMQ refuses: ${refusal.reason}`;
    if (waiting.length >= mostWaiting) return `${mostWaiting} messages wait for their turn to ${to.label}`;
    return undefined;
  }

  /** Writes what may be written now. */
  function advance(lane: Lane): void {
    const { line, waiting, unconfirmed, attached } = lane;
    if (line && (line === attached.shared || lane.silentSince !== undefined)) {
      const room = lane.silentSince === undefined ? mostUnconfirmed : 1;
      while (waiting.length > 0 && unconfirmed.size < room) {
        const one = waiting.shift();
        if (one && !one.settled) write(lane, line, one);
      }
    } else if (waiting.length > 0 && unconfirmed.size === 0) {
      // Order: what is under way on another channel is confirmed first.
      void join(lane);
    }
  }

  function write(lane: Lane, line: Line, one: InFlight): void {
    const { exchange, routingKey } = lane.to;
    lane.unconfirmed.add(one);
    try {
      line.channel.publish(exchange, routingKey, one.content, one.options, (error: unknown) =>
        answered(lane, line, one, error),
      );
    } catch (error) {
      lane.unconfirmed.delete(one);
      if (settle(one)) one.reject(unavailable('the channel is closing', error));
    }
  }

  function answered(lane: Lane, line: Line, one: InFlight, error: unknown): void {
    const { label, exchange, routingKey } = lane.to;
    lane.unconfirmed.delete(one);
    if (!error && (lane.silentSince !== undefined || lane.refusal !== undefined)) hear(lane);
    if (settle(one)) {
      if (error) {
        one.reject(unavailable(`RabbitMQ does not take it for ${label}: full, or without a leader`, error));
      } else if (one.returned) {
        one.reject(unavailable(`no queue is bound to ${exchange} by ${routingKey}`));
        void repairRoutes(lane.attached);
      } else {
        one.resolve();
      }
    }
    if (lane.waiting.length > 0 && lane.line === line) advance(lane);
  }

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

  function rejectAll(lane: Lane, reason: string): void {
    for (const one of [...lane.unconfirmed, ...lane.waiting.splice(0)]) {
      if (settle(one)) one.reject(unavailable(reason));
    }
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
      const oldest = oldestOf(lane.unconfirmed) ?? oldestOf(lane.waiting);
      if (!oldest) continue;
      if (oldest.expiresAt > now) next = Math.min(next, oldest.expiresAt);
      else fallSilent(lane, `has not confirmed within ${confirmDeadlineMs} ms`);
    }
    if (next < Number.POSITIVE_INFINITY) watch(next - now);
  }

  function fallSilent(lane: Lane, why: string): void {
    const { line, to, attached } = lane;
    if (lane.silentSince === undefined) {
      log.warn(`${to.label} does not confirm: what goes there is refused until it does`);
    }
    lane.silentSince = performance.now();
    rejectAll(lane, `${to.label} ${why}`);
    lane.line = undefined;
    lane.unconfirmed = new Set();
    if (line?.shared) abandon(attached, line);
    void openOwn(lane, line?.shared ? undefined : line);
  }

  /** The others leave the channel too: what is never confirmed on it would be kept in mind for ever. */
  function abandon(attached: Attached, line: Line): void {
    if (attached.shared === line) attached.shared = undefined;
    for (const lane of attached.lanes) {
      if (lane.line === line && lane.unconfirmed.size === 0) lane.line = undefined;
    }
    leave(attached, line);
  }

  /** Closes a channel when its last lane has left it. */
  function leave({ lanes }: Attached, line: Line): void {
    for (const lane of lanes) if (lane.line === line) return;
    void closeChannel(line.channel);
  }

  /** Puts a lane that is well on the shared channel. */
  async function join(lane: Lane): Promise<void> {
    if (lane.joining) return;
    lane.joining = true;
    const { attached } = lane;
    try {
      // The first message to a queue whose leader is silent would hold up the channel, and with it all others.
      const answers = await leaderAnswers(lane);
      const shared = attached.shared ?? (await share(attached));
      if (attached !== current || lane.silentSince !== undefined) return;
      if (!answers) return fallSilent(lane, 'has a leader that does not answer');
      if (shared.closed) throw new Error('the channel was closed');
      const left = lane.line;
      lane.line = shared;
      if (left) leave(attached, left);
      advance(lane);
    } catch (error) {
      failed(lane, error);
    } finally {
      lane.joining = false;
    }
  }

  async function leaderAnswers({ attached: { connection }, to, refusal }: Lane): Promise<boolean> {
    if (refusal?.code === notFound) await repair(connection);
    const channel = await openChannel(() => connection.createChannel());
    try {
      return (await askLeader(channel, to.queue)) !== undefined;
    } catch (error) {
      if (codeOf(error) !== notFound) throw error;
      await repair(connection);
      return true;
    } finally {
      void closeChannel(channel);
    }
  }

  function share(attached: Attached): Promise<Line> {
    attached.sharing ??= openLine(attached, true)
      .then((line) => {
        attached.shared = line;
        return line;
      })
      .finally(() => {
        attached.sharing = undefined;
      });
    return attached.sharing;
  }

  /**
   * A channel on which a lane that has fallen silent is tried, one message at a time. A new one each time: one that was opened while
   * a quorum queue was starting may never hear of what it sends there.
   * @param left closed first: behind a queue that is silent that takes until it is back, and nothing is tried before
   */
  async function openOwn(lane: Lane, left?: Line): Promise<void> {
    if (lane.opening) return;
    lane.opening = true;
    try {
      const line = await openLine(lane.attached, false, reopenDeadlineMs);
      await left?.channel.close().catch(() => {});
      if (lane.attached !== current) return;
      if (line.closed) throw new Error('the channel was closed');
      if (lane.silentSince === undefined) void closeChannel(line.channel);
      else lane.line = line;
    } catch (error) {
      failed(lane, error);
    } finally {
      lane.opening = false;
    }
  }

  async function openLine(attached: Attached, shared: boolean, deadlineMs?: number): Promise<Line> {
    const channel = await openChannel(() => attached.connection.createConfirmChannel(), deadlineMs);
    const line: Line = { channel, shared, closed: false };
    let error: unknown;
    channel.on('error', (reason) => (error = reason));
    // Of one id several may be under way, and which one came back is not told: none of them is taken for routed.
    channel.on('return', ({ fields, properties }) => {
      for (const { to, unconfirmed } of attached.lanes) {
        if (to.exchange !== fields.exchange || to.routingKey !== fields.routingKey) continue;
        for (const one of unconfirmed) one.returned ||= one.options.messageId === properties.messageId;
      }
    });
    // Before amqplib's own listener, which gives each confirm that is missing an error that does not say why.
    channel.prependListener('close', () => {
      line.closed = true;
      if (attached.shared === line) attached.shared = undefined;
      const lost = `the connection to RabbitMQ was lost${attached.lost ? `: ${attached.lost}` : ''}`;
      for (const lane of attached.lanes) {
        if (lane.line !== line) continue;
        lane.line = undefined;
        if (error !== undefined) refuse(lane, error);
        rejectAll(lane, error === undefined ? lost : `RabbitMQ refuses: ${reasonOf(error)}`);
        lane.unconfirmed = new Set();
      }
    });
    return line;
  }

  /** No channel was to be had. */
  function failed(lane: Lane, error: unknown): void {
    const { attached } = lane;
    if (attached !== current) return;
    if (error instanceof ChannelTimeout && attached.blocked === undefined) {
      // With an error: of a mere end amqplib hears nothing while bytes are unwritten.
      socketOf(attached.connection).destroy(new Error('RabbitMQ neither confirms nor answers'));
      return;
    }
    refuse(lane, error);
    rejectAll(lane, `RabbitMQ refuses: ${reasonOf(error)}`);
  }

  /** A permission revoked, an exchange deleted, no channel left: tried again with the first message after a pause. */
  function refuse(lane: Lane, error: unknown): void {
    const { attached, failures } = lane;
    const reason = reasonOf(error);
    if (attached.refusal !== reason) log.error({ reason }, 'RabbitMQ refuses what is published');
    attached.refusal = reason;
    // At once the first time: what was deleted is declared again then.
    const until = performance.now() + (failures === 0 ? 0 : fullJitterMs(failures, 50));
    lane.refusal = { reason, code: codeOf(error), until };
    lane.failures += 1;
    // That is an answer.
    lane.silentSince = undefined;
  }

  /** It has confirmed: it is well again. */
  function hear(lane: Lane): void {
    const { attached, to } = lane;
    if (lane.silentSince !== undefined) {
      lane.silentSince = undefined;
      log.info(`${to.label} confirms again`);
    }
    if (lane.refusal === undefined) return;
    lane.refusal = undefined;
    lane.failures = 0;
    if (attached.refusal !== undefined) log.info('RabbitMQ takes what is published again');
    attached.refusal = undefined;
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

  return {
    async attach(connection) {
      coalesceWrites(connection);
      const attached: Attached = {
        connection,
        lanes: new Set(),
        shared: undefined,
        sharing: undefined,
        blocked: undefined,
        lost: undefined,
        refusal: undefined,
        repairing: false,
      };
      const rejectEverything = (reason: string) => {
        for (const lane of attached.lanes) rejectAll(lane, reason);
      };
      connection.on('blocked', (reason) => {
        attached.blocked = reason;
        log.warn({ reason }, 'RabbitMQ takes no messages now: blocked');
        rejectEverything(`RabbitMQ takes no messages now: ${reason}`);
      });
      connection.on('unblocked', () => {
        attached.blocked = undefined;
        log.info('RabbitMQ takes messages again: unblocked');
      });
      connection.on('error', ({ message }) => (attached.lost = message));
      connection.on('close', () => {
        if (current === attached) current = undefined;
        rejectEverything('the connection to RabbitMQ was lost');
      });
      current = attached;
    },

    outlet(to) {
      let lane: Lane | undefined;

      function laneOn(attached: Attached): Lane {
        if (lane?.attached === attached) return lane;
        lane = {
          ...{ to, attached, line: undefined, unconfirmed: new Set(), waiting: [], failures: 0 },
          ...{ joining: false, opening: false, silentSince: undefined, refusal: undefined },
        };
        attached.lanes.add(lane);
        return lane;
      }

      return {
        publish(content, options) {
          if (!current) {
            return Promise.reject(unavailable(`no connection to RabbitMQ: ${away() ?? 'lost'}`));
          }
          return publish(laneOn(current), content, options);
        },
      };
    },

    ready: () => current !== undefined && current.blocked === undefined,

    problems() {
      if (!current) return ['no connection to RabbitMQ'];
      const { blocked, lanes } = current;
      if (blocked !== undefined) return [`RabbitMQ takes no messages now: ${blocked}`];
      const told = performance.now() - toldMs;
      const reasonFor = ({ silentSince, refusal }: Lane): string | undefined => {
        if (silentSince !== undefined && silentSince > told) return 'no confirms';
        return refusal && refusal.until > told ? 'refused by RabbitMQ' : undefined;
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
