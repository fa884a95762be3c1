import { type AuthConfig, type Config, isOutside } from '../shared/config.ts';
import { newId } from '../shared/ids.ts';
import type { Aspect, Fingerprints, Role } from '../shared/ports/registry.ts';
import { createSigner } from '../shared/signature.ts';
import type { RedisClient } from './redis/client.ts';

/** Enough to tell two values apart; too little to find a secret by trying. */
const characters = 8;

/**
 * What this process must have in common with the others, as digests that only those can compare who have the key.
 * @param dependencies.broker the name of the broker connected to; undefined while there is none
 * @param dependencies.mark what is the same for all that stand on the same Redis
 */
export function createFingerprints(dependencies: {
  key: string;
  config: Pick<Config, 'notificationChannel' | 'partitionCount' | 'broker' | 'auth'>;
  broker: () => string | undefined;
  mark: () => Promise<string | undefined>;
}): (roles: readonly Role[]) => Promise<Fingerprints> {
  const { config, broker, mark } = dependencies;
  const sign = createSigner(dependencies.key);

  return async (roles) => {
    const queues = roles.includes('api') || roles.includes('worker');
    const tokens = roles.includes('api') || roles.includes('gateway');
    const brokerName = queues ? broker() : undefined;
    const values: Partial<Record<Aspect, string | undefined>> = {
      notifications: config.notificationChannel,
      redis: await mark(),
      broker: brokerName && JSON.stringify([brokerName, namesOf(config)]),
      partitions: queues ? String(config.partitionCount) : undefined,
      tokenKey: tokens ? keyOf(config.auth) : undefined,
      madeTokens: tokens && isOutside(config.auth) ? config.auth.secret : undefined,
      tokenClaims: tokens ? JSON.stringify([config.auth.issuer, config.auth.audience]) : undefined,
    };
    const told = Object.entries(values).filter(([, value]) => value !== undefined);
    return Object.fromEntries(
      told.map(([aspect, value]) => [aspect, sign(`fingerprint ${aspect}\n${value}`).slice(0, characters)]),
    );
  };
}

/** By what it is reached, and as whom, may differ. */
function namesOf({ broker }: Pick<Config, 'broker'>) {
  const { vhost, exchange, deadLetterExchange, queuePrefix, deadLetterQueue } = broker;
  return [vhost, { exchange, deadLetterExchange, queuePrefix, deadLetterQueue }];
}

/** In the order in which `createAuthentication` asks. */
const keyOf = ({ publicKey, jwksUrl, secret }: AuthConfig): string | undefined =>
  // One key may be written with any ends of lines.
  publicKey?.replace(/\s+/g, '') ?? jwksUrl ?? secret;

/** Whoever finds none leaves one; a Redis that is away, or takes no writes and has none, says nothing. */
export async function redisMark(client: RedisClient, prefix: string): Promise<string | undefined> {
  const key = `${prefix}:mark`;
  try {
    const found = await client.get(key);
    if (found !== null) return found;
    await client.set(key, newId(), 'NX');
    return (await client.get(key)) ?? undefined;
  } catch {
    return undefined;
  }
}
