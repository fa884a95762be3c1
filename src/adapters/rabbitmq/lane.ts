import type { ChannelModel } from 'amqplib';
import type { Logger } from '../../shared/log.ts';
import type { Attached, Lane, Line, Target } from './attached.ts';
import { type Caller, type Callers, mostCallers, oldestOf, unavailable } from './callers.ts';
import { ChannelTimeout } from './channel.ts';
import { socketOf } from './connect.ts';
import { notFound, reasonOf } from './errors.ts';
import { createOwnLines } from './own-lines.ts';
import type { PublishMetrics } from './publish-metrics.ts';
import { createRefusals } from './refusals.ts';

const mostWaiting = 5_000;
/**
 * Of one queue. From the 33rd unconfirmed command of a channel to a quorum queue on (`quorum_commands_soft_limit`) the channel gets no
 * more credit until the queue has caught up, and soon the connection is not read any more. Measured on 3.10.8 with one of eight
 * queues suspended: with 32 the seven others go on as before, with 33 nothing of them gets through. One queue takes 22,000 messages a
 * second with 32 under way.
 */
const mostUnconfirmed = 32;

/**
 * The first message of a channel to a queue without a leader holds up the channel for seconds, and no question tells such a queue from
 * a well one. So messages go out on a channel of the queue's own, one at a time, until one is answered while others wait: these
 * follow on the channel that all share.
 * @param repair declares what is missing
 * @param onUnroutable a message came back
 */
export function createLane(
  to: Target,
  on: Attached,
  dependencies: {
    callers: Callers;
    measured: PublishMetrics;
    log: Logger;
    repair: (connection: ChannelModel) => Promise<void>;
    onUnroutable: (on: Attached) => void;
  },
): Lane {
  const { callers, measured, log, repair, onUnroutable } = dependencies;
  const { exchange, routingKey, queue, label } = to;
  /** The shared one, one that was shared before, or one of its own. */
  let line: Line | undefined;
  /** On `line`, whether or not a caller still waits. */
  let unconfirmed = new Set<Caller>();
  const waiting: Caller[] = [];
  let moving = false;
  /** Since when it has not confirmed. */
  let silentSince: number | undefined;
  const refusals = createRefusals(on, log);
  const own = createOwnLines(on, queue, repair);

  function refusalReason(): string | undefined {
    if (on.blocked !== undefined) return `RabbitMQ takes no messages now: ${on.blocked}`;
    if (callers.full()) return `${mostCallers} messages wait for a confirm`;
    if (silentSince !== undefined && (!line || unconfirmed.size > 0)) return `${label} does not confirm`;
    const { current } = refusals;
    if (!line && current && current.until > performance.now()) return `RabbitMQ refuses: ${current.reason}`;
    if (waiting.length >= mostWaiting) return `${mostWaiting} messages wait for their turn to ${label}`;
    return undefined;
  }

  /** Writes what may be written now. */
  function advance(): void {
    if (waiting.length === 0) return;
    if (!line) return void move();
    // Order: what is under way on another channel is confirmed first.
    if (moving) return;
    const room = line === on.shared ? mostUnconfirmed : 1;
    while (waiting.length > 0 && unconfirmed.size < room) {
      const one = waiting.shift();
      if (one) write(line, one);
    }
  }

  function write(to: Line, one: Caller): void {
    unconfirmed.add(one);
    try {
      measured.sent();
      to.channel.publish(exchange, routingKey, one.content, one.options, (error: unknown) =>
        answered(to, one, error),
      );
    } catch (error) {
      unconfirmed.delete(one);
      if (callers.settle(one, false)) one.reject(unavailable('the channel is closing', error));
    }
  }

  function answered(by: Line, one: Caller, error: unknown): void {
    unconfirmed.delete(one);
    if (!error) on.lastConfirmed = one;
    if (!error && (silentSince !== undefined || refusals.current !== undefined)) hear();
    if (callers.settle(one, !error && !one.returned)) {
      if (error) {
        one.reject(unavailable(`RabbitMQ does not take it for ${label}: full, or without a leader`, error));
      } else if (one.returned) {
        one.reject(unavailable(`no queue is bound to ${exchange} by ${routingKey}`));
        onUnroutable(on);
      } else {
        one.resolve();
      }
    }
    if (line !== by) return;
    if (by === on.shared) {
      advance();
    } else if (unconfirmed.size === 0 && silentSince === undefined) {
      if (waiting.length > 0) {
        void move();
      } else if (by.shared) {
        line = undefined;
        on.release(by);
      }
    }
  }

  function rejectAll(reason: string): void {
    for (const one of [...unconfirmed, ...waiting.splice(0)]) {
      if (callers.settle(one, false)) one.reject(unavailable(reason));
    }
  }

  /** To a channel of its own where it has none, from there to the shared one. */
  async function move(): Promise<void> {
    if (moving || on.ended) return;
    moving = true;
    const from = line;
    try {
      const next = from ? await on.share() : await openOwn();
      if (on.ended) return;
      if (next.closed) throw new Error('the channel was closed');
      // It has fallen silent, or was closed, meanwhile.
      if (line !== from) return;
      line = next;
      if (from) on.release(from);
    } catch (error) {
      // For the shared one no channel is left: it goes on with its own.
      if (from && line === from && !(error instanceof ChannelTimeout)) return;
      failed(error);
    } finally {
      moving = false;
      if (!line && silentSince !== undefined) void move();
      else advance();
    }
  }

  const openOwn = () =>
    own.open({ missing: refusals.current?.code === notFound, silent: silentSince !== undefined });

  function fallSilent(why: string): void {
    if (silentSince === undefined) {
      log.warn(`${label} does not confirm: what goes there is refused until it does`);
    }
    silentSince = performance.now();
    rejectAll(`${label} ${why}`);
    const was = line;
    line = undefined;
    unconfirmed = new Set();
    if (was?.shared) on.abandon(was);
    else if (was) own.leave(was);
    void move();
  }

  /** No channel was to be had. */
  function failed(error: unknown): void {
    if (on.ended) return;
    if (error instanceof ChannelTimeout && on.blocked === undefined) {
      on.ended = true;
      // With an error: of a mere end amqplib hears nothing while bytes are unwritten.
      socketOf(on.connection).destroy(new Error('RabbitMQ neither confirms nor answers'));
      return;
    }
    refuse(error);
    rejectAll(`RabbitMQ refuses: ${reasonOf(error)}`);
  }

  function refuse(error: unknown): void {
    refusals.begin(error);
    // That is an answer.
    silentSince = undefined;
  }

  /** It has confirmed: it is well again. */
  function hear(): void {
    if (silentSince !== undefined) {
      silentSince = undefined;
      log.info(`${label} confirms again`);
    }
    refusals.end();
  }

  return {
    on,
    label,

    publish(content, options) {
      const reason = refusalReason();
      if (reason !== undefined) return Promise.reject(unavailable(reason));
      const one = callers.add(content, options, measured);
      waiting.push(one);
      advance();
      return one.promise;
    },

    // In the order of the calls: the first that waits is the oldest.
    expiresAt: () => (oldestOf(unconfirmed) ?? oldestOf(waiting))?.expiresAt,
    fallSilent,
    rejectAll,
    uses: (other) => line === other,

    abandon(other) {
      if (line === other && unconfirmed.size === 0) line = undefined;
    },

    onReturned({ fields, properties }) {
      if (fields.exchange !== exchange || fields.routingKey !== routingKey) return;
      // Of one id several may be under way, and which one came back is not told: none of them is taken for routed.
      for (const one of unconfirmed) one.returned ||= one.options.messageId === properties.messageId;
    },

    onClosed(closed, error) {
      if (line !== closed) return;
      line = undefined;
      if (error !== undefined) refuse(error);
      const lost = `the connection to RabbitMQ was lost${on.lost ? `: ${on.lost}` : ''}`;
      rejectAll(error === undefined ? lost : `RabbitMQ refuses: ${reasonOf(error)}`);
      unconfirmed = new Set();
    },

    problem(since) {
      if (silentSince !== undefined && silentSince > since) return 'no confirms';
      const { current } = refusals;
      return current && current.until > since ? 'refused by RabbitMQ' : undefined;
    },
  };
}
