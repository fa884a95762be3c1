import { createEmbeddedPresence } from '../../src/adapters/embedded/presence.ts';
import { createEmbeddedQueue } from '../../src/adapters/embedded/queue.ts';
import { createApi } from '../../src/api/app.ts';
import { createChatRoutes } from '../../src/api/chat-routes.ts';
import { createAccounts } from '../../src/auth/auth.ts';
import { createAdmit } from '../../src/auth/authenticate.ts';
import { createOwnTokens } from '../../src/auth/tokens.ts';
import { createSendMessage } from '../../src/chat/send-message.ts';
import type { Database } from '../../src/db/database.ts';
import { sessions, users } from '../../src/db/schema.ts';
import { parseConfig } from '../../src/shared/config.ts';
import type { Chat, SendEnvelope } from '../../src/shared/contract.ts';
import type { EnvelopeVersion } from '../../src/shared/envelope-codec.ts';
import { ChatError } from '../../src/shared/errors.ts';
import { newId } from '../../src/shared/ids.ts';
import { createLog } from '../../src/shared/log.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import type { Facts, RateLimits } from '../../src/shared/ports/admission.ts';
import type { Notification, Notifier } from '../../src/shared/ports/notifications.ts';
import type { Presence } from '../../src/shared/ports/presence.ts';
import type { SendQueue } from '../../src/shared/ports/queue.ts';
import { unlimited } from '../../src/shared/rate-limits.ts';
import { startWorker } from '../../src/worker/worker.ts';
import { type AskedApp, asked as askedApp } from './asked.ts';
import { eventually } from './eventually.ts';
import { testEnvelopes, testMembership } from './queue-parts.ts';

export interface TestUser {
  id: string;
  sessionId: string;
  token: string;
}

export interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: what the test expects of it is checked by `expect`
  body: any;
}

/** The api with its chats, and a worker that stores what is sent; requests never touch a socket. */
export interface ChatApi {
  app: AskedApp;
  database: Database;
  facts: Facts;
  presence: Presence;
  /** What the api announced, oldest first; take it with `splice`. */
  announced: Notification[];
  /** Set to make the notifier, or the queue, fail. */
  /** `silent`: what is sent is never confirmed. */
  faults: {
    notifier?: Error | undefined;
    sendQueue?: Error | 'silent' | undefined;
    /** For which statements of the api PostgreSQL is away. */
    database?: (text: string) => boolean;
  };
  /** What all processes know: versions of envelopes, kinds of changes. */
  known: { version: EnvelopeVersion; loads: (event: string) => boolean };
  /** What the api has put into the queue, oldest first. */
  sent: SendEnvelope[];
  /** The statements that it has asked the database by `query`, oldest first. */
  asked: string[];
  newUser(displayName?: string): Promise<TestUser>;
  newUsers(count: number): Promise<TestUser[]>;
  call(
    user: Pick<TestUser, 'token'> | undefined,
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer>;
  newGroup(owner: TestUser, ...others: TestUser[]): Promise<Chat>;
  send(user: TestUser, chatId: string, content: string, clientMessageId?: string): Promise<Answer>;
  /** Waits until the worker has stored the chat's first `count` messages. */
  stored(chatId: string, count: number): Promise<void>;
  close(): Promise<void>;
}

const partitionCount = 2;

/** Of the host's own backend, where it is among `serviceTokens`. */
export const serviceToken = 'the token of a backend that acts as others';

/** @param parts.database migrated; closed by who opened it */
export async function openChatApi(parts: {
  database: Database;
  facts: Facts;
  /** For the api alone: a database that fails. */
  apiDatabase?: Database;
  deadlineMs?: number;
  rateLimits?: RateLimits;
  serviceTokens?: readonly string[];
  editWindowSeconds?: number;
  maxParticipants?: number;
}): Promise<ChatApi> {
  const { database, facts } = parts;
  const faults: ChatApi['faults'] = {};
  const asked: string[] = [];
  const given = parts.apiDatabase ?? database;
  const query: Database['query'] = async (text, parameters) => {
    asked.push(text);
    if (faults.database?.(text)) throw new ChatError('database_unavailable');
    return given.query(text, parameters);
  };
  // What else it is may change while a test goes on.
  const apiDatabase: Database = Object.create(given, { query: { value: query } });
  const log = createLog({ logLevel: 'silent' }, 'test');
  const presence = createEmbeddedPresence();
  const queue = createEmbeddedQueue({ database, log });
  const embeddedSends = await queue.sendQueue();
  const announced: Notification[] = [];
  const sent: SendEnvelope[] = [];
  const known: ChatApi['known'] = { version: 3, loads: () => true };

  const notifier: Notifier = {
    async publish(notifications) {
      if (faults.notifier) throw faults.notifier;
      announced.push(...notifications);
    },
  };
  const sendQueue: SendQueue = {
    ready: () => embeddedSends.ready(),
    problems: () => embeddedSends.problems(),
    async publish(message) {
      if (faults.sendQueue === 'silent') return new Promise(() => {});
      if (faults.sendQueue) throw faults.sendQueue;
      sent.push(JSON.parse(message.body));
      await embeddedSends.publish(message);
    },
  };
  const worker = await startWorker({
    metrics: createMetrics(),
    database,
    partitionSource: await queue.partitionSource(),
    deadLetterSink: await queue.deadLetterSink(),
    notifier: { publish: async () => {} },
    membership: testMembership(),
    envelopes: testEnvelopes,
    config: { enabled: true, batchSize: 128, bufferedBatches: 1, maxRetries: 5, partitionCount },
    log,
  });
  const tokens = await createOwnTokens({
    secret: 'a secret of this test, longer than 32 bytes',
    issuer: 'confab',
    audience: 'confab',
    accessTtlSeconds: 900,
  });
  const sendMessage = createSendMessage({
    ...{ database: apiDatabase, facts, sendQueue, partitionCount },
    envelopes: testEnvelopes,
    envelopeVersion: () => known.version,
  });
  const api = createApi({
    config: {
      issuer: 'confab',
      serviceTokens: parts.serviceTokens ?? [],
      sessionMaxTtlSeconds: 900,
      trustProxy: false,
      liveMax: 100,
    },
    database: apiDatabase,
    rateLimits: parts.rateLimits ?? unlimited,
    notifier,
    verify: tokens.verify,
    admit: createAdmit({ database: apiDatabase, facts }),
    accounts: createAccounts({
      metrics: createMetrics(),
      authentication: { ownTokens: tokens, outside: true },
      ...{ database: apiDatabase, facts, notifier, rateLimits: unlimited, log },
      accountKey: '',
      config: parseConfig({}).auth,
      limits: parseConfig({}).rateLimits,
    }),
    chatRoutes: createChatRoutes({
      database: apiDatabase,
      facts,
      presence,
      notifier,
      sendMessage,
      liveMax: 100,
      maxParticipants: parts.maxParticipants ?? 10_000,
      editWindowSeconds: parts.editWindowSeconds,
      log,
    }),
    everyoneLoads: (event) => known.loads(event),
    allowedOrigin: () => true,
    readiness: { dependencies: [], leaving: () => false },
    log,
    ...(parts.deadlineMs === undefined ? {} : { deadlineMs: parts.deadlineMs }),
  });
  const app = askedApp(api);

  async function newUsers(count: number, displayName?: string): Promise<TestUser[]> {
    const made = await Promise.all(
      Array.from({ length: count }, async () => {
        const [id, sessionId] = [newId(), newId()];
        return { id, sessionId, token: await tokens.sign({ userId: id, sessionId }) };
      }),
    );
    const expiresAt = new Date(Date.now() + 3_600_000);
    await database.orm
      .insert(users)
      .values(made.map(({ id }, at) => ({ id, displayName: displayName ?? `User ${at}` })));
    await database.orm
      .insert(sessions)
      .values(made.map(({ id, sessionId }) => ({ id: sessionId, userId: id, expiresAt })));
    return made;
  }

  async function call(
    user: Pick<TestUser, 'token'> | undefined,
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const response = await app.request(path, {
      method,
      headers: {
        ...headers,
        ...(user ? { authorization: `Bearer ${user.token}` } : {}),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        // As every client states it; a `Request` made here has none by itself.
        ...(text === undefined ? {} : { 'content-length': String(Buffer.byteLength(text)) }),
      },
      ...(text === undefined ? {} : { body: text }),
    });
    const answer = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: answer === '' ? undefined : JSON.parse(answer),
    };
  }

  return {
    app,
    database,
    facts,
    presence,
    announced,
    faults,
    known,
    sent,
    asked,
    newUsers: (count) => newUsers(count),
    async newUser(displayName) {
      const [user] = await newUsers(1, displayName);
      return user!;
    },
    call,
    async newGroup(owner, ...others) {
      const { status, body } = await call(owner, 'POST', '/chats', {
        participantUserIds: others.map(({ id }) => id),
        isGroup: true,
      });
      if (status !== 201) throw new Error(`a group was not made: ${JSON.stringify(body)}`);
      return body;
    },
    send: (user, chatId, content, clientMessageId) =>
      call(user, 'POST', `/chats/${chatId}/messages`, {
        content,
        ...(clientMessageId === undefined ? {} : { clientMessageId }),
      }),
    async stored(chatId, count) {
      await eventually(`${count} messages are stored`, async () => {
        const [chat] = await database.query<{ sequence: number }>(
          'SELECT last_sequence AS sequence FROM chats WHERE id = $1::uuid',
          [chatId],
        );
        return (chat?.sequence ?? 0) >= count;
      });
    },
    async close() {
      await worker.stop();
      await queue.close();
    },
  };
}
