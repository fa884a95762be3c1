import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { randomUUID } from 'node:crypto';
import amqplib from 'amqplib';
import postgresClient from 'postgres';
import { administer } from '../../harness/redis-forms.ts';
import type { Server } from '../../src/commands/servers/server.ts';
import type { Chat } from '../../src/shared/contract.ts';
import { type Member, startThreeProcesses } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { type Answer, type Ears, newPerson, type Person, personWith } from '../support/people.ts';
import { testProcesses } from '../support/processes.ts';
import { commandsOf, guideBlock, readText } from '../support/repository.ts';
import { realServers } from '../support/servers.ts';

/** The names that the guide's users are for: the broker is this file's alone. */
const guideNames = {
  RABBITMQ_CHAT_EXCHANGE: '',
  RABBITMQ_CHAT_DLX_EXCHANGE: '',
  RABBITMQ_CHAT_QUEUE_PREFIX: '',
  RABBITMQ_CHAT_DLQ_NAME: '',
  CHAT_NOTIFICATION_CHANNEL: '',
};

/** Whatever is down, nobody waits longer for an answer. */
const answerWithinMs = 5_000;

const servers = await realServers();
const processes = testProcesses();
const [postgres, redis, rabbitmq] = await Promise.all([
  servers.createPostgres(),
  servers.createRedis(),
  servers.createRabbitmq(),
]);
const own = {
  DATABASE_PASSWORD: "it's ours @/#",
  RABBITMQ_PASSWORD: 'p@ss/word#1',
  REDIS_PASSWORD: 'p@ss/word#2',
};
await makeUsers();
const deployment = await startThreeProcesses({
  processes,
  servers,
  env: {
    DATABASE_URL: `postgres://confab@127.0.0.1:${postgres.port}/confab`,
    REDIS_HOST: redis.host,
    REDIS_PORT: String(redis.port),
    REDIS_USERNAME: 'confab',
    RABBITMQ_URI: '',
    RABBITMQ_HOST: rabbitmq.host,
    RABBITMQ_PORT: String(rabbitmq.port),
    RABBITMQ_USERNAME: 'confab',
    RABBITMQ_VHOST: 'confab',
    ...guideNames,
    ...own,
    RATE_LIMIT_ENABLED: 'false',
  },
});

/** As the setup guide has it for production: users who may do what Confab does, and no more. */
async function makeUsers(): Promise<void> {
  const { DATABASE_PASSWORD, RABBITMQ_PASSWORD, REDIS_PASSWORD } = own;
  const sql = await guideBlock('sql', 'CREATE ROLE', {
    DATABASE_PASSWORD: DATABASE_PASSWORD.replaceAll("'", "''"),
  });
  const admin = postgresClient(postgres.url, { max: 1 });
  for (const statement of sql.split(';').filter((each) => each.trim() !== '')) await admin.unsafe(statement);
  await admin.end();
  const commands = await guideBlock('bash', 'rabbitmqctl', { RABBITMQ_PASSWORD });
  for (const line of commands.trim().split('\n')) await rabbitmq.ctl(...line.split(' ').slice(1));
  const [, rights = ''] =
    /^user confab (on ><REDIS_PASSWORD> .+)$/m.exec(await readText('docs/redis.md')) ?? [];
  const words = rights.replace('<REDIS_PASSWORD>', REDIS_PASSWORD).split(' ');
  // It is restarted.
  await administer(redis, ['ACL', 'SETUSER', 'confab', ...words], ['CONFIG', 'REWRITE']);
}

let ada: Person;
let bob: Person;
let chat: Chat;
let bobHears: Ears;

beforeAll(async () => {
  await rabbitmq.flush();
  bob = await newPerson(deployment, 'bob');
  ada = await newPerson(deployment, 'ada');
  chat = await ada.newChat(bob);
  bobHears = await bob.connect();
}, 60_000);
afterAll(() => bobHears?.close());

const post = (content: string, clientMessageId: string = randomUUID()) =>
  ada.call('POST', `/chats/${chat.id}/messages`, { content, clientMessageId });

async function inTime(asked: Promise<Answer>): Promise<Answer> {
  const started = performance.now();
  const answer = await asked;
  expect(performance.now() - started).toBeLessThan(answerWithinMs);
  return answer;
}

function expectProblem(answer: Answer, code: string): void {
  expect({ status: answer.status, code: answer.body.code }).toEqual({ status: 503, code });
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
}

/** Killed: connections are refused. Frozen: they stay open and nobody answers. */
const ways: [string, (server: Server) => Promise<void>, (server: Server) => Promise<void>][] = [
  ['killed', (server) => server.kill(), (server) => server.restart()],
  ['frozen', (server) => server.pause(), (server) => server.resume()],
];

for (const [way, down, up] of ways) {
  describe(`${way} at a request`, () => {
    test('RabbitMQ: a send answers 503 in time, reading goes on; the same send later arrives once', async () => {
      const clientMessageId = randomUUID();
      const content = `while RabbitMQ was ${way}`;
      await down(rabbitmq);
      try {
        expectProblem(await inTime(post(content, clientMessageId)), 'broker_unavailable');
        expect((await inTime(ada.call('GET', `/chats/${chat.id}/messages`))).status).toBe(200);
      } finally {
        await up(rabbitmq);
      }
      await eventually(
        'sends are taken',
        async () => (await post(content, clientMessageId)).status === 202,
        30_000,
      );
      await bobHears.heard(content);
    }, 90_000);

    // Before Redis: when that is back, it is asked again only after a second, and what it knew is gone.
    test('PostgreSQL: reading answers 503 in time; what is accepted meanwhile is stored when it is back', async () => {
      const content = `while PostgreSQL was ${way}`;
      // Who sends is known: the facts are fresh for 30 s.
      expect((await post(`before PostgreSQL was ${way}`)).status).toBe(202);
      await down(postgres);
      try {
        expect((await inTime(post(content))).status).toBe(202);
        expectProblem(await inTime(ada.call('GET', `/chats/${chat.id}/messages`)), 'database_unavailable');
        // The other apis stand on the same one: to lead requests elsewhere helps nobody.
        const ready = await fetch(`${deployment.apiUrl}/readyz`);
        expect([ready.status, await ready.json()]).toMatchObject([
          200,
          { status: 'degraded', dependencies: { database: 'down' } },
        ]);
      } finally {
        await up(postgres);
      }
      await eventually(
        'it is delivered',
        () => bobHears.news.some((event) => event.message.content === content),
        30_000,
      );
      await eventually(
        'the api is ready',
        async () => (await (await fetch(`${deployment.apiUrl}/readyz`)).text()).includes('"database":"up"'),
        30_000,
      );
    }, 90_000);

    test('Redis: sends are taken and stored, and delivered when it is back', async () => {
      const content = `while Redis was ${way}`;
      await down(redis);
      try {
        expect((await inTime(post(content))).status).toBe(202);
        await eventually('it is stored', async () =>
          (await ada.history(chat.id)).some((message) => message.content === content),
        );
        expect((await inTime(ada.call('GET', '/chats'))).status).toBe(200);
      } finally {
        await up(redis);
      }
      await bobHears.heard(content);
    }, 90_000);
  });
}

test('after all of it every message was heard once, in order', async () => {
  const stored = await ada.history(chat.id);
  await eventually('all are heard', () => bobHears.news.length >= stored.length);
  expect(bobHears.news.map(({ message }) => message.id)).toEqual(stored.map(({ id }) => id));
  expect(stored.map(({ sequence }) => sequence)).toEqual(stored.map((_, at) => at + 1));
});

test('passwords of RabbitMQ and Redis are changed as is written: no send fails meanwhile, none is lost', async () => {
  const [rabbitNext, redisNext] = ['p@ss/word#3', 'p@ss/word#4'];
  const written = (heading: string, program: string, values: Record<string, string>) =>
    commandsOf(['docs/operations.md', heading], program, values);
  const ofRabbit = await written("RabbitMQ's password", 'rabbitmqctl', { new: rabbitNext });
  const [addUser = [], permit = [], list = [], remove = [], ...others] = ofRabbit;
  const ofRedis = await written("Redis's password", 'redis-cli', {
    new: redisNext,
    old: own.REDIS_PASSWORD,
  });
  // There is no file for ACL SAVE here.
  const [add = [], , takeAway = [], ...more] = ofRedis;
  expect([others, more]).toEqual([[], []]);

  const [cursor = 0] = bobHears.news.slice(-1).map(({ eventSequence }) => eventSequence);
  const before = [...deployment.apis, ...deployment.workers, ...deployment.gateways];
  let apiUrl = deployment.apiUrl;
  const [sent, refused]: [string[], string[]] = [[], []];
  let isOver = false;
  const sending = (async () => {
    while (!isOver) {
      const content = `while passwords change: ${sent.length + refused.length}`;
      const writer = personWith({ ...deployment, apiUrl }, ada.id, ada.token);
      await writer.send(chat.id, content).then(
        () => sent.push(content),
        (error) => refused.push(String(error)),
      );
      await Bun.sleep(20);
    }
  })();
  await rabbitmq.ctl(...addUser);
  await rabbitmq.ctl(...permit);
  await administer(redis, add);
  const changed = {
    RABBITMQ_USERNAME: 'confab-b',
    RABBITMQ_PASSWORD: rabbitNext,
    REDIS_PASSWORD: redisNext,
  };
  const roles = ['api', 'worker', 'gateway'] as const;
  const [api, , gateway] = await Promise.all(roles.map((role) => deployment.start(role, changed)));
  apiUrl = api?.url ?? '';
  bobHears.close();
  bobHears = await bob.connect({ url: gateway?.url ?? '', cursors: { [chat.id]: cursor } });
  await Promise.all(before.map(leave));
  await eventually('no connection is left of the first user', async () => {
    return !(await rabbitmq.ctl(...list)).split('\n').includes('confab');
  });
  await rabbitmq.ctl(...remove);
  await administer(redis, takeAway);
  const { length } = sent;
  await eventually('it goes on', () => sent.length > length + 10);
  isOver = true;
  await sending;

  expect(refused).toEqual([]);
  await bobHears.heard(sent.at(-1) ?? '');
  expect(bobHears.news.map(({ message }) => message.content)).toEqual(sent);
  // Of neither server the old one is of any use.
  await expect(administer(redis, ['AUTH', 'confab', own.REDIS_PASSWORD])).rejects.toThrow('WRONGPASS');
  const { host: hostname, port } = rabbitmq;
  const first = { hostname, port, username: 'confab', password: own.RABBITMQ_PASSWORD, vhost: 'confab' };
  await expect(amqplib.connect(first)).rejects.toThrow('ACCESS');
}, 60_000);

async function leave({ process }: Member): Promise<void> {
  process.signal('SIGTERM');
  expect(await process.exited).toBe(0);
}
