import type { Chat, ServerToClientEvents, UserEvent } from '../contract.ts';
import type { ChatItem, UnreadTotal } from '../types.ts';
import { foldChat } from './chat.ts';
import { type ChatInput, type ChatState, noChat } from './chat-state.ts';

/** All chats that are known, and how far the list of them was read. */
export interface ChatsState {
  readonly me: string;
  readonly chats: ReadonlyMap<string, ChatState>;
  /** The activity of the last chat of the pages that were read, and where the next page begins; null: there is none. */
  readonly listed: { readonly down: string; readonly nextCursor: string | null } | undefined;
  /** The `version` up to which no membership is missing. */
  readonly membershipsSince: number | undefined;
  /** The list has to be read again. */
  readonly stale: boolean;
  /** Another one after each reset and connect: what was asked of the list before that does not count. */
  readonly epoch: object;
  /** As they are shown. */
  readonly items: readonly ChatItem[];
}

/** Every event that the socket tells, with its payload. */
export type ServerEvent = {
  [Name in keyof ServerToClientEvents]: { event: Name; payload: Parameters<ServerToClientEvents[Name]>[0] };
}[keyof ServerToClientEvents];

export type ChatsInput =
  | ({ kind: 'told' } & ServerEvent)
  /** Of the list. @param first whether the list begins with it @param asked what was known when it was asked */
  | { kind: 'page'; data: readonly Chat[]; nextCursor: string | null; first: boolean; asked: ChatsState }
  /** Of the list of the pinned ones, which are shown whatever their activity. */
  | { kind: 'pinned'; data: readonly Chat[]; asked: ChatsState }
  | { kind: 'in'; chatId: string; input: ChatInput }
  /** A connect says so much of what is known: of the rest is not told what was missed. */
  | { kind: 'connects'; cursors: Readonly<Record<string, number>> };

export const noChats = (me: string): ChatsState => ({
  me,
  chats: new Map(),
  listed: undefined,
  membershipsSince: undefined,
  stale: true,
  epoch: {},
  items: [],
});

/** All chats: each event goes to the chat that it is about. */
export function foldChats(state: ChatsState, input: ChatsInput): ChatsState {
  const next = take(state, input);
  return next.chats === state.chats && next.listed === state.listed ? next : withItems(next);
}

export const withItems = (state: ChatsState): ChatsState => ({ ...state, items: itemsOf(state) });

export const chatIn = ({ chats, me, epoch }: ChatsState, chatId: string): ChatState =>
  chats.get(chatId) ?? noChat(chatId, me, epoch);

function take(state: ChatsState, input: ChatsInput): ChatsState {
  switch (input.kind) {
    case 'told':
      return takeEvent(state, input);
    case 'in':
      return within(state, input.chatId, input.input);
    case 'connects':
      return {
        ...resetMany(state, (id) => !Object.hasOwn(input.cursors, id)),
        epoch: {},
        stale: state.stale || state.membershipsSince === undefined,
      };
    case 'pinned':
      return takeChats(state, input);
    case 'page': {
      const down = input.data.at(-1)?.lastActivityAt ?? '';
      const next = takeChats(state, input);
      const { first, asked } = input;
      // One that does not go on from what was read last leaves a gap.
      if (asked.epoch !== state.epoch || !(first || asked.listed === state.listed)) return next;
      const listed = { down, nextCursor: input.nextCursor };
      return { ...next, listed, stale: !first && state.stale };
    }
  }
}

function takeEvent(state: ChatsState, told: { kind: 'told' } & ServerEvent): ChatsState {
  switch (told.event) {
    case 'chat.created': {
      const { chat } = told.payload;
      return within(state, chat.id, { kind: 'chat', chat });
    }
    case 'chat.membership': {
      const { membership } = told.payload;
      return within(state, membership.chatId, { kind: 'membership', membership });
    }
    case 'chat.ready':
      return { ...state, membershipsSince: told.payload.membershipVersion };
    case 'chat.sync.reset': {
      const { payload: reset } = told;
      const { chatId, eventSequence: at } = reset;
      if (chatId !== undefined) return within(state, chatId, { kind: 'reset', at });
      return { ...resetMany(state, () => true), stale: true, epoch: {} };
    }
    case 'user.updated':
      return rename(state, told.payload);
    default:
      // What has a number is a change of the chat, also under a name of a later version.
      return isChange(told.payload)
        ? within(state, told.payload.chatId, { ...told, kind: 'event' } as ChatInput)
        : state;
  }
}

const isChange = (payload: unknown): payload is { chatId: string; eventSequence: number } => {
  const { chatId, eventSequence } = (payload ?? {}) as { chatId?: unknown; eventSequence?: unknown };
  return typeof chatId === 'string' && typeof eventSequence === 'number';
};

function resetMany(state: ChatsState, isMeant: (chatId: string) => boolean): ChatsState {
  const { chats } = state;
  const meant = [...chats.values()].filter(({ id }) => isMeant(id));
  if (meant.length === 0) return state;
  return {
    ...state,
    chats: new Map([...chats, ...meant.map((one) => [one.id, foldChat(one, { kind: 'reset' })] as const)]),
  };
}

const takeChats = (
  state: ChatsState,
  { data, asked }: { data: readonly Chat[]; asked: ChatsState },
): ChatsState =>
  data.reduce((next, chat) => {
    const { epoch } = chatIn(asked, chat.id);
    return within(next, chat.id, { kind: 'chat', chat, epoch });
  }, state);

/** Of a chat that is not known yet it is noted that it has to be read. */
function within(state: ChatsState, chatId: string, input: ChatInput): ChatsState {
  const known = chatIn(state, chatId);
  const chat = foldChat(known, input);
  // Nothing is taken of it: what was asked before a reset says nothing of memberships either.
  if (chat === known) return state;
  const chats = new Map(state.chats).set(chatId, chat);
  return { ...state, chats, membershipsSince: sinceWith(state, input) };
}

/** One more with each membership that is of just that version: others may have been made elsewhere, and are told later. */
function sinceWith({ membershipsSince: since }: ChatsState, input: ChatInput): number | undefined {
  const version =
    input.kind === 'membership'
      ? input.membership.version
      : input.kind === 'chat'
        ? input.chat.membership.version
        : undefined;
  return since !== undefined && version === since + 1 ? version : since;
}

function rename(state: ChatsState, { user }: UserEvent): ChatsState {
  const ids = [...state.chats.keys()];
  return ids.reduce((next, id) => within(next, id, { kind: 'person', user }), state);
}

/** Pinned ones first, then the newest activity; without archived ones and those beyond what was read of the list. */
function itemsOf({ chats, listed, items: before }: ChatsState): readonly ChatItem[] {
  const shown = (item: ChatItem | undefined): item is ChatItem =>
    item !== undefined &&
    item.membership.archivedAt === null &&
    (listed?.nextCursor == null || item.membership.pinnedAt !== null || item.lastActivityAt >= listed.down);
  // What was in order before mostly is: that is quickly seen.
  const ids = new Set([...before.map(({ id }) => id), ...chats.keys()]);
  const items = [...ids]
    .map((id) => chats.get(id)?.item)
    .filter(shown)
    .sort(order);
  const same = items.length === before.length && items.every((item, at) => item === before[at]);
  return same ? before : items;
}

const order = (a: ChatItem, b: ChatItem): number =>
  descending(a.membership.pinnedAt ?? '', b.membership.pinnedAt ?? '') ||
  descending(a.lastActivityAt, b.lastActivityAt) ||
  descending(a.id, b.id);

const descending = (a: string, b: string): number => (a < b ? 1 : a > b ? -1 : 0);

/** Whether it counts among the unread: archived and muted ones do by mentions alone. @param now by the device's clock */
const counts = ({ membership }: ChatItem, now: number): boolean => {
  const { archivedAt, mutedUntil, unreadCount, unreadMentionCount } = membership;
  const quiet = archivedAt !== null || (mutedUntil !== null && Date.parse(mutedUntil) > now);
  return quiet ? unreadMentionCount > 0 : unreadCount > 0;
};

/** Of the chats that are held. */
export function unreadOfHeld(state: ChatsState, now: number): UnreadTotal {
  let [chats, mentions] = [0, 0];
  for (const { item } of state.chats.values()) {
    if (!item) continue;
    if (counts(item, now)) chats += 1;
    mentions += item.membership.unreadMentionCount;
  }
  return { chats, mentions };
}
