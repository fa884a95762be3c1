import type { RestClient } from './client.ts';
import type { Progress } from './steps.ts';

/** What to look at after a failure, in the order of the setup guide's troubleshooting. */
export async function advice(api: RestClient, socketUrl: string, progress: Progress): Promise<string[]> {
  const ready = await api.get('/readyz').catch(() => undefined);
  const dependencies: Record<string, string> = ready?.body?.dependencies ?? {};
  const seen = ready?.body?.dependencies !== undefined;
  return [
    await aboutApi(api),
    'Is the worker running? Not to be seen from here: curl http://<worker>:3002/readyz; it starts with `bun run worker`',
    seen
      ? `Are the servers healthy? ${Object.entries(dependencies)
          .map(([name, state]) => `${name} is ${state}`)
          .join(', ')}`
      : 'Are Redis and RabbitMQ healthy? Not to be seen from here: curl http://<api>:3000/readyz',
    await aboutSocket(socketUrl),
    progress.a
      ? 'Are the access tokens valid? A and B are logged in with them'
      : 'Are the access tokens valid? They come from POST /auth/login, and expire',
    ...(progress.further ? afterSixSteps : progress.accepted ? await afterAcceptance(api, progress) : []),
  ];
}

const afterSixSteps = [
  'Messages come through. Are all processes of one version? Until they are, some of this is answered 503 not_ready',
  'Are receipts and edits let through? There are none with CHAT_LIVE_MAX below 2, or with a MESSAGE_EDIT_WINDOW of a moment',
  'Is SERVICE_TOKEN one of the api’s, and --api its own address? No proxy lets the backend in; without SERVICE_TOKEN its step is left out',
];

async function aboutApi(api: RestClient): Promise<string> {
  const question = `Is the api running, and reachable at ${api.url}?`;
  const answer = await api.get('/auth/me').catch(() => undefined);
  if (answer === undefined)
    return `${question} Nothing answers there: start it with \`bun run api\`, or \`bun run dev\``;
  if (answer.body?.code === 'token_missing') return `${question} Yes, it answers`;
  return `${question} What answers there (${answer.status}) is not Confab: look at the route of /auth`;
}

async function aboutSocket(socketUrl: string): Promise<string> {
  const question = `Do clients connect to ${socketUrl}/chat?`;
  if (await answersSocketIo(socketUrl)) return `${question} A gateway answers there`;
  return `${question} No gateway answers at ${socketUrl}/socket.io/: without Kong it is on port 3001 (--socket http://localhost:3001)`;
}

async function afterAcceptance(api: RestClient, { a, chatId, accepted }: Progress): Promise<string[]> {
  const stored = await api
    .get(`/chats/${chatId}/messages/${accepted?.brokerMessageId}`, a?.token)
    .catch(() => undefined);
  if (stored?.status !== 200) {
    return [
      "The message is accepted and not stored: look for errors in the worker's log, and for a dead letter: bun run dlq list",
    ];
  }
  return [
    'The message is stored and was not delivered: CHAT_NOTIFICATION_CHANNEL must be the same in worker and gateway, and so must Redis',
    'Events go to sockets that are connected: who was offline reads GET /chats/:chatId/messages',
  ];
}

/** Whether an Engine.IO handshake is answered there. */
export async function answersSocketIo(url: string): Promise<boolean> {
  const signal = AbortSignal.timeout(3_000);
  const response = await fetch(`${url}/socket.io/?EIO=4&transport=polling`, { signal }).catch(
    () => undefined,
  );
  return response?.status === 200 && (await response.text()).startsWith('0{');
}
