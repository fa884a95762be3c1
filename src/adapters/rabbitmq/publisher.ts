import type { ChannelModel } from 'amqplib';
import { pause } from '../../shared/backoff.ts';
import type { Logger } from '../../shared/log.ts';
import type { Metrics } from '../../shared/metrics/metrics.ts';
import { type Attached, attachedTo, type Lane, type Target } from './attached.ts';
import { byReason } from './by-reason.ts';
import { createCallers, type PublishOptions, unavailable } from './callers.ts';
import { coalesceWrites } from './coalesce.ts';
import { reasonOf } from './errors.ts';
import { createLane } from './lane.ts';
import { createLeaving } from './leaving.ts';
import { measurePublishes } from './publish-metrics.ts';

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
  publish(content: Buffer, options: PublishOptions): Promise<void>;
}

/** Below the 5 s that a client is promised. */
const defaultConfirmDeadlineMs = 4_000;
/** What was refused and has not been tried since may be well. */
const toldMs = 60_000;

/**
 * The hot path of the api.
 * @param away why there is no connection
 * @param repair declares what is missing
 * @param nodes how many the broker has
 */
export function createPublisher({
  log,
  away,
  repair,
  nodes = 1,
  metrics,
  confirmDeadlineMs = defaultConfirmDeadlineMs,
}: {
  log: Logger;
  away: () => string | undefined;
  repair: (connection: ChannelModel) => Promise<void>;
  nodes?: number;
  metrics: Metrics;
  confirmDeadlineMs?: number;
}): Publisher {
  let current: Attached | undefined;
  const leaving = createLeaving(nodes);
  let repairing = false;
  const callers = createCallers(confirmDeadlineMs, (now) => {
    let next: number | undefined;
    let silent: number | undefined;
    for (const lane of current?.lanes ?? []) {
      const expiresAt = lane.expiresAt();
      if (expiresAt === undefined) continue;
      if (expiresAt <= now) {
        silent = Math.min(silent ?? expiresAt, expiresAt);
        lane.fallSilent(`has not confirmed within ${confirmDeadlineMs} ms`);
      } else next = Math.min(next ?? expiresAt, expiresAt);
    }
    if (current && silent !== undefined) considerLeaving(current, silent);
    return next;
  });
  const measuredOf = measurePublishes(metrics);
  metrics.read('confab_publish_in_flight', callers.count);
  metrics.read('confab_broker_blocked', () => (current?.blocked === undefined ? 0 : 1));
  const dependencies = { callers, log, repair, onUnroutable: (on: Attached) => void repairRoutes(on) };

  /** Where of all that came since the oldest message that is not confirmed nothing is, it is not its queue. */
  function considerLeaving(on: Attached, expiredAt: number): void {
    const { lastConfirmed, connection, ended, blocked } = on;
    if (ended || blocked !== undefined || (lastConfirmed && lastConfirmed.expiresAt >= expiredAt)) return;
    on.ended = leaving.leave(connection, lastConfirmed !== undefined, 'none of its queues confirms');
  }

  async function repairRoutes({ connection }: Attached): Promise<void> {
    if (repairing) return;
    repairing = true;
    log.error('a message came back because no queue takes it: all of them are declared again');
    await repair(connection).catch((error: unknown) => {
      log.error({ reason: reasonOf(error) }, 'the queues could not be declared again');
    });
    await pause(1_000);
    repairing = false;
  }

  return {
    async attach(connection) {
      coalesceWrites(connection);
      const attached = attachedTo(connection);
      const rejectEverything = (reason: string) => {
        for (const lane of attached.lanes) lane.rejectAll(reason);
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
        attached.ended = true;
        if (current === attached) current = undefined;
        rejectEverything('the connection to RabbitMQ was lost');
      });
      current = attached;
    },

    outlet(to) {
      const measured = measuredOf(to.exchange);
      let lane: Lane | undefined;

      function laneOn(attached: Attached): Lane {
        if (lane?.on === attached) return lane;
        lane = createLane(to, attached, { ...dependencies, measured });
        attached.lanes.add(lane);
        return lane;
      }

      return {
        publish(content, options) {
          if (!current) {
            return Promise.reject(unavailable(`no connection to RabbitMQ: ${away() ?? 'lost'}`));
          }
          return laneOn(current).publish(content, options);
        },
      };
    },

    ready: () => current !== undefined && current.blocked === undefined,

    problems() {
      if (!current) return ['no connection to RabbitMQ'];
      const { blocked, lanes } = current;
      if (blocked !== undefined) return [`RabbitMQ takes no messages now: ${blocked}`];
      const told = performance.now() - toldMs;
      return byReason([...lanes].map((lane) => [lane.label, lane.problem(told)]));
    },

    drain: callers.drain,
  };
}
