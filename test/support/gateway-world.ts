import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import { createEmbeddedPresence } from '../../src/adapters/embedded/presence.ts';
import { createOwnTokens } from '../../src/auth/tokens.ts';
import { createUpdateMe, type UpdateMeInput } from '../../src/auth/update-me.ts';
import { changeNotification, createAnnounce } from '../../src/changes/announce.ts';
import { newMessage } from '../../src/changes/new-message.ts';
import { createAddParticipants } from '../../src/chat/add-participants.ts';
import { type ChangeMembership, createChangeMembership } from '../../src/chat/change-membership.ts';
import { createCreateChat } from '../../src/chat/create-chat.ts';
import { createDeleteChat } from '../../src/chat/delete-chat.ts';
import { createDeleteMessage } from '../../src/chat/delete-message.ts';
import { createEditMessage } from '../../src/chat/edit-message.ts';
import { createGatherReactions } from '../../src/chat/gather-reactions.ts';
import { createGetChat } from '../../src/chat/get-chat.ts';
import { createRemoveParticipant } from '../../src/chat/remove-participant.ts';
import { createSetRole } from '../../src/chat/set-role.ts';
import { createSetTyping } from '../../src/chat/set-typing.ts';
import { createUpdateChat } from '../../src/chat/update-chat.ts';
import type { Database } from '../../src/db/database.ts';
import { storeMessages } from '../../src/db/queries/store-messages.ts';
import { sessions, users } from '../../src/db/schema.ts';
import { createGateway, type Gateway, type GatewayOptions } from '../../src/gateway/server.ts';
import type {
  Chat,
  ChatUpdate,
  Membership,
  Message,
  MessageEdit,
  MessageReactions,
  ParticipantRole,
  ServerToClientEvents,
  User,
} from '../../src/shared/contract.ts';
import { asRequest } from '../../src/shared/current-request.ts';
import { deriveBrokerMessageId, newId } from '../../src/shared/ids.ts';
import { createLog } from '../../src/shared/log.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import type { Facts } from '../../src/shared/ports/admission.ts';
import type { Notification, Notifier, Subscriber } from '../../src/shared/ports/notifications.ts';
import type { Presence } from '../../src/shared/ports/presence.ts';
import { unlimited } from '../../src/shared/rate-limits.ts';
import { eventually } from './eventually.ts';

const log = createLog({ logLevel: 'silent' }, 'test');
const tokenOptions = {
  secret: 'a secret of this test, longer than 32 bytes',
  issuer: 'confab',
  audience: 'confab',
};

export interface WorldUser {
  id: string;
  sessionId: string;
  token: string;
}

export interface WorldParts {
  /** Migrated; closed by who opened it. */
  database: Database;
  facts: Facts;
  notifier: Notifier;
}

/** What surrounds a gateway: the verbs of the api, and a worker's storing and announcing in one call. */
export interface World {
  readonly notifier: Notifier;
  newUsers(count: number): Promise<WorldUser[]>;
  tokenFor(user: WorldUser, ttlSeconds: number): Promise<string>;
  newGroup(...participants: WorldUser[]): Promise<Chat>;
  /** Many at once, with no announcement; each participant has the number 1. @returns their ids */
  insertGroups(groups: readonly (readonly WorldUser[])[]): Promise<string[]>;
  add(actor: WorldUser, chatId: string, ...users: WorldUser[]): Promise<void>;
  /** The same with every announcement lost. */
  addSilently(actor: WorldUser, chatId: string, ...users: WorldUser[]): Promise<void>;
  remove(actor: WorldUser, chatId: string, user: WorldUser, options?: { silent?: boolean }): Promise<void>;
  /** Stored and announced; `silent` stores and announces nothing, as when Redis loses it. */
  send(sender: WorldUser, chatId: string, content: string, options?: { silent?: boolean }): Promise<Sent>;
  /** What one does to one's own memberships. */
  readonly own: ChangeMembership;
  /** The same with every announcement lost. */
  readonly ownSilently: ChangeMembership;
  updateMe(input: Omit<UpdateMeInput, 'limits'>): Promise<User>;
  /** Whether the user types, as the api is told it, with nothing known of admission. */
  type(user: WorldUser, chatId: string, typing: boolean): Promise<void>;
  newDirect(one: WorldUser, other: WorldUser): Promise<Chat>;
  edit(
    sender: WorldUser,
    message: Message,
    edit: string | MessageEdit,
    options?: { silent?: boolean },
  ): Promise<Message>;
  delete(actor: WorldUser, message: Message, options?: { silent?: boolean }): Promise<void>;
  update(
    actor: WorldUser,
    chatId: string,
    changes: ChatUpdate,
    options?: { silent?: boolean },
  ): Promise<Chat>;
  setRole(actor: WorldUser, chatId: string, user: WorldUser, role: ParticipantRole): Promise<void>;
  endChat(actor: WorldUser, chatId: string, options?: { silent?: boolean }): Promise<void>;
  /** As of two apis: of one of them every announcement is lost. */
  react(
    user: WorldUser,
    message: Message,
    key: string,
    options?: { present?: boolean; silent?: boolean },
  ): Promise<MessageReactions>;
  endSession(user: WorldUser, options?: { silent?: boolean }): Promise<void>;
}

export interface Sent {
  notification: Notification;
  eventSequence: number;
  message: Message;
}

export async function createWorld({ database, facts, notifier }: WorldParts): Promise<World> {
  const presence = createEmbeddedPresence();
  const announce = createAnnounce(notifier, log);
  const audit = () => {};
  const maxParticipants = 10_000;
  const getChat = createGetChat({ database, presence });
  const createChat = createCreateChat({ database, getChat, announce, maxParticipants });
  const addParticipants = createAddParticipants({ database, facts, presence, announce, maxParticipants });
  const removeParticipant = createRemoveParticipant({ database, facts, announce });
  const updateChat = createUpdateChat({ database, getChat, announce });
  const setRole = createSetRole({ database, facts, presence, announce });
  const deleteChat = createDeleteChat({ database, facts, announce });
  const unannounced = { database, facts, presence, getChat, announce: async () => {}, maxParticipants };
  const silently = {
    add: createAddParticipants(unannounced),
    remove: createRemoveParticipant(unannounced),
    update: createUpdateChat(unannounced),
    endChat: createDeleteChat(unannounced),
    edit: createEditMessage({ ...unannounced, windowSeconds: undefined }),
    delete: createDeleteMessage(unannounced),
  };
  const setTyping = createSetTyping({ database, facts, announce, liveMax: 100 });
  const react = createGatherReactions({ database, announce, liveMax: 100 });
  const reactSilently = createGatherReactions({ ...unannounced, liveMax: 100 });
  const editMessage = createEditMessage({ database, announce, windowSeconds: undefined });
  const deleteMessage = createDeleteMessage({ database, announce });
  const tokenFor = async ({ id, sessionId }: Omit<WorldUser, 'token'>, accessTtlSeconds: number) =>
    (await createOwnTokens({ ...tokenOptions, accessTtlSeconds })).sign({ userId: id, sessionId });
  const updateMe = createUpdateMe({ database, announce, liveMax: 100 });

  return {
    notifier,
    tokenFor,
    own: createChangeMembership({ database, announce, liveMax: 100 }),
    ownSilently: createChangeMembership({ ...unannounced, liveMax: 100 }),
    updateMe: (input) => updateMe({ ...input, limits: unlimited }),
    type: ({ id }, chatId, typing) => setTyping({ chatId, userId: id, typing, facts: [] }),
    async newDirect({ id }, other) {
      const input = { creatorId: id, participantUserIds: [other.id], audit };
      return (await asRequest(() => createChat(input))).chat;
    },

    async newUsers(count) {
      const made = await Promise.all(
        Array.from({ length: count }, async () => {
          const user = { id: newId(), sessionId: newId() };
          return { ...user, token: await tokenFor(user, 900) };
        }),
      );
      const expiresAt = new Date(Date.now() + 3_600_000);
      await database.orm.insert(users).values(made.map(({ id }, at) => ({ id, displayName: `User ${at}` })));
      await database.orm
        .insert(sessions)
        .values(made.map(({ id, sessionId }) => ({ id: sessionId, userId: id, expiresAt })));
      return made;
    },

    async newGroup(owner, ...others) {
      const input = {
        creatorId: owner!.id,
        participantUserIds: others.map(({ id }) => id),
        name: 'A group',
        isGroup: true,
        audit,
      };
      return (await asRequest(() => createChat(input))).chat;
    },

    async insertGroups(groups) {
      const made = groups.map((members) => ({ id: newId(), members }));
      // As few at a time as are done within the time that a statement may take, however busy the machine is.
      for (let from = 0; from < made.length; from += 500) {
        const some = made.slice(from, from + 500);
        const pairs = some.flatMap(({ id, members }) => members.map((member) => [id, member.id] as const));
        await database.query(
          `WITH made AS (
            INSERT INTO chats (id, is_group, name, last_event_sequence)
            SELECT id, true, 'A group', 1 FROM unnest($1::uuid[]) AS new (id)
            RETURNING id
          )
          INSERT INTO chat_participants (chat_id, user_id, role, created_event_sequence, changed_event_sequence)
          SELECT made.id, w.user_id, 'owner', 1, 1
          FROM made JOIN unnest($2::uuid[], $3::uuid[]) AS w (chat_id, user_id) ON w.chat_id = made.id`,
          [some.map(({ id }) => id), pairs.map(([chatId]) => chatId), pairs.map(([, userId]) => userId)],
        );
      }
      return made.map(({ id }) => id);
    },

    async add(actor, chatId, ...added) {
      const userIds = added.map(({ id }) => id);
      await asRequest(() => addParticipants({ chatId, actorId: actor.id, userIds, audit }));
    },

    async addSilently(actor, chatId, ...added) {
      const userIds = added.map(({ id }) => id);
      await asRequest(() => silently.add({ chatId, actorId: actor.id, userIds, audit }));
    },

    async remove(actor, chatId, user, { silent = false } = {}) {
      const remove = silent ? silently.remove : removeParticipant;
      await asRequest(() => remove({ chatId, actorId: actor.id, userId: user.id, audit }));
    },

    async send(sender, chatId, content, { silent = false } = {}) {
      const clientMessageId = crypto.randomUUID();
      const id = deriveBrokerMessageId(chatId, sender.id, clientMessageId);
      const sentAt = new Date().toISOString();
      const [outcome] = await storeMessages(database, [
        { brokerMessageId: id, chatId, senderId: sender.id, clientMessageId, content, sentAt },
      ]);
      if (outcome?.outcome !== 'stored') throw new Error(`not stored: ${outcome?.outcome}`);
      const { sequence, eventSequence } = outcome;
      const message: Message = {
        id,
        chatId,
        senderId: sender.id,
        content,
        messageType: 'text',
        status: 'sent',
        sequence,
        sentAt,
        clientMessageId,
      };
      const told = newMessage.tell({ chatId, eventSequence }, [message]);
      const notification = changeNotification(told);
      if (!silent) await notifier.publish([notification]);
      return { notification, eventSequence, message };
    },

    edit(sender, { chatId, id }, given, { silent = false } = {}) {
      const edit = typeof given === 'string' ? { content: given } : given;
      const input = { chatId, messageId: id, actorId: sender.id, byService: false, edit };
      return silent ? silently.edit(input) : editMessage(input);
    },

    delete(actor, { chatId, id }, { silent = false } = {}) {
      const input = { chatId, messageId: id, actorId: actor.id };
      return silent ? silently.delete(input) : deleteMessage(input);
    },

    update(actor, chatId, changes, { silent = false } = {}) {
      const input = { chatId, actorId: actor.id, changes };
      return silent ? silently.update(input) : updateChat(input);
    },

    async setRole(actor, chatId, user, role) {
      await asRequest(() => setRole({ chatId, actorId: actor.id, userId: user.id, role, audit }));
    },

    async endChat(actor, chatId, { silent = false } = {}) {
      const end = silent ? silently.endChat : deleteChat;
      await asRequest(() => end({ chatId, actorId: actor.id, audit }));
    },

    react({ id: userId }, { chatId, id: messageId }, key, { present = true, silent = false } = {}) {
      return (silent ? reactSilently : react)({ chatId, messageId, userId, key, present });
    },

    async endSession({ id, sessionId }, { silent = false } = {}) {
      await database.query('UPDATE sessions SET revoked_at = now() WHERE id = $1::uuid', [sessionId]);
      await facts.revoke([`session:${sessionId}`]);
      if (silent) return;
      const head = { version: 1, kind: 'session.revoked', userId: id, sessionId } as const;
      await notifier.publish([{ topic: `user:${id}`, head, body: '' }]);
    },
  };
}

export interface GatewayBase {
  database: Database;
  facts: Facts;
  notifier: Notifier;
  /** One for each gateway. */
  ends: readonly { subscriber: Subscriber; presence: Presence }[];
}

/** The same database, and how often it was asked by `query`. */
export function counted(database: Database): { database: Database; queries: () => number } {
  let queries = 0;
  const query: Database['query'] = (text, parameters) => {
    queries += 1;
    return database.query(text, parameters);
  };
  return { database: { ...database, query }, queries: () => queries };
}

export interface RunningGateway {
  gateway: Gateway;
  /** It knows how many sockets and requests there are. */
  server: Bun.Server<never>;
  port: number;
  url: string;
  stop(): Promise<void>;
}

export async function startTestGateway(
  parts: { database: Database; facts: Facts; subscriber: Subscriber; presence: Presence } & Partial<
    Pick<
      GatewayOptions,
      | 'notifier'
      | 'allowedOrigin'
      | 'trustProxy'
      | 'log'
      | 'metrics'
      | 'rateLimits'
      | 'maxSocketsPerUser'
      | 'handshakeLimits'
      | 'verifyToken'
      | 'comparisonMs'
      | 'pingTimes'
      | 'presenceTimes'
    >
  >,
  at: { port: number } = { port: 0 },
): Promise<RunningGateway> {
  const { verify } = await createOwnTokens({ ...tokenOptions, accessTtlSeconds: 900 });
  const gateway = createGateway({
    metrics: createMetrics(),
    verifyToken: verify,
    allowedOrigin: () => true,
    trustProxy: false,
    rateLimits: unlimited,
    maxSocketsPerUser: 1_000,
    notifier: { publish: async () => {} },
    log,
    ...parts,
  });
  const server: Bun.Server<never> = Bun.serve({
    port: at.port,
    fetch: (request, bun) => gateway.fetch(request, bun),
    websocket: gateway.websocket as Bun.WebSocketHandler<never>,
    idleTimeout: gateway.idleTimeout,
  });
  const port = server.port ?? 0;
  return {
    gateway,
    server,
    port,
    url: `http://localhost:${port}`,
    async stop() {
      await gateway.drain(0);
      await server.stop(true);
    },
  };
}

export interface Seen {
  event: keyof ServerToClientEvents;
  // biome-ignore lint/suspicious/noExplicitAny: what the test expects of it is checked by `expect`
  payload: any;
}

export interface TestClient {
  socket: Socket;
  /** All events but `chat.ready` and `chat.membership`, oldest first. */
  seen: Seen[];
  /** What it was told that its user has read and set, oldest first. */
  memberships: Membership[];
  /** Of the last `chat.ready`. */
  readonly membershipVersion: number | undefined;
  /** Contents of the messages of this event, in order of arrival. */
  contents(event?: 'chat.message.new' | 'chat.message.saved'): string[];
  /** How often it has become ready. */
  readonly ready: number;
  disconnects: string[];
  // biome-ignore lint/suspicious/noExplicitAny: `data` is ours
  errors: any[];
  close(): void;
}

/** What a plain client may use, in its order; its default is polling, then an upgrade. */
export type Transport = 'polling' | 'websocket';

/** A plain client that records everything; it may never connect. */
export function openClient(
  url: string,
  token: string | undefined,
  options: Partial<ManagerOptions & SocketOptions> = {},
): TestClient {
  const socket = io(`${url}/chat`, {
    transports: ['websocket'],
    forceNew: true,
    reconnectionDelay: 20,
    reconnectionDelayMax: 100,
    ...(token === undefined ? {} : { auth: { token } }),
    ...options,
  });
  const seen: Seen[] = [];
  const disconnects: string[] = [];
  const errors: unknown[] = [];
  const memberships: Membership[] = [];
  let ready = 0;
  let membershipVersion: number | undefined;
  socket.onAny((event, payload) => {
    if (event === 'chat.ready') {
      ready += 1;
      membershipVersion = payload.membershipVersion;
    } else if (event === 'chat.membership') memberships.push(payload.membership);
    else seen.push({ event, payload });
  });
  socket.on('disconnect', (reason) => disconnects.push(reason));
  socket.on('connect_error', (error) => errors.push(error));
  return {
    socket,
    seen,
    memberships,
    get membershipVersion() {
      return membershipVersion;
    },
    contents: (event) =>
      seen
        .filter((one) => (event ? one.event === event : one.event.startsWith('chat.message.')))
        .map(({ payload }) => payload.message.content),
    get ready() {
      return ready;
    },
    disconnects,
    errors,
    close: () => socket.disconnect(),
  };
}

/** The same, ready. */
export async function connectClient(
  url: string,
  user: WorldUser,
  options?: Partial<ManagerOptions & SocketOptions>,
): Promise<TestClient> {
  const client = openClient(url, user.token, options);
  await eventually('the client is ready', () => client.ready > 0);
  return client;
}
