import type { Hono } from 'hono';
import { createAccounts, createAuthentication } from '../auth/auth.ts';
import { createSendMessage } from '../chat/send-message.ts';
import type { Adapters } from '../shared/adapters.ts';
import { createAllowedOrigin } from '../shared/origins.ts';
import type { ProcessParts } from '../shared/run-process.ts';
import { createApi } from './app.ts';
import { createChatRoutes } from './chat-routes.ts';
import type { ApiEnv } from './env.ts';
import { readinessOf } from './readiness.ts';

/** The api on these adapters. */
export async function assembleApi(
  { config, log }: Pick<ProcessParts, 'config' | 'log'>,
  adapters: Adapters,
): Promise<Hono<ApiEnv>> {
  const database = await adapters.database();
  const [facts, rateLimits, presence, notifier, sendQueue] = await Promise.all([
    adapters.facts(),
    adapters.rateLimits(),
    adapters.presence(),
    adapters.notifier(),
    adapters.sendQueue(),
  ]);
  const { verify, admit, ownTokens } = await createAuthentication({ config: config.auth, database, facts });
  const { refreshTtlSeconds, issuer, serviceToken } = config.auth;

  const { partitionCount } = adapters;
  const sendMessage = createSendMessage({ database, facts, sendQueue, partitionCount });

  return createApi({
    config: { issuer, serviceToken, trustProxy: config.trustProxy },
    database,
    rateLimits,
    verify,
    admit,
    accounts:
      ownTokens &&
      createAccounts({ ownTokens, refreshTtlSeconds, database, facts, notifier, rateLimits, log }),
    chatRoutes: createChatRoutes({ database, facts, rateLimits, presence, notifier, sendMessage, log }),
    sendMessage,
    allowedOrigin: createAllowedOrigin(config),
    dependencies: readinessOf({
      database,
      // Without the broker nothing can be sent; logging in and reading go on.
      queue: { required: false, check: () => sendQueue.ready() },
      hints: adapters.hintsReady,
    }),
    log,
  });
}
