/** Publishes notifications in Redis as a worker does: those of a tick in one pipeline. */
import { Redis } from 'ioredis';
import { type Announcement, announcementCodec, createAnnouncements } from '../harness/announcements.ts';
import { serveControl } from '../harness/control.ts';
import type { Rooms } from '../harness/population.ts';
import { runTicks, type Ticks } from '../harness/ticks.ts';

const { REDIS_HOST = '', REDIS_PORT, DATABASE_URL = '', CHAT_NOTIFICATION_CHANNEL } = process.env;
const client = new Redis({ host: REDIS_HOST, port: Number(REDIS_PORT) });
const announce = createAnnouncements(DATABASE_URL, await announcementCodec(DATABASE_URL));
let prepared: Announcement[] = [];

serveControl({
  async prepare({ rooms, count }: { rooms: Rooms; count: number }) {
    prepared = await announce(rooms, count);
  },
  async run({ ticks, perTick }: { ticks: Ticks; perTick: number }) {
    let last: Promise<unknown> = Promise.resolve();
    await runTicks(ticks, (tick) => {
      const pipeline = client.pipeline();
      for (const { topic, wire } of prepared.slice(tick * perTick, (tick + 1) * perTick)) {
        pipeline.publish(`${CHAT_NOTIFICATION_CHANNEL}:${topic}`, wire);
      }
      last = pipeline.exec();
    });
    await last;
  },
});
