import { afterAll, expect, test } from 'bun:test';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { output } from '../../src/commands/servers/finished.ts';
import { withFiles } from '../../src/process/load-config.ts';
import { parseConfig } from '../../src/shared/config.ts';
import { repository } from '../support/repository.ts';

const folder = await mkdtemp(join(tmpdir(), 'confab-files-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

async function file(content: string): Promise<string> {
  const path = join(folder, crypto.randomUUID());
  await Bun.write(path, content);
  return path;
}

test('a secret may come in a file, to the byte but for the line break that editors put at its end', async () => {
  const secret = ' a secret with spaces at both ends, and long enough ';
  for (const content of [secret, `${secret}\n`, `${secret}\r\n`]) {
    const read = withFiles({ JWT_SECRET_FILE: await file(content), PORT: '1' });
    expect(parseConfig(read)).toMatchObject({ port: 1, auth: { secret } });
  }
  expect(withFiles({ REDIS_PASSWORD_FILE: await file('two\n\n') }).REDIS_PASSWORD).toBe('two\n');
});

test('the variable itself wins, an empty one does not', async () => {
  const path = await file('in the file');
  expect(withFiles({ REDIS_PASSWORD: 'own', REDIS_PASSWORD_FILE: path }).REDIS_PASSWORD).toBe('own');
  expect(withFiles({ REDIS_PASSWORD: '', REDIS_PASSWORD_FILE: path }).REDIS_PASSWORD).toBe('in the file');
  expect(withFiles({ REDIS_PASSWORD_FILE: '' }).REDIS_PASSWORD).toBeUndefined();
});

test('a .env is read as people write it: with a BOM, CRLF, `export`, quotes', async () => {
  const own = await mkdtemp(join(folder, 'env-'));
  const lines = [
    '\uFEFFPORT=4000',
    'export LOG_LEVEL=WARN',
    "REDIS_PASSWORD=' lead and trail '",
    'RABBITMQ_PASSWORD="p@ss/word#1"',
    'DATABASE_PASSWORD=a\\$b',
    'REDIS_HOST= cache ',
    '# a comment',
    'CORS_ORIGINS=',
  ];
  await Bun.write(join(own, '.env'), lines.join('\r\n'));
  const program = `import { loadConfig } from '${repository}/src/process/load-config.ts';
    const { port, logLevel, redis, broker, database, corsOrigins } = loadConfig();
    console.log(JSON.stringify({ port, logLevel, redis, broker, database, corsOrigins }));`;
  const { PATH = '', HOME = '' } = process.env;
  const printed = await output([process.execPath, '-e', program], { cwd: own, env: { PATH, HOME } });
  expect(JSON.parse(printed)).toMatchObject({
    port: 4000,
    logLevel: 'warn',
    redis: { nodes: [{ host: 'cache', port: 6379 }], password: ' lead and trail ' },
    broker: { username: 'guest', password: 'p@ss/word#1' },
    database: { url: 'postgres://postgres:postgres@localhost:5432/chat', password: 'a$b' },
  });
});

test('a file that is not there refuses, naming the variable; files of others are left alone', () => {
  const path = join(folder, 'not-there');
  expect(() => withFiles({ JWT_SECRET_FILE: path, SERVICE_TOKEN_FILE: path })).toThrow(
    /JWT_SECRET_FILE can't be read: ENOENT[\s\S]*SERVICE_TOKEN_FILE can't be read/,
  );
  const others = { RABBITMQ_CONFIG_FILE: path, SSL_CERT_FILE: path, constructor_FILE: path };
  expect(withFiles(others)).toEqual(others);
});
