import { expect, test } from 'bun:test';
import { createAnnounce, passing } from '../../src/changes/announce.ts';
import { createFillGap } from '../../src/gateway/fill-gap.ts';
import { newLocalChat } from '../../src/gateway/local-chat.ts';
import { NativeRoom } from '../../src/gateway/native-room.ts';
import { createSubscribeWithin } from '../../src/gateway/subscribe.ts';
import { listen } from '../../src/process/http-server.ts';
import { createLog } from '../../src/shared/log.ts';
import type { Topic } from '../../src/shared/ports/notifications.ts';
import { sharePartitions } from '../../src/worker/share-partitions.ts';
import { eventually } from '../support/eventually.ts';
import { testMembership } from '../support/queue-parts.ts';

type Line = Record<string, unknown>;

function recorded() {
  const lines: Line[] = [];
  const log = createLog({ logLevel: 'info' }, 'test', { write: (line) => void lines.push(JSON.parse(line)) });
  return { lines, log };
}

const away = new Error('the server is away');
const topics = Array.from({ length: 200 }, (_, at): Topic => `chat:${at}`);

test.concurrent('changes that are not announced, by the hundred, are a line a second', async () => {
  const { lines, log } = recorded();
  const announce = createAnnounce({ publish: () => Promise.reject(away) }, log);
  await Promise.all(topics.map((topic) => announce([passing(topic, 'chat.typing', {})])));
  expect(lines).toMatchObject([
    { level: 'warn', msg: 'committed, but not announced', reason: away.message, count: 1 },
  ]);
  await eventually('the others are told', () => lines.length === 2);
  expect(lines[1]).toMatchObject({ count: topics.length - 1 });
});

test.concurrent('gaps that cannot be read are, too', async () => {
  const { lines, log } = recorded();
  let isAway = true;
  const fillGap = createFillGap({
    readPage: () => (isAway ? Promise.reject(away) : Promise.resolve(undefined)),
    take: () => [],
    isHere: () => true,
    measured: { filled() {} },
    log,
  });
  const chats = topics.map((topic) =>
    newLocalChat(topic, new NativeRoom(topic, () => {}), Promise.resolve()),
  );
  const filling = chats.map((chat) => fillGap(Object.assign(chat, { delivered: 1, hinted: 2 }), 'unknown'));
  await eventually('they are told', () => lines.length > 0);
  isAway = false;
  await Promise.all(filling);
  expect(lines[0]).toMatchObject({ level: 'warn', msg: 'reading a gap failed; trying again', chats: 1 });
  expect(lines.length).toBeLessThan(5);
});

test.concurrent('and subscriptions that Redis does not acknowledge', async () => {
  const { lines, log } = recorded();
  const subscribeWithin = createSubscribeWithin(
    {
      subscribe: () => Promise.reject(away),
      unsubscribe: async () => {},
      onNotifications() {},
      onReconnect() {},
      ready: () => true,
    },
    log,
  );
  await Promise.all(topics.map((topic) => subscribeWithin([topic])));
  expect(lines).toMatchObject([
    { msg: 'Redis has not acknowledged a subscription', reason: away.message, count: 1 },
  ]);
});

test.concurrent('who leaves says how much is in hand', async () => {
  const { lines, log } = recorded();
  const { promise, resolve } = Promise.withResolvers<void>();
  let begun = 0;
  const http = listen(
    {
      ...{ host: '127.0.0.1', port: 0, log },
      async fetch() {
        begun += 1;
        await promise;
        return new Response();
      },
    },
    'PORT',
  );
  const answers = Promise.all([fetch(http.url), fetch(http.url)]);
  await eventually('they have begun', () => begun === 2);
  const stopped = http.stop();
  resolve();
  await Promise.all([answers, stopped]);

  const consume = async () => ({ close: async () => {} });
  const share = await sharePartitions({ membership: testMembership(), partitionCount: 4, consume, log });
  await share.stop();
  expect(lines.map(({ msg }) => msg)).toEqual([
    'draining 2 requests',
    'partitions shared',
    'draining 4 partitions',
  ]);
});
