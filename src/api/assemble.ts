import type { Adapters } from '../adapters/ground.ts';
import { createAccounts, createAuthentication } from '../auth/auth.ts';
import { createSendMessage } from '../chat/send-message.ts';
import { accountKey, envelopeKey } from '../db/settings.ts';
import type { HttpApp } from '../process/http/http-app.ts';
import { type MetricsPage, pageOfSeveral } from '../process/http/metrics-route.ts';
import { readinessOf } from '../process/readiness.ts';
import type { ProcessParts } from '../process/run-process.ts';
import { createEnvelopeCodec } from '../shared/envelope-codec.ts';
import { createAllowedOrigin } from '../shared/origins.ts';
import { createApi } from './app.ts';
import { createChatRoutes } from './chat-routes.ts';

interface ApiOptions {
  webClient?: boolean;
  page?: MetricsPage;
}

/** The api on these adapters; registers its end. */
export async function assembleApi(
  { config, log, lifecycle, metrics }: ProcessParts,
  adapters: Adapters,
  { webClient = config.webClient ?? false, page = pageOfSeveral(metrics, config) }: ApiOptions = {},
): Promise<HttpApp> {
  const database = await adapters.database();
  const [facts, rateLimits, presence, notifier, sendQueue, membership] = await Promise.all([
    adapters.facts(),
    adapters.rateLimits(),
    adapters.presence(),
    adapters.notifier(),
    adapters.sendQueue(),
    adapters.membership(),
  ]);
  const authentication = await createAuthentication({
    config: config.auth,
    database,
    facts,
    log,
  });

  // Where the api consumes as well.
  const consumed = config.worker.enabled ? await adapters.partitionSource() : undefined;
  const { partitionCount } = adapters;
  const envelopes = createEnvelopeCodec(await envelopeKey(database));
  const { envelopeVersion, everyoneLoads } = membership;
  const sendMessage = createSendMessage({
    ...{ database, facts, sendQueue, envelopes, envelopeVersion, partitionCount },
  });
  const seat = await membership.join('api');
  lifecycle.defer("the api's place among the processes", seat.leave);

  return createApi({
    config: {
      ...{ ...config.auth, trustProxy: config.trustProxy, liveMax: config.liveMax, webClient },
      secondPerson: config.environment !== 'production',
    },
    database,
    rateLimits,
    notifier,
    ...authentication,
    accounts: createAccounts({
      ...{ authentication, database, facts, notifier, rateLimits, metrics, log },
      accountKey: await accountKey(database),
      config: config.auth,
      limits: config.rateLimits,
    }),
    chatRoutes: createChatRoutes({
      ...{ database, facts, presence, notifier, sendMessage, log },
      liveMax: config.liveMax,
      maxParticipants: config.maxParticipants,
      editWindowSeconds: config.messageEditWindowSeconds,
    }),
    allowedOrigin: createAllowedOrigin(config),
    everyoneLoads,
    readiness: readinessOf({
      database,
      queue: {
        ...{ own: false, check: sendQueue.ready, figures: consumed?.depth },
        problems: () => [...sendQueue.problems(), ...(consumed?.problems() ?? [])],
      },
      hints: adapters.hintsReady,
      peers: adapters.peersAgree,
      leaving: lifecycle.leaving,
    }),
    ...{ page, log },
  });
}
