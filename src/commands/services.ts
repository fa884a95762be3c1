/** `bun run services`: PostgreSQL, Redis and RabbitMQ for development, data in `.services/`, until Ctrl-C. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { lockFolder } from '../process/folder-lock.ts';
import { createGuard } from './servers/guard.ts';
import { createLauncher, startTrio, stopTrio } from './servers/launcher.ts';
import { obtainBinaries } from './servers/obtain.ts';
import { freePortNear } from './servers/ports.ts';
import { postgresLogin } from './servers/postgres.ts';
import { homeForPostgres } from './servers/user.ts';

const folder = join(import.meta.dir, '../../.services');
mkdirSync(folder, { recursive: true });
const lock = lockFolder(folder);
if (!lock) {
  console.error('The services run already (.services/ is in use): stop them there with Ctrl-C first.');
  process.exit(1);
}

const guard = createGuard();
let ending: Promise<void> | undefined;
let stop = async (): Promise<void> => {};
const end = async (code: number): Promise<never> => {
  await stop();
  await guard.close();
  // Held to here by this reference: a collected lock is a free one.
  lock.release();
  process.exit(code);
};
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    // The second one does not wait; the watchdog stops what still runs.
    if (ending) process.exit(130);
    console.log('Stopping …');
    ending = end(0);
  });

try {
  const binaries = await obtainBinaries({
    guard,
    folder,
    print: console.log,
    needed: ['postgres', 'redis', 'rabbitmq'],
    otherwise: 'or run Confab in one process, which needs no servers:\n  bun run dev',
  });
  const ports = {
    postgres: await freePortNear(5432),
    redis: await freePortNear(6379),
    rabbitmq: await freePortNear(5672),
  };
  const trio = await startTrio(createLauncher(guard, binaries), folder, {
    durable: true,
    ports,
    folders: { postgres: await homeForPostgres(join(folder, 'postgres')) },
  });
  stop = () => stopTrio(trio);
  // Neither the servers nor a signal handler keeps this process up.
  setInterval(() => {}, 60_000);
  console.log(`PostgreSQL, Redis and RabbitMQ are up; their data is in ${folder}. Ctrl-C stops them.
Put this into .env:

DATABASE_URL=${trio.postgres.url}
REDIS_HOST=127.0.0.1
REDIS_PORT=${ports.redis}
REDIS_PASSWORD=
RABBITMQ_URI=
RABBITMQ_HOST=127.0.0.1
RABBITMQ_PORT=${ports.rabbitmq}
RABBITMQ_USERNAME=guest
RABBITMQ_PASSWORD=guest

Next: bun run migrate, which makes the tables in the database ${postgresLogin.database}.`);
} catch (error) {
  if (!ending) {
    console.error(error instanceof Error ? error.message : error);
    await end(1);
  }
}
