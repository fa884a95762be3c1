import { describe, expect, test } from 'bun:test';
import { randomUUID } from 'node:crypto';
import { openPostgres } from '../../src/db/postgres.ts';
import { startThreeProcesses } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { newPerson, personWith } from '../support/people.ts';
import { redisKeys, searchServers } from '../support/places-of.ts';
import { testProcesses } from '../support/processes.ts';
import { openTestRedis } from '../support/redis.ts';
import { realServers } from '../support/servers.ts';
import { examplesSuite } from './examples.ts';
import { oddSendsSuite } from './odd-sends.ts';
import { pipelineSuite, serviceToken } from './pipeline.ts';

const servers = await realServers();
const processes = testProcesses();
const deployment = await startThreeProcesses({ processes, servers, env: { SERVICE_TOKEN: serviceToken } });

const placesOf = searchServers(servers, deployment);

describe('the pipeline in three processes', () => {
  pipelineSuite({ processes, deployment, placesOf });
  oddSendsSuite({ deployment, placesOf });

  test('a word in Redis is found wherever it is', async () => {
    const redis = await openTestRedis(servers.redisUrl);
    const word = `word-${randomUUID()}`;
    const long = `${'so '.repeat(500)}${word}${' so'.repeat(500)}`;
    await redis
      .pipeline()
      .set(`${word}:name`, '1')
      .set('found:text', long)
      .hset('found:hash', { [word]: 1, other: 2 })
      .hset('found:hash:value', { one: long })
      .rpush('found:list', 'one', long)
      .sadd('found:set', 'one', word)
      .zadd('found:sorted', 1, word)
      .xadd('found:stream', '*', 'field', long)
      .exec();
    const keys = ['hash', 'hash:value', 'list', 'set', 'sorted', 'stream', 'text'].map(
      (key) => `found:${key}`,
    );
    const expected = [...keys, `${word}:name`];
    expect((await redisKeys(servers.redisUrl, word)).toSorted()).toEqual(
      expected.map((key) => `Redis: ${key}`),
    );
    await redis.del(expected);
    redis.disconnect();
  });

  test('an api that is set up so closes edits, and tells chats that are larger nothing of who has read', async () => {
    const strict = await deployment.start('api', { MESSAGE_EDIT_WINDOW: '1h', CHAT_LIVE_MAX: '2' });
    const at = { apiUrl: strict.url, socketUrl: deployment.socketUrl };
    const [ada, bob, eve] = [await newPerson(at), await newPerson(at), await newPerson(at)];
    const [pair, group] = [await ada.newChat(bob), await ada.newChat(bob, eve)];
    const adaHears = await ada.connect();
    const path = async (chatId: string) =>
      `/chats/${chatId}/messages/${(await bob.send(chatId, 'of long ago')).brokerMessageId}`;
    const paths = [await path(pair.id), await path(group.id)] as const;
    await eventually('they are stored', () => adaHears.news.length === 2);

    const database = openPostgres({ url: deployment.databaseUrl, applicationName: 'a test' });
    await database.query(
      `UPDATE messages SET sent_at = sent_at - interval '61 minutes' WHERE chat_id = $1::uuid`,
      [pair.id],
    );
    await database.close();
    const edit = async (url: string) => (await bob.call('PATCH', url, { content: 'edited' })).body;
    expect(await edit(paths[0])).toMatchObject({ code: 'edit_window_closed' });
    expect(await edit(paths[1])).toMatchObject({ content: 'edited' });
    const elsewhere = personWith(deployment, bob.id, bob.token);
    expect((await elsewhere.call('PATCH', paths[0], { content: 'edited' })).status).toBe(200);

    const told = () =>
      adaHears.events.flatMap(([name, { chatId }]) => (name === 'chat.read' ? [chatId] : []));
    for (const chatId of [group.id, pair.id]) await bob.call('PUT', `/chats/${chatId}/read`, { sequence: 1 });
    await eventually('the small one is told', () => told().length > 0);
    await eve.send(group.id, 'one more');
    await eventually('it is stored', () => adaHears.news.length === 3);
    await elsewhere.call('PUT', `/chats/${group.id}/read`, { sequence: 2 });
    await eventually('the larger one is told by an api that knows no such limit', () => told().length > 1);
    expect(told()).toEqual([pair.id, group.id]);
    adaHears.close();
    await strict.process.kill();
  }, 30_000);
});
describe('the examples in three processes', () => examplesSuite({ processes, deployment }));
