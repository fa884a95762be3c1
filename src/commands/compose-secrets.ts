/**
 * What the service `secret` of docker-compose.yml runs, before all others: makes the secrets that `.env` does not give, each
 * once, and keeps them in volumes for the user of Confab's containers alone. `show` prints them for processes on the host.
 */
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { choosePassword } from './compose-secrets/choose-password.ts';

/** Where the volumes are; a test has them below a folder of its own. */
const { VOLUMES_ROOT = '/' } = process.env;
const tokenSecret = join(VOLUMES_ROOT, 'secrets/jwt-secret');
const passwordOf = (server: string) => join(VOLUMES_ROOT, 'passwords', server);
/** What the processes sign in with: a volume without the password of who owns the database. */
const accessOf = (server: string) => join(VOLUMES_ROOT, 'access', server);

/** What compose puts where a variable is not even there: an empty password of Redis is one that somebody has set. */
const unset = '-';

const servers = [
  { name: 'postgres', label: 'PostgreSQL', variable: 'DATABASE_PASSWORD', usual: 'postgres', keeps: true },
  { name: 'rabbitmq', label: 'RabbitMQ', variable: 'RABBITMQ_PASSWORD', usual: 'guest', keeps: true },
  { name: 'redis', label: 'Redis', variable: 'REDIS_PASSWORD', usual: '', keeps: false },
] as const;

const newSecret = (): string => randomBytes(32).toString('base64url');

async function make(): Promise<void> {
  for (const path of [tokenSecret, accessOf('postgres')])
    if (((await read(path)) ?? '') === '') await keep(path, newSecret());
  for (const { name, label, variable, usual, keeps } of servers) {
    const { password, note } = choosePassword({
      given: givenFor(variable),
      kept: await read(passwordOf(name)),
      usual,
      hasData: keeps ? hasData(join(VOLUMES_ROOT, 'volumes', name)) : undefined,
      make: newSecret,
    });
    await keep(passwordOf(name), password);
    if (name !== 'postgres') await keep(accessOf(name), password);
    if (note !== undefined) console.log(`${label} ${note}.`);
  }
}

function givenFor(variable: (typeof servers)[number]['variable']): string | undefined {
  const { REDIS_PASSWORD = unset, RABBITMQ_PASSWORD } = process.env;
  switch (variable) {
    case 'REDIS_PASSWORD':
      return REDIS_PASSWORD === unset ? undefined : REDIS_PASSWORD;
    case 'RABBITMQ_PASSWORD':
      return RABBITMQ_PASSWORD || undefined;
    case 'DATABASE_PASSWORD':
      return postgresGiven();
  }
}

/** Its own variable, or what processes on the host would sign in with to a server on this machine. */
function postgresGiven(): string | undefined {
  const { POSTGRES_PASSWORD, DATABASE_PASSWORD, DATABASE_URL = '' } = process.env;
  if (POSTGRES_PASSWORD) return POSTGRES_PASSWORD;
  const { hostname, password } = URL.canParse(DATABASE_URL)
    ? new URL(DATABASE_URL)
    : { hostname: 'localhost', password: '' };
  if (!['localhost', '127.0.0.1', '[::1]'].includes(hostname)) return undefined;
  return DATABASE_PASSWORD || decodeURIComponent(password) || undefined;
}

/** A volume that its server has closed to others is one that it has used. */
function hasData(folder: string): boolean {
  try {
    return readdirSync(folder).length > 0;
  } catch (error) {
    return codeOf(error) !== 'ENOENT';
  }
}

async function show(): Promise<void> {
  console.log(
    '# For .env of processes on this machine; the ports are those that docker-compose.yml publishes.',
  );
  console.log('DATABASE_URL=postgres://postgres@localhost:5432/chat');
  for (const { name, variable } of servers)
    console.log(`${variable}=${(await read(passwordOf(name))) ?? ''}`);
  console.log(`JWT_SECRET=${(await read(tokenSecret)) ?? ''}`);
}

async function read(path: string): Promise<string | undefined> {
  const content = await readFile(path, 'utf8').catch((error) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  return content?.replace(/\n$/, '');
}

/** Whole, or not at all. */
async function keep(path: string, secret: string): Promise<void> {
  await writeFile(`${path}.new`, `${secret}\n`, { mode: 0o600, flush: true });
  await rename(`${path}.new`, path);
}

const codeOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined;

const [verb] = process.argv.slice(2);
if (verb === 'make') await make();
else if (verb === 'show') await show();
else {
  console.error('docker-compose run --rm secret show|make');
  process.exitCode = 2;
}
