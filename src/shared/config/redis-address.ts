import { type TlsFiles, tlsProblems } from '../tls.ts';
import {
  AddressProblem,
  addressText,
  credentialsOf,
  type GivenHost,
  parseHosts,
  type ServerNode,
} from './server-address.ts';

/** How Redis is reached, and as whom. */
export interface RedisAddress {
  kind: 'server' | 'sentinel' | 'cluster';
  /** The server; its Sentinels; or of a cluster some nodes, which know the others. */
  nodes: readonly ServerNode[];
  /** What the Sentinels call the server, and the password that they want themselves. */
  sentinelName: string;
  sentinelPassword: string | undefined;
  encrypted: boolean;
  /** Undefined: Redis's user `default`. */
  username: string | undefined;
  password: string | undefined;
  db: number;
  tls: TlsFiles;
}

/** What one URL says. */
type RedisUrl = Pick<RedisAddress, 'encrypted' | 'username' | 'password' | 'db'> & { hosts: GivenHost[] };

/** What the environment says of the way to Redis, each variable by itself. */
export interface RedisVariables {
  REDIS_URL?: RedisUrl | undefined;
  REDIS_HOST: readonly GivenHost[];
  REDIS_PORT: number;
  REDIS_USERNAME?: string | undefined;
  REDIS_PASSWORD?: string | undefined;
  REDIS_DB: number;
  REDIS_TLS?: boolean | undefined;
  REDIS_TLS_CA?: string | undefined;
  REDIS_TLS_CERT?: string | undefined;
  REDIS_TLS_KEY?: string | undefined;
  REDIS_SENTINELS?: readonly GivenHost[] | undefined;
  REDIS_SENTINEL_NAME: string;
  REDIS_SENTINEL_PASSWORD?: string | undefined;
  REDIS_CLUSTER: boolean;
}

const usualPort = 6379;
const usualSentinelPort = 26_379;

/** @throws AddressProblem */
export const parseRedisHosts = (value: string): GivenHost[] =>
  parseHosts(value, { example: 'redis', port: usualPort, urlVariable: 'REDIS_URL' });

/** @throws AddressProblem */
export const parseSentinels = (value: string): GivenHost[] =>
  parseHosts(value, { example: 'sentinel', port: usualSentinelPort, urlVariable: 'REDIS_URL' });

const urlPattern = /^(rediss?):\/\/(?:([^/?#]*)@)?([^/?#@]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/i;

/**
 * `redis://user:password@host:6379/0`, `rediss://` with TLS; of a cluster several hosts, separated by commas.
 * @throws AddressProblem
 */
export function parseRedisUrl(value: string): RedisUrl {
  const [matched, scheme = '', userInfo = '', authority = '', path = '', query = ''] =
    urlPattern.exec(value) ?? [];
  if (matched === undefined || path.includes('@')) throw notOne();
  if (query !== '') {
    throw new AddressProblem(
      `has the parameter ${query.split('=')[0]}, and takes none: variables stand beside it`,
    );
  }
  if (!/^\d{0,6}$/.test(path)) throw new AddressProblem('must end with the number of a database: /0');
  const [username, password] = credentialsOf(userInfo);
  return {
    hosts: authority === '' ? [{ host: 'localhost', port: undefined }] : urlHosts(authority),
    encrypted: scheme.toLowerCase() === 'rediss',
    username: username || undefined,
    password: password || undefined,
    db: Number(path),
  };
}

/** What is wrong is not repeated: it may be a part of the password. */
const notOne = (): AddressProblem =>
  new AddressProblem(
    'must be a URL like redis://user:password@host:6379/0 (rediss:// with TLS); in user and password the ' +
      'characters / ? # @ % are written %2F %3F %23 %40 %25',
  );

function urlHosts(authority: string): GivenHost[] {
  try {
    return parseRedisHosts(authority);
  } catch {
    throw notOne();
  }
}

export function redisAddressOf(env: RedisVariables): RedisAddress {
  const tls: TlsFiles = { ca: env.REDIS_TLS_CA, cert: env.REDIS_TLS_CERT, key: env.REDIS_TLS_KEY };
  const given: RedisUrl = env.REDIS_URL ?? {
    hosts: [...env.REDIS_HOST],
    encrypted: env.REDIS_TLS ?? Object.values(tls).some((value) => value !== undefined),
    username: env.REDIS_USERNAME,
    password: env.REDIS_PASSWORD,
    db: env.REDIS_DB,
  };
  const { hosts, ...rest } = given;
  const kind = env.REDIS_SENTINELS ? 'sentinel' : env.REDIS_CLUSTER ? 'cluster' : 'server';
  const port = env.REDIS_SENTINELS ? usualSentinelPort : env.REDIS_URL ? usualPort : env.REDIS_PORT;
  return {
    ...rest,
    kind,
    nodes: (env.REDIS_SENTINELS ?? hosts).map(({ host, port: own }) => ({ host, port: own ?? port })),
    sentinelName: env.REDIS_SENTINEL_NAME,
    sentinelPassword: env.REDIS_SENTINEL_PASSWORD,
    tls,
  };
}

/** What does not go together. */
export function redisProblems(env: RedisVariables): string[] {
  const address = redisAddressOf(env);
  const problems = tlsProblems('REDIS_TLS', address, env.REDIS_URL && 'REDIS_URL must begin with rediss://');
  if (env.REDIS_SENTINELS && env.REDIS_CLUSTER) {
    problems.push('REDIS_SENTINELS and REDIS_CLUSTER exclude each other: set one');
  }
  if (env.REDIS_SENTINELS && env.REDIS_URL) {
    problems.push(
      'REDIS_URL names a server, and REDIS_SENTINELS are asked for it: unset one; REDIS_USERNAME, REDIS_PASSWORD, ' +
        'REDIS_DB and REDIS_TLS stand beside the Sentinels',
    );
  }
  const [hostVariable, dbVariable] = env.REDIS_URL ? ['REDIS_URL', 'REDIS_URL'] : ['REDIS_HOST', 'REDIS_DB'];
  if (address.kind === 'server' && address.nodes.length > 1) {
    problems.push(
      `${hostVariable} names several hosts: set REDIS_CLUSTER=true if they are nodes of a cluster, or name Sentinels in ` +
        'REDIS_SENTINELS',
    );
  }
  if (address.kind === 'cluster' && address.db !== 0) {
    problems.push(`${dbVariable} asks for database ${address.db}: a cluster has 0 alone`);
  }
  return problems;
}

/** As it is shown in lines of the log. */
export function redisText({ kind, nodes, sentinelName }: RedisAddress): string {
  const text = nodes.map(addressText).join(', ');
  return kind === 'sentinel' ? `${text} (Sentinels, for ${sentinelName})` : text;
}
