import { expect, test } from 'bun:test';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import { embeddedBase } from '../support/api-bases.ts';
import { eventually } from '../support/eventually.ts';
import { connectClient, createWorld, openClient, startTestGateway } from '../support/gateway-world.ts';
import { pageOf } from '../support/metrics-page.ts';

const base = await embeddedBase();
const world = await createWorld(base);

test('gaps are counted by what made them, and sockets by how they began and ended', async () => {
  const metrics = createMetrics();
  const gateway = await startTestGateway({ ...base, metrics, maxSocketsPerUser: 2 });
  const value = async (...of: Parameters<Awaited<ReturnType<typeof pageOf>>['value']>) =>
    (await pageOf(metrics)).value(...of);
  const [ada, bob, eve] = await world.newUsers(3);
  const chat = await world.newGroup(ada!, bob!);
  const bobs = await connectClient(gateway.url, bob!);

  // The one before it is not announced.
  await world.send(ada!, chat.id, 'lost', { silent: true });
  await world.send(ada!, chat.id, 'heard');
  await eventually('both are there', () => bobs.contents().length === 2);
  expect(bobs.contents()).toEqual(['lost', 'heard']);
  await eventually('it is counted', async () => (await value('confab_gap_rows_total')) === 2);
  expect(await value('confab_gap_fills_total', { cause: 'lost_hint' })).toBe(1);
  expect(await value('confab_notifications_total', { result: 'gap' })).toBe(1);
  await world.send(ada!, chat.id, 'next');
  await eventually('it is there', () => bobs.contents().length === 3);
  expect(await value('confab_notifications_total', { result: 'delivered' })).toBe(1);
  expect(await value('confab_message_lag_seconds_count', { stage: 'delivered' })).toBe(3);

  // Who takes part is always read.
  await world.add(ada!, chat.id, eve!);
  await eventually('he is told', () => bobs.seen.length === 4);
  await eventually('it is counted', async () => (await value('confab_gap_rows_total')) === 3);
  expect(await value('confab_gap_fills_total', { cause: 'unknown' })).toBe(1);
  expect(await value('confab_deliveries_total')).toBe(4);

  // The whole chat again, and one that is not there.
  const back = await connectClient(gateway.url, bob!, {
    auth: { token: bob!.token, cursors: { [chat.id]: 1 } },
  });
  const unknown = await connectClient(gateway.url, eve!, {
    auth: { token: eve!.token, cursors: { [crypto.randomUUID()]: 1 } },
  });
  expect(await value('confab_resumes_total', { outcome: 'none' })).toBe(1);
  expect(await value('confab_resumes_total', { outcome: 'replayed' })).toBe(1);
  expect(await value('confab_resumes_total', { outcome: 'reset' })).toBe(1);

  const refused = [openClient(gateway.url, 'no token'), openClient(gateway.url, bob!.token)];
  await eventually('they are refused', () => refused.every(({ errors }) => errors.length > 0));
  for (const { close } of refused) close();
  expect(await value('confab_connects_total', { result: 'token_invalid' })).toBe(1);
  expect(await value('confab_connects_total', { result: 'too_many_sockets' })).toBe(1);
  expect(await value('confab_connects_total', { result: 'accepted' })).toBe(3);

  unknown.socket.io.reconnection(false);
  await world.endSession(eve!);
  await eventually('it is closed', () => unknown.disconnects.length > 0);
  expect(await value('confab_disconnects_total', { reason: 'revoked' })).toBe(1);
  back.close();
  await eventually('it has gone', async () => (await value('confab_sockets')) === 1);
  expect(await value('confab_disconnects_total', { reason: 'client' })).toBe(1);
  bobs.socket.io.reconnection(false);
  await gateway.stop();
  expect(await value('confab_disconnects_total', { reason: 'drain' })).toBe(1);
  expect([await value('confab_local_users'), await value('confab_local_chats')]).toEqual([0, 0]);
});
