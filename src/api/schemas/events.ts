import * as v from 'valibot';
import { kinds } from '../../changes/kinds.ts';
import type {
  ChangeEvents,
  ConnectErrorData,
  ErrorCode,
  ServerToClientEvents,
  SocketAuth,
  UserEvent,
} from '../../shared/contract.ts';
import { errorTable } from '../../shared/errors.ts';
import { counter, id, isoInstant } from '../../shared/schemas.ts';
import { syncResetEvent } from './changes.ts';
import { chatSchema } from './chats.ts';
import { membershipSchema } from './memberships.ts';
import { userPresence } from './presence.ts';
import { userSchema } from './users.ts';

export type EventName = keyof ServerToClientEvents;
type Payload<Event extends EventName> = Parameters<ServerToClientEvents[Event]>[0];

const errorCode = v.picklist(Object.keys(errorTable) as ErrorCode[]);

/** Of what is not kept: the others are in the table of kinds. */
const passingPayloads: {
  readonly [Event in Exclude<EventName, keyof ChangeEvents>]: v.GenericSchema<Payload<Event>>;
} = {
  'chat.message.failed': v.object({
    chatId: id,
    clientMessageId: id,
    brokerMessageId: id,
    code: errorCode,
  }),
  'chat.created': v.object({ chat: chatSchema }),
  'chat.membership': v.object({ membership: membershipSchema }),
  'chat.read': v.object({
    chatId: id,
    reads: v.array(v.object({ userId: id, lastReadSequence: counter, readAt: isoInstant })),
  }),
  'chat.typing': v.object({
    chatId: id,
    userId: id,
    typing: v.boolean(),
    expiresInMs: v.number(),
  }),
  'chat.presence': v.object({
    chatId: id,
    ...userPresence.entries,
  }),
  'user.updated': v.object({ user: userSchema }) as v.GenericSchema<UserEvent>,
  'chat.sync.reset': syncResetEvent,
  'chat.ready': v.object({ membershipVersion: counter }),
};

/** What each is about, to whom it goes. */
const summaries: { readonly [Event in EventName]: string } = {
  'chat.message.new': 'A message, to everybody in the chat but its sender',
  'chat.message.saved': 'One’s own message is stored: to all of the sender’s sockets',
  'chat.message.updated': 'A message as it is after an edit, to everybody in the chat',
  'chat.message.deleted': 'What is left of a deleted message, to everybody in the chat',
  'chat.message.reactions': 'All reactions that a message has now, to everybody in the chat',
  'chat.message.failed': 'A message was refused after it had been accepted: to its sender, once',
  'chat.created': 'A chat that one is in now',
  'chat.participant.added': 'Somebody came, or has another role',
  'chat.participant.removed': 'Somebody takes part no more: to those who stay, and to them',
  'chat.updated': 'A chat’s settings as they are now, to everybody in it',
  'chat.membership': 'What one has read or set, to one’s own sockets',
  'chat.read': 'Who has read how far: a hint, in chats of at most CHAT_LIVE_MAX participants',
  'chat.typing':
    'Somebody else types, or does no more: a hint, in chats of at most CHAT_LIVE_MAX participants',
  'chat.presence': 'Whether the other one of a direct chat is online: a hint',
  'user.updated':
    'What a user has changed of themselves: to their own sockets, and to chats that are told such things',
  'chat.sync.reset':
    'Too much was missed to be told: read this chat by REST, or, without a chatId, the list of chats',
  'chat.ready': 'Everything missed has been sent: from here on all is live',
};

const payloads: { readonly [Event in EventName]: v.GenericSchema } = {
  ...(Object.fromEntries(Object.entries(kinds).map(([event, { payload }]) => [event, payload])) as Record<
    keyof ChangeEvents,
    v.GenericSchema
  >),
  ...passingPayloads,
};

/** Everything that a socket is told, by its name. */
export const events: readonly { name: string; summary: string; payload: v.GenericSchema }[] = Object.entries(
  summaries,
).map(([name, summary]) => ({ name, summary, payload: payloads[name as EventName] }));

/** What a socket gives as it connects. */
export const socketAuth: v.GenericSchema<SocketAuth> = v.pipe(
  v.object({
    token: v.pipe(v.string(), v.description('An access token.')),
    cursors: v.exactOptional(
      v.pipe(
        v.record(v.string(), counter),
        v.description('The highest eventSequence seen of each chat, by the chat’s id.'),
      ),
    ),
    membershipsSince: v.exactOptional(
      v.pipe(counter, v.description('The highest version of a membership that is known.')),
    ),
  }),
  v.metadata({ ref: 'SocketAuth' }),
);

/** `connect_error.data`: of what is refused for its own sake. */
export const connectErrorData: v.GenericSchema<ConnectErrorData> = v.pipe(
  v.object({ code: errorCode, detail: v.string() }),
  v.metadata({ ref: 'ConnectErrorData' }),
);
