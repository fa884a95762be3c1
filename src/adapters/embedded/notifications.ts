import type { Notification, Notifier, Subscriber, Topic } from '../../shared/ports/notifications.ts';

/** Within one process: whoever publishes and whoever subscribes hold the two ends of the same thing. */
export function createEmbeddedNotifications(): { notifier: Notifier; subscriber: Subscriber } {
  const topics = new Set<Topic>();
  const handlers: ((batch: readonly Notification[]) => void)[] = [];
  let arrived: Notification[] = [];

  function handOver(): void {
    const batch = arrived;
    arrived = [];
    for (const handler of handlers) handler(batch);
  }

  return {
    notifier: {
      async publish(notifications) {
        for (const notification of notifications) {
          if (!topics.has(notification.topic)) continue;
          // All of one tick in one batch, as from one read; and a handler never runs inside its publisher.
          if (arrived.push(notification) === 1) setImmediate(handOver);
        }
      },
    },
    subscriber: {
      async subscribe(wanted) {
        for (const topic of wanted) topics.add(topic);
      },
      async unsubscribe(unwanted) {
        for (const topic of unwanted) topics.delete(topic);
      },
      onNotifications(handler) {
        handlers.push(handler);
      },
      onReconnect() {
        // Nothing between the two ends can be lost.
      },
      ready: () => true,
    },
  };
}
