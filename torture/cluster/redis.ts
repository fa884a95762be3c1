import { administer, type CreateRedis, startCluster, startSentinels } from '../../harness/redis-forms.ts';
import { untilReady } from '../../src/commands/servers/ready.ts';
import type { Server } from '../../src/commands/servers/server.ts';
import { createLed } from './led.ts';

export const redisForms = ['sentinel', 'cluster'] as const;
export type RedisForm = (typeof redisForms)[number];

export interface RedisServers {
  /** The master, or of several one in turn. */
  readonly server: Server;
  /** What tells a process where they are. */
  readonly environment: Record<string, string>;
  /** A master is killed; resolves when another has its place. */
  failOver(): Promise<void>;
  /** The one that was killed is a replica. */
  rejoin(): Promise<void>;
}

interface Form {
  servers: readonly Server[];
  environment: Record<string, string>;
  password?: string;
  /** How many masters there have to be. */
  masters: number;
}

export async function startRedisForm(form: RedisForm, create: CreateRedis): Promise<RedisServers> {
  const { servers, environment, password, masters } = await (form === 'sentinel'
    ? sentinels(create)
    : cluster(create));
  let down: Server | undefined;
  let turn = 0;

  async function rolesOf(): Promise<{ server: Server; master: boolean; linked: boolean }[]> {
    const there = servers.filter((server) => server !== down);
    return Promise.all(
      there.map(async (server) => {
        const { host, port } = server;
        const [info] = await administer({ host, port, ...(password ? { password } : {}) }, [
          'INFO',
          'replication',
        ]);
        const text = String(info);
        return {
          server,
          master: text.includes('role:master'),
          linked: text.includes('master_link_status:up'),
        };
      }),
    );
  }

  async function leader(): Promise<Server> {
    const leading = (await rolesOf()).filter(({ master }) => master);
    const next = leading[turn++ % leading.length];
    if (!next) throw new Error('Redis has no master');
    return next.server;
  }

  const isWhole = async () => {
    const roles = await rolesOf();
    return (
      roles.length === servers.length &&
      roles.filter(({ master }) => master).length === masters &&
      roles.every(({ master, linked }) => master || linked)
    );
  };
  const whole = () => untilReady({ what: 'Redis with all its replicas', check: isWhole, deadlineMs: 60_000 });

  return {
    environment,
    server: createLed({
      name: 'Redis',
      url: servers[0]?.url ?? '',
      ...{ leader, whole },
      stop: () => Promise.all(servers.map((server) => server.stop())),
    }),
    async failOver() {
      const master = await leader();
      down = master;
      await master.kill();
      const isReplaced = async () => (await rolesOf()).filter((each) => each.master).length === masters;
      await untilReady({ what: 'another master of Redis', check: isReplaced, deadlineMs: 30_000 });
    },
    async rejoin() {
      await down?.restart();
      down = undefined;
      await whole();
    },
  };
}

async function sentinels(create: CreateRedis): Promise<Form> {
  const { master, replica, environment } = await startSentinels(create);
  return {
    servers: [master, replica],
    environment,
    password: environment.REDIS_PASSWORD,
    masters: 1,
  };
}

/** Each master has a replica. */
async function cluster(create: CreateRedis): Promise<Form> {
  const masters = 3;
  const { nodes, environment } = await startCluster(create, { masters, replicas: 1 });
  return { servers: nodes, environment, masters };
}
