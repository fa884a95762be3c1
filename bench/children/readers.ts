/** Publishes in Redis what an api does when the members of rooms read: what it has gathered in each tick in one pipeline. */
import { Redis } from 'ioredis';
import { membershipNotifications } from '../../src/chat/membership-notifications.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { writeMemberships } from '../../src/db/queries/write-memberships.ts';
import { type Announcement, announcementCodec } from '../harness/announcements.ts';
import { serveControl } from '../harness/control.ts';
import { flat } from '../harness/messages.ts';
import { chatId, type Rooms, userId } from '../harness/population.ts';
import { runTicks, type Ticks } from '../harness/ticks.ts';

const { REDIS_HOST = '', REDIS_PORT, DATABASE_URL = '', CHAT_NOTIFICATION_CHANNEL } = process.env;
const client = new Redis({ host: REDIS_HOST, port: Number(REDIS_PORT) });
const codec = await announcementCodec(DATABASE_URL);
const database = openPostgres({ url: DATABASE_URL, applicationName: 'confab-bench', maxConnections: 1 });

/** As by default. */
const liveMax = 100;
let readMessages = 0;
let prepared: Announcement[][] = [];

serveControl({
  /**
   * The next messages of all, room after room, one of them a tick, and each read by all members of its room, by as many in each
   * of the ticks that follow it.
   */
  async prepare({ rooms, messages, over }: { rooms: Rooms; messages: number; over: number }) {
    const { firstChat, chats, size } = rooms;
    const first = readMessages;
    readMessages += messages;
    prepared = [];
    for (let tick = 0; tick < messages + over; tick += 1) {
      const reads = [];
      for (let after = 1; after <= over; after += 1) {
        if (tick - after < 0 || tick - after >= messages) continue;
        const message = first + tick - after;
        // As the feeder says them: it begins with the second room.
        const room = (message + 1) % chats;
        for (let member = after - 1; member < size; member += over) {
          reads.push({
            userId: userId(1 + room * size + member),
            chatId: chatId(firstChat + room),
            readTo: 1 + Math.floor((message + 1 - (room || chats)) / chats),
          });
        }
      }
      const notifications = membershipNotifications(await writeMemberships(database, reads), liveMax);
      prepared.push(notifications.map((one) => ({ topic: one.topic, wire: flat(codec.encode(one)) })));
    }
  },
  async run({ ticks }: { ticks: Ticks }) {
    let last: Promise<unknown> = Promise.resolve();
    await runTicks(ticks, (tick) => {
      const pipeline = client.pipeline();
      for (const { topic, wire } of prepared[tick] ?? []) {
        pipeline.publish(`${CHAT_NOTIFICATION_CHANNEL}:${topic}`, wire);
      }
      last = pipeline.exec();
    });
    await last;
  },
});
