import { createAuthentication } from '../auth/auth.ts';
import type { Adapters } from '../shared/adapters.ts';
import { createAllowedOrigin } from '../shared/origins.ts';
import type { ProcessParts } from '../shared/run-process.ts';
import { createGateway, type Gateway } from './server.ts';

/** The gateway on these adapters. */
export async function assembleGateway(
  { config, log }: Pick<ProcessParts, 'config' | 'log'>,
  adapters: Adapters,
): Promise<Gateway> {
  const database = await adapters.database();
  const [facts, rateLimits, presence, subscriber] = await Promise.all([
    adapters.facts(),
    adapters.rateLimits(),
    adapters.presence(),
    adapters.subscriber(),
  ]);
  const { verify } = await createAuthentication({ config: config.auth, database, facts });
  return createGateway({
    verifyToken: verify,
    database,
    subscriber,
    presence,
    rateLimits,
    maxSocketsPerUser: config.maxSocketsPerUser,
    allowedOrigin: createAllowedOrigin(config),
    trustProxy: config.trustProxy,
    log,
  });
}
