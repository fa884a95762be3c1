import type { TlsFiles } from '../tls.ts';
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
export type RedisUrl = Pick<RedisAddress, 'encrypted' | 'username' | 'password' | 'db'> & {
  hosts: readonly GivenHost[];
};

export const usualPort = 6379;
export const usualSentinelPort = 26_379;

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

/** As it is shown in lines of the log. */
export function redisText({ kind, nodes, sentinelName }: RedisAddress): string {
  const text = nodes.map(addressText).join(', ');
  return kind === 'sentinel' ? `${text} (Sentinels, for ${sentinelName})` : text;
}
