/** Publishes notifications in Redis as a worker does: those of a tick in one pipeline. */
import { Redis } from 'ioredis';
import { encodeNotification } from '../../src/shared/notifications/notifications.ts';
import { serveControl } from '../harness/control.ts';
import { createMessages, flat, type Rooms } from '../harness/messages.ts';
import { chatId, userId } from '../harness/population.ts';
import { runTicks, type Ticks } from '../harness/ticks.ts';

const client = new Redis({ host: process.env.REDIS_HOST ?? '', port: Number(process.env.REDIS_PORT) });
const prefix = process.env.CHAT_NOTIFICATION_CHANNEL;
const makeMessages = createMessages();
let prepared: { channel: string; wire: string }[] = [];

serveControl({
  prepare({ rooms, count }: { rooms: Rooms; count: number }) {
    prepared = makeMessages(rooms, count).map(({ chat, sender, eventSequence, body }) => {
      const topic = `chat:${chatId(chat)}` as const;
      const head = {
        version: 1,
        kind: 'message',
        chatId: chatId(chat),
        eventSequence,
        senderId: userId(sender),
      } as const;
      return { channel: `${prefix}:${topic}`, wire: flat(encodeNotification({ topic, head, body })) };
    });
  },
  async run({ ticks, perTick }: { ticks: Ticks; perTick: number }) {
    let last: Promise<unknown> = Promise.resolve();
    await runTicks(ticks, (tick) => {
      const pipeline = client.pipeline();
      for (const { channel, wire } of prepared.slice(tick * perTick, (tick + 1) * perTick)) {
        pipeline.publish(channel, wire);
      }
      last = pipeline.exec();
    });
    await last;
  },
});
