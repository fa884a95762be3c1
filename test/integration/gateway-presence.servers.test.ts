import { afterAll, expect, test } from 'bun:test';
import { createGetPresence } from '../../src/chat/get-presence.ts';
import type { Database } from '../../src/db/database.ts';
import { eventually } from '../support/eventually.ts';
import { connectClient, createWorld, startTestGateway, type WorldUser } from '../support/gateway-world.ts';
import { twoEnds } from '../support/two-ends.ts';
import { gatewayPresenceSuite } from './gateway-presence-suite.ts';

gatewayPresenceSuite('two on PostgreSQL and Redis', await twoEnds());

const mortal = await twoEnds({ ttlMs: 1_500 });
const undo: (() => unknown)[] = [];
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

test.concurrent('of a gateway that is killed who comes back was never gone, and the others are offline when it is forgotten', async () => {
  const presenceTimes = { offlineAfterMs: 500, gatherMs: 50, lookEveryMs: 20 };
  const world = await createWorld(mortal);
  const [ada, bob, eve, fay] = (await world.newUsers(4)) as [WorldUser, WorldUser, WorldUser, WorldUser];
  for (const user of [bob, eve, fay]) await world.newDirect(ada, user);
  const [end, other] = [mortal.ends[0]!, mortal.ends[1]!];
  let killed = false;
  const lost = () => Promise.reject(new Error('killed'));
  const database: Database = {
    ...mortal.database,
    query: (text, parameters) => (killed ? lost() : mortal.database.query(text, parameters)),
  };
  const presence: typeof end.presence = {
    ...end.presence,
    update: (userId, ids) => (killed ? lost() : end.presence.update(userId, ids)),
    heartbeat: (sockets) => (killed ? lost() : end.presence.heartbeat(sockets)),
    leave: lost,
  };
  const dying = await startTestGateway({
    ...mortal,
    database,
    subscriber: end.subscriber,
    presence,
    presenceTimes,
  });
  const living = await startTestGateway({ ...mortal, ...other, presenceTimes });
  undo.push(
    () => living.stop(),
    () => dying.stop(),
  );
  const adas = await connectClient(living.url, ada);
  const clients = [await connectClient(dying.url, bob), await connectClient(dying.url, eve)];
  await eventually('both are told', () => adas.seen.length > 1);
  adas.seen.length = 0;
  await eventually(
    'one knows the other',
    async () => (await other.presence.elsewhere([bob.id]))[0]!.length > 0,
  );

  killed = true;
  await dying.server.stop(true);
  for (const client of clients) client.close();
  const bobs = await connectClient(living.url, bob);
  const fays = await connectClient(living.url, fay);
  for (const { close } of [adas, bobs, fays]) undo.push(close);
  const getPresence = createGetPresence({ database: mortal.database, presence: other.presence });
  const eves = async () => (await getPresence({ viewerId: ada.id, userIds: [eve.id] }))[0];
  expect(await eves()).toEqual({ userId: eve.id, online: true, lastSeenAt: null });
  await eventually('it is forgotten', async () => (await eves())?.online === false, 3_000);
  await eventually('who comes is told', () => adas.seen.length > 0);
  expect(adas.seen.map(({ payload }) => [payload.userId, payload.online])).toEqual([[fay.id, true]]);
}, 20_000);
