import { describe, expect, test } from 'bun:test';
import { connect } from 'amqplib';
import { openPostgres } from '../../src/db/postgres.ts';
import { parseConfig } from '../../src/shared/config.ts';
import { tableTexts } from '../support/changes-of.ts';
import { startThreeProcesses } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { newPerson, personWith } from '../support/people.ts';
import { testProcesses } from '../support/processes.ts';
import { openTestRedis } from '../support/redis.ts';
import { realServers } from '../support/servers.ts';
import { examplesSuite } from './examples.ts';
import { oddSendsSuite } from './odd-sends.ts';
import { pipelineSuite, serviceToken } from './pipeline.ts';

const servers = await realServers();
const processes = testProcesses();
const deployment = await startThreeProcesses({ processes, servers, env: { SERVICE_TOKEN: serviceToken } });

/** A logical dump of PostgreSQL, all of Redis; a queue in which nothing is left has no word either. */
async function placesOf(word: string): Promise<string[]> {
  const database = openPostgres({ url: deployment.databaseUrl, applicationName: 'a dump' });
  const redis = await openTestRedis(servers.redisUrl);
  const broker = await connect(servers.rabbitmqUrl);
  const channel = await broker.createChannel();
  try {
    const { partitionCount, broker: names } = parseConfig(deployment.env);
    const partitions = Array.from({ length: partitionCount }, (_, at) => `${names.queuePrefix}.p${at}`);
    for (const queue of [...partitions, names.deadLetterQueue]) {
      await eventually(`${queue} is empty`, async () => (await channel.checkQueue(queue)).messageCount === 0);
    }
    const dumps = await Promise.all((await redis.keys('*')).map((key) => redis.dumpBuffer(key)));
    const inRedis = dumps.some((dump) => dump?.includes(word)) ? ['Redis'] : [];
    return [...(await tableTexts(database, word)), ...inRedis];
  } finally {
    await broker.close();
    redis.disconnect();
    await database.close();
  }
}

describe('the pipeline in three processes', () => {
  pipelineSuite({ processes, deployment, placesOf });
  oddSendsSuite({ deployment, placesOf });

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
