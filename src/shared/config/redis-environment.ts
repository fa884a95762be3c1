import * as v from 'valibot';
import { type TlsFiles, tlsProblems } from '../tls.ts';
import {
  parseRedisHosts,
  parseRedisUrl,
  parseSentinels,
  type RedisAddress,
  type RedisUrl,
  usualPort,
  usualSentinelPort,
} from './redis-address.ts';
import type { ServerAccess, WayToServer } from './server-access.ts';
import { flag, integer, parsedBy, pem, port, secretText, text } from './variable-kinds.ts';

/** The way to Redis. */
export const redisVariables = v.object({
  REDIS_URL: v.optional(parsedBy(parseRedisUrl)),
  REDIS_HOST: v.optional(parsedBy(parseRedisHosts), 'localhost'),
  REDIS_PORT: v.optional(port, '6379'),
  REDIS_USERNAME: v.optional(secretText),
  REDIS_PASSWORD: v.optional(secretText),
  REDIS_DB: v.optional(integer(0, 1_000_000), '0'),
  REDIS_TLS: v.optional(flag),
  REDIS_TLS_CA: v.optional(pem),
  REDIS_TLS_CERT: v.optional(pem),
  REDIS_TLS_KEY: v.optional(pem),
  REDIS_SENTINELS: v.optional(parsedBy(parseSentinels)),
  REDIS_SENTINEL_NAME: v.optional(text, 'mymaster'),
  REDIS_SENTINEL_PASSWORD: v.optional(secretText),
  REDIS_CLUSTER: v.optional(flag, 'false'),
});
type RedisVariables = v.InferOutput<typeof redisVariables>;

export function redisAddressOf(env: RedisVariables): RedisAddress {
  const tls: TlsFiles = { ca: env.REDIS_TLS_CA, cert: env.REDIS_TLS_CERT, key: env.REDIS_TLS_KEY };
  const given: RedisUrl = env.REDIS_URL ?? {
    hosts: env.REDIS_HOST,
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

/** To Redis, and to the Sentinels that say where it is. */
export function wayToRedis(env: RedisVariables): WayToServer {
  const address = redisAddressOf(env);
  const { kind, nodes, encrypted } = address;
  const hosts = nodes.map(({ host }) => host);
  const redis: ServerAccess = {
    server: 'redis',
    label: 'Redis',
    // Where it is the Sentinels say.
    hosts: kind === 'sentinel' ? [] : hosts,
    user: address.username,
    password: address.password,
    // Where a certificate is given, the server asks for it.
    openWithoutPassword: address.tls.cert === undefined,
    variable: env.REDIS_URL ? 'REDIS_URL' : 'REDIS_PASSWORD',
    encrypted,
  };
  const sentinels: ServerAccess = {
    server: 'redis',
    label: 'Redis Sentinel',
    hosts,
    user: undefined,
    password: address.sentinelPassword,
    // As usual: they keep nothing, and stand in a network of Redis's own.
    openWithoutPassword: false,
    variable: 'REDIS_SENTINEL_PASSWORD',
    encrypted,
  };
  return {
    problems: problemsOf(env, address),
    accesses: kind === 'sentinel' ? [redis, sentinels] : [redis],
  };
}

/** What does not go together. */
function problemsOf(env: RedisVariables, address: RedisAddress): string[] {
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
