import { afterEach, describe, expect, test } from 'bun:test';
import type { Notification, Notifier, Subscriber, Topic } from '../../src/shared/ports/notifications.ts';
import { eventually } from '../support/eventually.ts';

export interface NotificationsUnderTest {
  notifier: Notifier;
  subscriber: Subscriber;
  close(): Promise<void>;
}

export const message = (chatId: string, eventSequence: number, body = '{}'): Notification => ({
  topic: `chat:${chatId}`,
  head: { version: 1, kind: 'change', chatId, eventSequence, event: 'chat.message.new', actorId: 'sender' },
  body,
});

/** What every pair of notifier and subscriber does alike. Each test has its own topics. */
export function notificationsConformance(name: string, open: () => Promise<NotificationsUnderTest>): void {
  describe(`notifications: ${name}`, () => {
    const opened: NotificationsUnderTest[] = [];
    afterEach(async () => {
      for (const each of opened.splice(0)) await each.close();
    });

    async function pair() {
      const under = await open();
      opened.push(under);
      const batches: (readonly Notification[])[] = [];
      under.subscriber.onNotifications((batch) => batches.push(batch));
      return { ...under, batches, received: () => batches.flat() };
    }

    const newChat = () => crypto.randomUUID();

    test('what is published after the acknowledgement arrives, in order, unchanged', async () => {
      const { notifier, subscriber, received } = await pair();
      const chat = newChat();
      await subscriber.subscribe([`chat:${chat}`]);
      const sent = Array.from({ length: 200 }, (_, at) =>
        message(chat, at + 1, JSON.stringify({ content: `${at}\n"ü\u2028😀"` })),
      );
      await notifier.publish(sent);
      await eventually('all arrive', () => received().length >= sent.length);
      expect(received()).toEqual(sent);
    });

    test('nothing arrives of topics that are not subscribed, or not any more', async () => {
      const { notifier, subscriber, received } = await pair();
      const [wanted, left, other] = [newChat(), newChat(), newChat()];
      await subscriber.subscribe([`chat:${wanted}`, `chat:${left}`]);
      await subscriber.unsubscribe([`chat:${left}`]);
      await notifier.publish([message(left, 1), message(other, 1), message(wanted, 1)]);
      await eventually('the wanted one arrives', () => received().length > 0);
      expect(received().map(({ topic }) => topic)).toEqual([`chat:${wanted}`]);
    });

    test('a topic left and taken again at once is subscribed', async () => {
      const { notifier, subscriber, received } = await pair();
      const topic: Topic = `user:${newChat()}`;
      await subscriber.subscribe([topic]);
      const left = subscriber.unsubscribe([topic]);
      await subscriber.subscribe([topic]);
      await left;
      await notifier.publish([
        { topic, head: { version: 1, kind: 'session.revoked', userId: 'u', sessionId: 's' }, body: '' },
      ]);
      await eventually('it arrives', () => received().length === 1);
    });

    test('subscribing twice delivers once', async () => {
      const { notifier, subscriber, received } = await pair();
      const chat = newChat();
      await Promise.all([subscriber.subscribe([`chat:${chat}`]), subscriber.subscribe([`chat:${chat}`])]);
      await notifier.publish([message(chat, 1), message(chat, 2)]);
      await eventually('both arrive', () => received().length >= 2);
      expect(received()).toHaveLength(2);
    });

    test('thousands of topics are subscribed by one call', async () => {
      const { notifier, subscriber, received } = await pair();
      const chats = Array.from({ length: 2_500 }, newChat);
      await subscriber.subscribe(chats.map((chat): Topic => `chat:${chat}`));
      await notifier.publish(chats.map((chat) => message(chat, 1)));
      await eventually('all arrive', () => received().length >= chats.length);
      expect(new Set(received().map(({ topic }) => topic)).size).toBe(chats.length);
    });

    test('what comes together is handed over in one call', async () => {
      const { notifier, subscriber, batches, received } = await pair();
      const chat = newChat();
      await subscriber.subscribe([`chat:${chat}`]);
      await notifier.publish(Array.from({ length: 50 }, (_, at) => message(chat, at + 1)));
      await eventually('all arrive', () => received().length === 50);
      expect(batches.length).toBeLessThan(10);
    });

    test('an empty publish is no error, and a subscriber at hand is ready', async () => {
      const { notifier, subscriber } = await pair();
      await notifier.publish([]);
      await subscriber.subscribe([`chat:${newChat()}`]);
      expect(subscriber.ready()).toBe(true);
    });
  });
}
