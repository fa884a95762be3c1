import { join } from 'node:path';
import type { Guard } from '../../src/commands/servers/guard.ts';
import { createLauncher, type Trio } from '../../src/commands/servers/launcher.ts';
import { obtainBinaries } from '../../src/commands/servers/obtain.ts';
import type { Ways } from '../ways.ts';
import { type Brokers, startBrokers } from './brokers.ts';
import { type PostgresPair, startPostgresPair } from './postgres-pair.ts';
import { type RedisForm, type RedisServers, startRedisForm } from './redis.ts';

/** Three nodes of RabbitMQ, a primary of PostgreSQL with a standby, and Redis in one of its forms. */
export interface Cluster {
  /** Each of the three as one server: the one that leads. */
  readonly servers: Trio;
  readonly ways: Ways;
  readonly brokers: Brokers;
  readonly postgres: PostgresPair;
  readonly redis: RedisServers;
}

/** Private servers, as `startServers` does it. What was started is left to the guard where it fails. */
export async function startCluster(options: {
  guard: Guard;
  folder: string;
  redis: RedisForm;
  print: (line: string) => void;
}): Promise<Cluster> {
  const { guard, folder, print } = options;
  const binaries = await obtainBinaries({ ...options, needed: ['postgres', 'redis', 'rabbitmq'] });
  const launcher = createLauncher(guard, binaries);
  let count = 0;
  print('starting three nodes of RabbitMQ, a primary and a standby, and Redis');
  const [brokers, postgres, redis] = await Promise.all([
    startBrokers(launcher, folder),
    startPostgresPair(launcher, folder),
    startRedisForm(options.redis, (kind) => {
      count += 1;
      return launcher.redis({ folder: join(folder, `redis-${count}`), durable: false }, kind);
    }),
  ]);
  const servers = { postgres: postgres.server, redis: redis.server, rabbitmq: brokers.server };
  const several = (url: string, ports: readonly number[]): string => {
    const { port } = new URL(url);
    return url.replace(`127.0.0.1:${port}`, ports.map((each) => `127.0.0.1:${each}`).join(','));
  };
  return {
    ...{ servers, brokers, postgres, redis },
    ways: {
      postgres: {
        ports: postgres.ports,
        environment: (ports) => ({ DATABASE_URL: several(postgres.server.url, ports) }),
      },
      // They tell their clients addresses of their own: there is nothing to put in between.
      redis: { ports: [], environment: () => redis.environment },
      rabbitmq: {
        ports: brokers.ports,
        environment: (ports) => ({ RABBITMQ_URI: several(brokers.server.url, ports) }),
      },
    },
  };
}
