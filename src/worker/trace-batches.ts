import type { Notification, Notifier } from '../shared/ports/notifications.ts';
import type { HandleBatch } from '../shared/ports/queue.ts';
import type { Span, Traceparent, Tracing } from '../shared/ports/tracing.ts';
import type { Stores } from './gather.ts';
import type { TellStored } from './tell-stored.ts';

/** The parts of a worker, each with its spans. */
export interface BatchTraces {
  handle(handle: HandleBatch): HandleBatch;
  stores(stores: Stores): Stores;
  tellStored(tell: TellStored): TellStored;
  notifier(notifier: Notifier): Notifier;
}

/**
 * A batch has one span, which links to each of its messages that is sampled. It is part of their trace where there is one such message,
 * and else begins a trace of its own: then each message's trace goes on with its notification, which links to the batch.
 * @param names of the queues, and of the channels of notifications
 */
export function traceBatches(
  tracing: Tracing,
  names: { queue: string; channel: string },
  systems: { queue: string; notifications: string; database: string },
): BatchTraces {
  /** Of a batch: by the ids of its sampled messages what their notifications go on from. */
  const parentsIn = new WeakMap<Span, ReadonlyMap<string, Traceparent>>();

  function storing<Result>(size: number, store: () => Promise<Result>): Promise<Result> {
    const batch = tracing.current();
    if (!batch) return store();
    const attributes = {
      'db.system.name': systems.database,
      'db.operation.name': 'store_messages',
      'db.operation.batch.size': size,
    };
    const span = tracing.begin({ name: 'store_messages', kind: 'client', attributes }, batch.traceparent);
    return tracing.within(span, store);
  }

  function publishing({ topic }: Notification, parent: Traceparent): Span {
    const batch = tracing.current();
    const attributes = {
      'messaging.system': systems.notifications,
      'messaging.operation.name': 'publish',
      'messaging.operation.type': 'send',
      'messaging.destination.name': `${names.channel}:${topic}`,
      'messaging.destination.template': `${names.channel}:chat:{chatId}`,
    };
    const links = batch && !parent.includes(batch.traceId) ? [batch.traceparent] : [];
    return tracing.begin({ name: `publish ${names.channel}`, kind: 'producer', attributes }, parent, links);
  }

  return {
    handle: (handle) => (batch, current) => {
      const carried = new Map<string, Traceparent>();
      for (const { id, traceparent } of batch)
        if (id !== undefined && tracing.isSampled(traceparent)) carried.set(id, traceparent);
      if (carried.size === 0) return handle(batch, current);

      const links = [...carried.values()];
      const own = carried.size === 1 ? links[0] : undefined;
      const attributes = {
        'messaging.system': systems.queue,
        'messaging.operation.name': 'process',
        'messaging.operation.type': 'process',
        'messaging.destination.name': names.queue,
        'messaging.destination.partition.id': String(batch[0]?.partition),
        'messaging.batch.message_count': batch.length,
      };
      const span = tracing.begin(
        { name: `process ${names.queue}`, kind: 'consumer', attributes },
        own,
        links,
      );
      const parents =
        own === undefined ? carried : new Map(carried.keys().map((id) => [id, span.traceparent]));
      parentsIn.set(span, parents);
      return tracing.within(span, () => handle(batch, current));
    },

    stores: (stores) => ({
      ...stores,
      gather: (batch, current) => storing(batch.length, () => stores.gather(batch, current)),
      alone: (batch) => storing(batch.length, () => stores.alone(batch)),
    }),

    tellStored: (tell) => async (stored) => {
      const batch = tracing.current();
      const parents = batch && parentsIn.get(batch);
      const notifications = await tell(stored);
      if (!parents) return notifications;
      return notifications.map((notification, at) => {
        const traceparent = parents.get(stored[at]?.envelope.brokerMessageId ?? '');
        const { head } = notification;
        if (traceparent === undefined || head.kind !== 'change') return notification;
        return { ...notification, head: { ...head, traceparent } };
      });
    },

    // What waited for Redis has its span when it is published.
    notifier: (notifier) => ({
      async publish(notifications) {
        const spans: Span[] = [];
        const told = notifications.map((notification) => {
          const { head } = notification;
          if (head.kind !== 'change' || head.traceparent === undefined) return notification;
          const span = publishing(notification, head.traceparent);
          spans.push(span);
          return { ...notification, head: { ...head, traceparent: span.traceparent } };
        });
        try {
          await notifier.publish(told);
        } catch (error) {
          for (const span of spans) span.fail(error);
          throw error;
        } finally {
          for (const span of spans) span.end();
        }
      },
    }),
  };
}
