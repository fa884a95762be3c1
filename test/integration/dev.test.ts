import { beforeAll, describe, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { groupIsAlive } from '../../src/commands/servers/groups.ts';
import { freePort } from '../../src/commands/servers/ports.ts';
import { type Embedded, startEmbedded } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { newPerson } from '../support/people.ts';
import { testProcesses, untilSays } from '../support/processes.ts';
import { runningMs } from '../support/running-time.ts';

const processes = testProcesses();

/** A first start's folder, complete, to copy from: making one takes seconds. */
const made = await startEmbedded(processes, { dataDir: join(await processes.folder(), 'data') });
const { dataDir: template } = made;
made.process.signal('SIGINT');
const madeEnded = await made.process.exited;

async function copyOfData(): Promise<string> {
  const folder = join(await processes.folder(), 'data');
  await cp(template, folder, { recursive: true });
  return folder;
}

/** A start that is refused, with the one line it says. */
async function refusal(env: Record<string, string>): Promise<string> {
  const port = String(await freePort());
  const { code, output } = await processes.finish(['src/standalone.ts'], { PORT: port, ...env });
  expect(code).toBe(1);
  expect(output.trimEnd().split('\n')).toHaveLength(1);
  return output.trimEnd();
}

/** What the start printed to be pasted, as it stands there. */
const pastedBlocks = (output: string): string[] =>
  output.split(/Bob listens:\n|and in a third one Ada writes to him:\n|Ctrl-C ends it/).slice(1, 3);

test('a later start takes less than half of the first', async () => {
  const later = await startEmbedded(processes, { dataDir: await copyOfData() });
  expect(later.startedInMs).toBeLessThan(made.startedInMs / 2);
  expect(made.startedInMs).toBeLessThan(15_000);
  expect(later.startedInMs).toBeLessThan(3_000);
  await later.process.kill();
}, 30_000);

test('a folder that others could read is closed to them, with all that is in it', async () => {
  const folder = await copyOfData();
  for (const path of [folder, join(folder, 'database')]) await chmod(path, 0o777);
  await rm(join(folder, 'owner'));
  const running = await startEmbedded(processes, { dataDir: folder });
  const modeOf = async (...path: string[]) => (await stat(join(folder, ...path))).mode & 0o777;
  expect(await modeOf()).toBe(0o700);
  expect(await modeOf('database')).toBe(0o700);
  expect(await modeOf('owner')).toBe(0o600);
  await running.process.kill();

  // Somebody keeps other things there: not closed to them, and refused where anybody could put a database in place of ours.
  await writeFile(join(folder, 'notes.txt'), 'not ours');
  await chmod(folder, 0o777);
  expect(await refusal({ DATA_DIR: folder })).toContain(
    'can be written by every user of this machine: chmod 700',
  );
  await chmod(folder, 0o755);
  const shared = await startEmbedded(processes, { dataDir: folder });
  expect([await modeOf(), await modeOf('database')]).toEqual([0o755, 0o700]);
  await shared.process.kill();
}, 30_000);

describe('a running one', () => {
  let running: Embedded;
  beforeAll(async () => {
    // A big room of one person's sockets.
    const env = { MAX_SOCKETS_PER_USER: '100' };
    running = await startEmbedded(processes, { dataDir: await copyOfData(), env });
  }, 60_000);

  test('says what listens where, where the data is, and what to do next', () => {
    const output = running.process.output();
    expect(output).toContain(`REST     ${running.apiUrl}`);
    expect(output).toContain(`sockets  ${running.apiUrl}/chat`);
    expect(output).toContain(`data     ${running.dataDir}`);
    expect(output).toContain(`bun run checklist --api ${running.apiUrl}`);
  });

  test('prints a conversation that can be pasted: Bob hears Ada, also the second time', async () => {
    const [listening, writing] = pastedBlocks(running.process.output());
    if (listening === undefined || writing === undefined) throw new Error(running.process.output());
    const bob = processes.bash(listening);
    await untilSays(bob, 'Bob is connected');
    const ada = processes.bash(writing);
    expect(await ada.exited).toBe(0);
    expect(ada.output()).toContain('"brokerMessageId"');
    await untilSays(bob, 'Bob received: Hello Bob');
    await processes.bash(writing).exited;
    await eventually('he hears it again', () => bob.output().split('Bob received: Hello Bob').length === 3);
    await bob.kill();
    await eventually('nothing of his is left', async () => !(await groupIsAlive(bob.pid)));
  }, 30_000);

  test('is reached by IPv4 and IPv6, also by those who share a big room', async () => {
    const [ada, bob] = await Promise.all([newPerson(running), newPerson(running)]);
    const chat = await ada.newChat(bob);
    const { port } = new URL(running.apiUrl);
    const urls = Array.from({ length: 40 }, (_, at) => `http://${at % 2 ? '[::1]' : '127.0.0.1'}:${port}`);
    const ears = await Promise.all(urls.map((url) => bob.connect({ url })));
    for (const content of ['first', 'second']) {
      await ada.send(chat.id, content);
      await Promise.all(ears.map((each) => each.heard(content)));
    }
    for (const each of ears) {
      expect(each.news.map(({ message }) => message.content)).toEqual(['first', 'second']);
      each.close();
    }
  });

  test('a second start on the folder is refused', async () => {
    const line = await refusal({ DATA_DIR: running.dataDir });
    expect(line).toContain(`${running.dataDir} is in use by another Confab (process ${running.process.pid})`);
    expect(line).toContain('DATA_DIR');
  });

  test('a second start on the port is refused, and leaves no data behind', async () => {
    const folder = join(await processes.folder(), 'data');
    const line = await refusal({ DATA_DIR: folder, PORT: String(running.env.PORT) });
    expect(line).toContain(`Port ${running.env.PORT} is taken`);
    expect(existsSync(join(folder, 'database'))).toBe(false);
  });

  test('the token secret is kept, for its owner alone', async () => {
    const path = join(running.dataDir, 'token-secret');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await readFile(path, 'utf8')).length).toBeGreaterThanOrEqual(32);
  });

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    test(`${signal} ends it within 2 s with status 0, with sockets open`, async () => {
      if (!running.process.running()) running = await startEmbedded(processes, { dataDir: running.dataDir });
      const ears = await (await newPerson(running)).connect();
      const started = runningMs();
      running.process.signal(signal);
      expect(await running.process.exited).toBe(0);
      expect(runningMs() - started).toBeLessThan(2_000);
      ears.close();
    }, 30_000);
  }
});

test("Ctrl-C is one signal, although npm hands its own on beside the terminal's", async () => {
  const own = await startEmbedded(processes, { dataDir: await copyOfData(), env: { LOG_LEVEL: 'info' } });
  // A request that is not complete makes the end last: the second signal comes in the middle of it.
  const socket = connect(Number(own.env.PORT), '127.0.0.1');
  socket.write('POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{');
  await fetch(`${own.apiUrl}/healthz`);
  own.process.signal('SIGINT');
  await untilSays(own.process, 'SIGINT: leaving');
  own.process.signal('SIGINT');
  socket.end('}');
  expect(await own.process.exited).toBe(0);
  expect(own.process.output()).toContain('left in');
}, 30_000);

test('an orderly end of the first start had status 0', () => expect(madeEnded).toBe(0));

test('kill -9 in the middle of it loses nothing that was accepted, and tokens stay good', async () => {
  const first = await startEmbedded(processes, { dataDir: await copyOfData() });
  const [ada, bob] = await Promise.all([newPerson(first), newPerson(first)]);
  const chat = await ada.newChat(bob);
  const accepted: string[] = [];
  let over = false;
  const senders = Array.from({ length: 8 }, async (_, sender) => {
    for (let at = 0; !over; at += 1) {
      const answer = await ada.send(chat.id, `${sender}-${at}`).catch(() => undefined);
      if (answer) accepted.push(answer.brokerMessageId);
    }
  });
  await eventually('some are accepted', () => accepted.length >= 40);
  await first.process.kill();
  over = true;
  await Promise.all(senders);

  const second = await startEmbedded(processes, {
    dataDir: first.dataDir,
    env: { PORT: first.env.PORT ?? '' },
  });
  const stored = new Set<string>();
  await eventually('all accepted are stored', async () => {
    for (let after = 0; ; ) {
      const { body } = await bob.call('GET', `/chats/${chat.id}/messages?limit=100&after=${after}`);
      for (const { id } of body.data) stored.add(id);
      if (!body.page.hasAfter) break;
      after = body.data.at(-1).sequence;
    }
    return accepted.every((id) => stored.has(id));
  });
  expect(stored.size).toBeGreaterThanOrEqual(accepted.length);
  await second.process.kill();
}, 60_000);

test('a kill during the first start is made good by the next one', async () => {
  const folder = join(await processes.folder(), 'data');
  const env = { DATA_DIR: folder, PORT: String(await freePort()) };
  const first = processes.run(['src/standalone.ts'], env);
  await eventually('it makes its database', () => existsSync(join(folder, 'database.unfinished')), 20_000);
  await first.kill();
  expect(existsSync(join(folder, 'database'))).toBe(false);
  const second = await startEmbedded(processes, { dataDir: folder });
  await newPerson(second);
  await second.process.kill();
}, 60_000);

describe('a data folder that is no good is one line that says what to do', () => {
  for (const [what, damage] of [
    ['a file is missing', (database: string) => rm(join(database, 'PG_VERSION'))],
    ['the control file is missing', (database: string) => rm(join(database, 'global/pg_control'))],
    [
      'the control file is garbage',
      (database: string) => writeFile(join(database, 'global/pg_control'), 'x'),
    ],
    ['the tables are gone', (database: string) => rm(join(database, 'base'), { recursive: true })],
  ] as const) {
    test(what, async () => {
      const folder = await copyOfData();
      await damage(join(folder, 'database'));
      const line = await refusal({ DATA_DIR: folder });
      expect(line).toContain('is damaged');
      expect(line).toContain('move the folder away');
    }, 20_000);
  }

  test('it was made by a newer version', async () => {
    const folder = await copyOfData();
    await writeFile(join(folder, 'format'), '2');
    expect(await refusal({ DATA_DIR: folder })).toContain('made by a newer version');
  });

  test('it is a file', async () => {
    const folder = join(await processes.folder(), 'data');
    await writeFile(folder, '');
    expect(await refusal({ DATA_DIR: folder })).toContain('set DATA_DIR to a folder that can be written');
  });

  test('its token secret is empty', async () => {
    const folder = join(await processes.folder(), 'data');
    await mkdir(folder);
    await writeFile(join(folder, 'token-secret'), '');
    expect(await refusal({ DATA_DIR: folder })).toContain('does not hold a secret');
  });
});

test('a bad environment shows all its errors at once', async () => {
  const { code, output } = await processes.finish(['src/standalone.ts'], {
    PORT: 'http',
    LOG_LEVEL: 'loud',
    JWT_SECRET: 'short',
  });
  expect(code).toBe(1);
  expect(output).toContain('PORT must be a whole number');
  expect(output).toContain('LOG_LEVEL must be');
  expect(output).toContain('JWT_SECRET must have at least 32 bytes');
  expect(output).not.toContain('    at ');
});

test('it is embedded whatever the environment says of servers', async () => {
  const running = await startEmbedded(processes, {
    dataDir: await copyOfData(),
    env: {
      DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
      REDIS_PORT: '1',
      RABBITMQ_URI: 'amqp://127.0.0.1:1',
      RABBITMQ_CHAT_PARTITION_COUNT: '3',
      CHAT_WORKER_ENABLED: 'false',
    },
  });
  const [ada, bob] = await Promise.all([newPerson(running), newPerson(running)]);
  const chat = await ada.newChat(bob);
  const ears = await bob.connect();
  await ada.send(chat.id, 'no server');
  await ears.heard('no server');
  ears.close();
  await running.process.kill();
}, 20_000);

test('`bun run start` is production, with nothing set', async () => {
  const running = await startEmbedded(processes, {
    dataDir: await copyOfData(),
    command: ['src/commands/start.ts'],
    env: { NODE_ENV: 'development', LOG_LEVEL: 'info', HOST: '127.0.0.1' },
  });
  await newPerson(running);
  // What is to be pasted goes where it listens.
  expect(running.process.output()).toContain(`curl -s "http://127.0.0.1:${running.env.PORT}$1"`);
  const preflight = await fetch(`${running.apiUrl}/auth/login`, {
    method: 'OPTIONS',
    headers: { Origin: 'http://localhost:5173', 'Access-Control-Request-Method': 'POST' },
  });
  expect(preflight.headers.get('access-control-allow-origin')).toBeNull();
  // Its log is for machines.
  expect(running.process.output()).toMatch(/^\{"level":"info",.*"msg":"request"/m);
  await running.process.kill();
}, 20_000);

describe('under `bun run dev`', () => {
  const start = async () => {
    const env = { DATA_DIR: await copyOfData(), PORT: String(await freePort()), LOG_LEVEL: 'warn' };
    const wrapper = processes.run(['run', 'dev'], env);
    await untilSays(wrapper, 'Confab is up');
    return {
      wrapper,
      health: () =>
        fetch(`http://localhost:${env.PORT}/healthz`).then(
          () => true,
          () => false,
        ),
    };
  };

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    test(`${signal} to the wrapper ends both, cleanly`, async () => {
      const { wrapper, health } = await start();
      const started = runningMs();
      wrapper.signal(signal);
      expect(await wrapper.exited).toBe(0);
      expect(runningMs() - started).toBeLessThan(2_000);
      expect(await health()).toBe(false);
    }, 30_000);
  }

  test('when the wrapper is killed, the process does not stay behind', async () => {
    const { wrapper, health } = await start();
    expect(await health()).toBe(true);
    wrapper.signal('SIGKILL');
    await eventually('the port is free', async () => !(await health()), 3_000);
  }, 30_000);
});
