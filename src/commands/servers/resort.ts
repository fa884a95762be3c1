import type { ServerName } from './binaries.ts';

/** What is known about the machine. */
export interface MachineFacts {
  /** Servers that are needed and not found. */
  missing: ServerName[];
  platform: NodeJS.Platform;
  /** Whether `docker compose` is there and its engine answers. */
  dockerAnswers: boolean;
  /** Debian or Ubuntu, as told by `apt-get` and `/etc/debian_version`. */
  hasApt: boolean;
  isRoot: boolean;
}

/** The last lines of the instructions: what works here without the servers. */
const testsWithoutServers = 'or run the tests that need no servers:\n  bun run test:embedded';

export type Resort =
  | { kind: 'binaries' }
  | { kind: 'docker'; message: string }
  | { kind: 'apt'; message: string; packages: string[] }
  | { kind: 'stop'; message: string };

const names: Record<ServerName, string> = {
  postgres: 'PostgreSQL',
  redis: 'Redis',
  rabbitmq: 'RabbitMQ',
  nginx: 'nginx',
  haproxy: 'HAProxy',
  pgbouncer: 'PgBouncer',
  compose: 'docker-compose',
  kubectl: 'kubectl',
  python: 'python-socketio',
  chromium: 'Chromium',
  prometheus: 'Prometheus',
};
/** With spaces between several. */
const debianPackages: Record<ServerName, string> = {
  postgres: 'postgresql',
  redis: 'redis-server',
  rabbitmq: 'rabbitmq-server',
  nginx: 'nginx-light',
  haproxy: 'haproxy',
  pgbouncer: 'pgbouncer',
  compose: 'docker-compose',
  kubectl: 'kubernetes-client',
  python: 'python3-socketio python3-requests python3-websocket',
  chromium: 'chromium',
  prometheus: 'prometheus',
};
const homebrewPackages: Record<ServerName, string> = {
  postgres: 'postgresql@17',
  redis: 'redis',
  rabbitmq: 'rabbitmq',
  nginx: 'nginx',
  haproxy: 'haproxy',
  pgbouncer: 'pgbouncer',
  compose: 'docker-compose',
  kubectl: 'kubernetes-cli',
  python: 'python3',
  chromium: 'chromium',
  prometheus: 'prometheus',
};
const inNoContainer: ReadonlySet<ServerName> = new Set([
  'haproxy',
  'kubectl',
  'python',
  'chromium',
  'prometheus',
]);
/** What Homebrew has not. */
const pythonPackages = 'python3 -m pip install "python-socketio[client]"';

/**
 * Where servers come from: the machine, else containers, else apt, else from the reader, who is told how. Not all of them
 * are in a container.
 */
export function decideResort(facts: MachineFacts, otherwise = testsWithoutServers): Resort {
  const { missing, platform, dockerAnswers, hasApt, isRoot } = facts;
  if (missing.length === 0) return { kind: 'binaries' };
  const list = missing.map((name) => names[name]).join(', ');
  const inContainers = missing.filter((name) => !inNoContainer.has(name));
  if (dockerAnswers && inContainers.length === missing.length)
    return { kind: 'docker', message: `Not on this machine: ${list}. Starting it with docker compose.` };
  const packages = missing.flatMap((name) => debianPackages[name].split(' '));
  if (hasApt && isRoot)
    return {
      kind: 'apt',
      packages,
      message: `Not on this machine: ${list}. Installing with apt-get: ${packages.join(' ')}. Their services are not started.`,
    };
  const ways = [
    ...(hasApt ? [`sudo apt-get update && sudo apt-get install -y ${packages.join(' ')}`] : []),
    ...(platform === 'darwin'
      ? [`brew install ${missing.map((name) => homebrewPackages[name]).join(' ')}`]
      : []),
    ...(!hasApt && platform === 'linux' ? [`your distribution's packages for ${list}`] : []),
    ...(missing.includes('python') ? [pythonPackages] : []),
    ...(inContainers.length > 0 ? ['a running Docker engine with docker compose'] : []),
  ];
  return {
    kind: 'stop',
    message: [
      `Not on this machine: ${list}. Install it by one of:`,
      ...ways.map((way) => `  ${way}`),
      otherwise,
    ].join('\n'),
  };
}
