import { afterAll, expect, test } from 'bun:test';
import { createGetPresence } from '../../src/chat/get-presence.ts';
import type { Database } from '../../src/db/database.ts';
import { eventually } from '../support/eventually.ts';
import { connectClient, createWorld, startTestGateway, type WorldUser } from '../support/gateway-world.ts';
import { twoEnds } from '../support/two-ends.ts';
import { gatewayPresenceSuite } from './gateway-presence-suite.ts';

gatewayPresenceSuite('two on PostgreSQL and Redis', await twoEnds());

const mortal = await twoEnds({ ttlMs: 1_500 });
const patient = await twoEnds();
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

/**
 * What others have held this machine up: so much longer than usual the same servers took to answer at the same time. That is taken
 * off what is promised of a machine that has the time.
 */
function heldUp(ask: () => Promise<unknown>, over: () => boolean) {
  const usualMs = 25;
  /** When each look began, and how late it was; of the last one, so far. */
  const looks: { at: number; ms: () => number }[] = [];
  async function look(): Promise<void> {
    while (!over()) {
      const at = performance.now();
      const last = { at, ms: () => Math.max(0, performance.now() - at - usualMs) };
      looks.push(last);
      await Bun.sleep(5);
      await ask();
      const ms = last.ms();
      last.ms = () => ms;
    }
  }
  return {
    ended: look(),
    msSince: (since: number) => looks.reduce((sum, { at, ms }) => (at >= since ? sum + ms() : sum), 0),
  };
}

test.concurrent('in real time: who goes is told within 10 s of the end, and who comes back at another gateway in 7 s was never gone', async () => {
  const gateways = await Promise.all(patient.ends.map((end) => startTestGateway({ ...patient, ...end })));
  undo.push(...gateways.map(({ stop }) => stop));
  const world = await createWorld(patient);
  const [ada, bob, ...others] = (await world.newUsers(7)) as [WorldUser, WorldUser, ...WorldUser[]];
  for (const user of [bob, ...others]) await world.newDirect(ada, user);
  const [here, there] = gateways.map(({ url }) => url) as [string, string];
  const adas = await connectClient(there, ada);
  const bobs = await connectClient(here, bob);
  const clients = await Promise.all(others.map((user, at) => connectClient(at % 2 ? here : there, user)));
  const isTold = ({ id }: WorldUser) =>
    adas.seen.some(({ payload }) => payload.userId === id && payload.online === false);

  let allTold = false;
  const machine = heldUp(
    () => Promise.all([patient.ends[0]!.presence.online([ada.id]), patient.database.query('SELECT', [])]),
    () => allTold,
  );
  const tookMs = clients.map(async (client, at) => {
    await Bun.sleep(at * 70);
    const began = performance.now();
    client.close();
    await eventually('it is told', () => isTold(others[at]!), 15_000);
    const took = performance.now() - began;
    expect(took).toBeGreaterThanOrEqual(8_990);
    // Until then nobody has anything to do.
    return took - machine.msSince(began + 9_000);
  });
  bobs.close();
  await Bun.sleep(7_000);
  const bobAgain = await connectClient(there, bob);
  const took = await Promise.all(tookMs).finally(() => {
    allTold = true;
  });
  await machine.ended;
  console.log(`  ${took.length} who went are told to be gone after ${took.map(Math.round).join(', ')} ms`);
  expect(Math.max(...took)).toBeLessThan(10_000);
  expect(isTold(bob)).toBe(false);
  undo.push(adas.close, bobAgain.close);
}, 30_000);
