import type { Trio } from '../src/commands/servers/launcher.ts';
import type { ServerKind } from './fault.ts';

/** How a process reaches a server, or all that it is made of. */
export interface Way {
  /** On 127.0.0.1. */
  ports: readonly number[];
  /** What tells a process of them, or of proxies before them. */
  environment: (ports: readonly number[]) => Record<string, string>;
}

export type Ways = Record<ServerKind, Way>;

/** To three servers that stand by themselves. */
export function waysTo({ postgres, redis, rabbitmq }: Trio): Ways {
  const at = (url: string, [port]: readonly number[]) =>
    Object.assign(new URL(url), { port: String(port) }).href;
  return {
    postgres: {
      ports: [postgres.port],
      environment: (ports) => ({ DATABASE_URL: at(postgres.url, ports) }),
    },
    redis: {
      ports: [redis.port],
      environment: ([port]) => ({ REDIS_HOST: redis.host, REDIS_PORT: String(port) }),
    },
    rabbitmq: {
      ports: [rabbitmq.port],
      environment: (ports) => ({ RABBITMQ_URI: at(rabbitmq.url, ports) }),
    },
  };
}
