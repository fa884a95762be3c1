import { expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import amqplib from 'amqplib';
import postgres from 'postgres';
import { groupIsAlive } from '../../src/commands/servers/groups.ts';
import { answers } from '../../src/commands/servers/ready.ts';
import { eventually } from '../support/eventually.ts';
import { realServers } from '../support/servers.ts';

const servers = await realServers();
const isRedis = (port: number) => answers(port, 'PING\r\n', '+PONG');

test('servers and their folder go with their owner, also when it is killed', async () => {
  const script = join(import.meta.dir, '../support/owner-of-servers.ts');
  const owner = Bun.spawn([process.execPath, script, 'postgres', 'redis', 'rabbitmq'], { stdout: 'pipe' });
  let printed = '';
  for await (const chunk of owner.stdout) {
    printed += new TextDecoder().decode(chunk);
    if (printed.endsWith('\n')) break;
  }
  const { folder, pids } = JSON.parse(printed) as { folder: string; pids: number[] };
  expect(pids).toHaveLength(3);
  expect((await Promise.all(pids.map(groupIsAlive))).every(Boolean)).toBe(true);

  owner.kill('SIGKILL');
  await eventually(
    'no process left',
    async () => !(await Promise.all(pids.map(groupIsAlive))).includes(true),
  );
  await eventually('no folder left', () => !existsSync(folder));
}, 90_000);

test('a stopped server leaves no process', async () => {
  const redis = await servers.createRedis();
  const pid = redis.pid();
  await redis.stop();
  expect(await groupIsAlive(pid)).toBe(false);
  expect(await isRedis(redis.port)).toBe(false);
});

test('a killed server comes back on the same port', async () => {
  const redis = await servers.createRedis();
  const before = redis.pid();
  await redis.kill();
  expect(await isRedis(redis.port)).toBe(false);
  await redis.restart();
  expect(await isRedis(redis.port)).toBe(true);
  expect(redis.pid()).not.toBe(before);
});

test('a frozen server keeps connections and answers nobody until it is thawed', async () => {
  const redis = await servers.createRedis();
  await redis.pause();
  const answer = isRedis(redis.port);
  expect(await Promise.race([answer, Bun.sleep(200).then(() => 'silence')])).toBe('silence');
  await redis.resume();
  await eventually('it answers again', () => isRedis(redis.port));
});

test('PostgreSQL keeps what was committed over a kill', async () => {
  const server = await servers.createPostgres();
  const sql = postgres(server.url, { max: 1, onnotice: () => {} });
  await sql`create table kept (value int)`;
  await sql`insert into kept values (42)`;
  await sql.end({ timeout: 1 });
  await server.restart();
  const again = postgres(server.url, { max: 1 });
  expect([...(await again`select value from kept`)]).toEqual([{ value: 42 }]);
  await again.end({ timeout: 1 });
}, 60_000);

test('nginx runs the routes it is handed', async () => {
  const nginx = await servers.createNginx(
    (port) => `server { listen 127.0.0.1:${port}; location = /here { return 200 'found'; } }`,
  );
  const answer = await fetch(`${nginx.url}/here`);
  expect(await answer.text()).toBe('found');
});

test('each test file has its own database', async () => {
  const [one, two] = [await servers.createDatabase(), await servers.createDatabase()];
  expect(one).not.toBe(two);
  const sql = postgres(one, { max: 1 });
  const [row] = await sql`select current_database() as name, version() as version`;
  await sql.end({ timeout: 1 });
  expect(one).toEndWith(`/${row?.name}`);
}, 20_000);

test('a broker of its own raises and clears the memory alarm', async () => {
  const broker = await servers.createRabbitmq();
  const connection = await amqplib.connect(broker.url);
  const blocked = new Promise((resolve) => connection.once('blocked', resolve));
  const unblocked = new Promise((resolve) => connection.once('unblocked', resolve));
  const channel = await connection.createChannel();
  await broker.ctl('set_vm_memory_high_watermark', '0.00001');
  // The broker tells a connection that it blocks it when that publishes.
  channel.publish('', 'nowhere', Buffer.from('x'));
  await blocked;
  await broker.ctl('set_vm_memory_high_watermark', '0.4');
  await unblocked;
  await connection.close();
}, 90_000);
