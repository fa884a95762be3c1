import type { Adapters } from '../adapters/ground.ts';
import { createAuthentication } from '../auth/auth.ts';
import type { ProcessParts } from '../process/run-process.ts';
import { createAllowedOrigin } from '../shared/origins.ts';
import { createGateway, type Gateway } from './server.ts';

/** The gateway on these adapters; registers its leaving, not its end. */
export async function assembleGateway(
  { config, log, lifecycle, metrics }: ProcessParts,
  adapters: Adapters,
): Promise<Gateway> {
  const database = await adapters.database();
  const [facts, rateLimits, presence, subscriber, notifier, membership] = await Promise.all([
    adapters.facts(),
    adapters.rateLimits(),
    adapters.presence(),
    adapters.subscriber(),
    adapters.notifier(),
    adapters.membership(),
  ]);
  const seat = await membership.join('gateway');
  lifecycle.defer("the gateway's place among the processes", seat.leave);
  const { verify } = await createAuthentication({ config: config.auth, database, facts, log });
  return createGateway({
    verifyToken: verify,
    database,
    subscriber,
    notifier,
    presence,
    rateLimits,
    maxSocketsPerUser: config.maxSocketsPerUser,
    allowedOrigin: createAllowedOrigin(config),
    trustProxy: config.trustProxy,
    ...{ metrics, log },
  });
}
