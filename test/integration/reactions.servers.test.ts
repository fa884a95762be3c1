import { expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { realBase } from '../support/api-bases.ts';
import { openChatApi } from '../support/chat-api.ts';
import { reactionsSuite } from './reactions.ts';

const { database, facts } = await realBase();
reactionsSuite('PostgreSQL and Redis', () => openChatApi({ database, facts }));

test('what changes nothing, and who may not, waits for no lock of the chat', async () => {
  const api = await openChatApi({ database, facts });
  const [ann, bob] = await api.newUsers(2);
  const chat = await api.newGroup(ann!);
  const { brokerMessageId } = (await api.send(ann!, chat.id, 'said')).body;
  await api.stored(chat.id, 1);
  const path = `/chats/${chat.id}/messages/${brokerMessageId}/reactions`;
  await api.call(ann!, 'PUT', `${path}/:here:`);
  const [held, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const holding = database.orm.transaction(async (tx) => {
    await tx.execute(sql`SELECT FROM chats WHERE id = ${chat.id} FOR UPDATE`);
    held.resolve();
    await release.promise;
  });
  await held.promise;
  const answers = await Promise.all([
    api.call(ann!, 'PUT', `${path}/:here:`),
    api.call(ann!, 'DELETE', `${path}/:not-here:`),
    api.call(bob!, 'PUT', `${path}/:here:`),
  ]);
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 404]);
  let changed = false;
  const changing = api.call(ann!, 'PUT', `${path}/:new:`).then(() => (changed = true));
  await Bun.sleep(150);
  expect(changed).toBe(false);
  release.resolve();
  await Promise.all([holding, changing]);
  await api.close();
}, 20_000);
