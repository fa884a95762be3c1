import type { ChatInput } from '../../client/src/index.ts';
import type {
  Chat,
  ChatChange,
  Membership,
  Message,
  MessagePage,
  Participant,
  Reaction,
} from '../../src/shared/contract.ts';
import type { Random } from '../../torture/random.ts';

export const me = 'user-0';
export const chatId = 'chat';

interface Stored {
  message: Message;
  answers: string | undefined;
  createdAt: number;
  reactions: { key: string; userId: string }[];
  reactionsAt: number;
  /** Of the last change of the reactions. */
  by: { userId: string; key: string; present: boolean }[];
}

/** One chat in a database, in plain words: what clients have to come to. */
export function createModel(random: Random) {
  const stored: Stored[] = [];
  const people = new Map<string, { participant: Participant; present: boolean; at: number }>();
  let settings = { name: 'name 1' as string | null, at: 1 };
  let [number, marker, version] = [1, 0, 0];
  const users = Array.from({ length: 6 }, (_, at) => `user-${at}`);
  const participant = (userId: string, role: Participant['role']): Participant => ({
    ...{ userId, displayName: userId, role, joinedAt: 'then', online: false },
  });
  for (const id of users.slice(0, 4))
    people.set(id, { participant: participant(id, 'member'), present: true, at: 1 });

  const reactionsOf = ({ reactions }: Stored, own: boolean): Reaction[] => {
    const keys = [...new Set(reactions.map(({ key }) => key))];
    return keys.map((key) => {
      const userIds = reactions.filter((one) => one.key === key).map(({ userId }) => userId);
      // One is named, so that the rest has to be known otherwise.
      const named = { key, count: userIds.length, userIds: userIds.slice(0, 1) };
      return own && userIds.includes(me) ? { ...named, own: true as const } : named;
    });
  };

  /** As it is shown now. @param own as an answer shows it */
  function shown(one: Stored, own: boolean): Message {
    if (one.message.deletedAt !== undefined) return { ...one.message };
    const source = stored.find(({ message }) => message.id === one.answers)?.message;
    const reactions = reactionsOf(one, own);
    const quote =
      source && source.deletedAt === undefined
        ? {
            ...{ messageId: source.id, sequence: source.sequence },
            senderId: source.senderId,
            preview: source.content,
          }
        : { messageId: String(one.answers), deleted: true as const };
    return {
      ...one.message,
      ...(one.answers === undefined ? {} : { replyTo: quote }),
      ...(reactions.length > 0 ? { reactions } : {}),
    };
  }

  const messageEvent = (
    one: Stored,
    eventSequence: number,
    event: 'new' | 'updated' | 'deleted',
  ): ChatChange => {
    const name = event === 'new' && one.message.senderId === me ? 'saved' : event;
    return { event: `chat.message.${name}`, payload: { chatId, message: shown(one, false), eventSequence } };
  };
  const changeOf = (one: Stored): ChatChange =>
    messageEvent(one, one.message.version ?? 0, one.message.deletedAt === undefined ? 'updated' : 'deleted');
  const reactionsEvent = (one: Stored, live: boolean): ChatChange => ({
    event: 'chat.message.reactions',
    payload: {
      ...{
        chatId,
        messageId: one.message.id,
        sequence: one.message.sequence,
        eventSequence: one.reactionsAt,
      },
      reactions: reactionsOf(one, false),
      ...(live ? { by: one.by } : {}),
    },
  });
  const personEvent = (userId: string): ChatChange => {
    const { participant, present, at } = people.get(userId)!;
    const event = present ? 'chat.participant.added' : 'chat.participant.removed';
    return { event, payload: { chatId, participant, eventSequence: at } };
  };
  const settingsEvent = (): ChatChange => ({
    event: 'chat.updated',
    payload: { chatId, chat: chatSettings(), eventSequence: settings.at },
  });
  const chatSettings = () => ({
    ...{ id: chatId, isGroup: true, name: settings.name, avatarUrl: null, metadata: null },
    posting: 'all' as const,
  });

  const isUnread = ({ message }: Stored) => message.senderId !== me && message.deletedAt === undefined;
  const mentionsMe = ({ message }: Stored) => message.mentions?.userIds.includes(me) === true;
  const membership = (): Membership => {
    const after = stored.slice(marker).filter(isUnread);
    return {
      ...{ chatId, lastReadSequence: marker, unreadCount: after.length },
      unreadMentionCount: after.filter(mentionsMe).length,
      ...{ notify: 'all', mutedUntil: null, pinnedAt: null, archivedAt: null, version },
      ...{ lastSequence: stored.length, eventSequence: number },
    };
  };

  const alive = () => stored.filter(({ message }) => message.deletedAt === undefined);
  const verbs: (() => ChatChange | undefined)[] = [
    ...Array.from({ length: 4 }, () => () => {
      number += 1;
      const sequence = stored.length + 1;
      const mentions = random.next() < 0.2 ? { mentions: { userIds: [me] } } : {};
      const message: Message = {
        ...{ id: `m${sequence}`, chatId, senderId: random.pick(users), content: `text ${sequence}` },
        ...{ messageType: 'text', status: 'sent', sequence, sentAt: 'then', clientMessageId: `c${sequence}` },
        ...mentions,
      };
      const answers = stored.length > 0 && random.next() < 0.4 ? random.pick(stored).message.id : undefined;
      const one: Stored = { message, answers, createdAt: number, reactions: [], reactionsAt: 0, by: [] };
      stored.push(one);
      return messageEvent(one, number, 'new');
    }),
    () => {
      if (alive().length === 0) return undefined;
      number += 1;
      const one = random.pick(alive());
      const { mentions: _, ...rest } = one.message;
      const mentions = random.next() < 0.3 ? { mentions: { userIds: [me] } } : {};
      one.message = {
        ...rest,
        ...mentions,
        content: `edited at ${number}`,
        editedAt: 'later',
        version: number,
      };
      return changeOf(one);
    },
    () => {
      if (alive().length === 0) return undefined;
      number += 1;
      const one = random.pick(alive());
      const { id, senderId, sequence, clientMessageId } = one.message;
      one.message = {
        ...{
          id,
          chatId,
          senderId,
          content: '',
          messageType: 'text',
          status: 'sent',
          sequence,
          sentAt: 'then',
        },
        ...{ clientMessageId, deletedAt: 'later', version: number },
      };
      one.answers = undefined;
      one.reactions = [];
      return changeOf(one);
    },
    ...Array.from({ length: 2 }, () => () => {
      if (alive().length === 0) return undefined;
      number += 1;
      const one = random.pick(alive());
      const [userId, key] = [random.pick(users), random.pick(['👍', '❤️'])];
      const known = one.reactions.findIndex((other) => other.userId === userId && other.key === key);
      if (known < 0) one.reactions.push({ userId, key });
      else one.reactions.splice(known, 1);
      one.reactionsAt = number;
      one.by = [{ userId, key, present: known < 0 }];
      return reactionsEvent(one, true);
    }),
    () => {
      const userId = random.pick(users.slice(1));
      number += 1;
      const present = !people.get(userId)?.present || random.next() < 0.3;
      const role = random.pick(['member', 'admin'] as const);
      // Who comes anew is the last.
      if (!people.get(userId)?.present) people.delete(userId);
      people.set(userId, { participant: participant(userId, role), present, at: number });
      return personEvent(userId);
    },
    () => {
      number += 1;
      settings = { name: `name ${number}`, at: number };
      return settingsEvent();
    },
  ];

  return {
    /** Something happens; what is told of it. */
    change: (): ChatChange | undefined => random.pick(verbs)(),
    /** The user has read on another device, or marks as unread. */
    read(): Membership {
      version += 1;
      marker = random.integer(0, stored.length);
      return membership();
    },
    number: () => number,
    membership,
    chat(): Chat {
      const participants = [...people.values()].flatMap(({ participant, present }) =>
        present ? participant : [],
      );
      const last = stored.at(-1);
      return {
        ...chatSettings(),
        ...{ createdAt: 'then', lastActivityAt: 'then', participantCount: participants.length, participants },
        ...{ lastMessage: last ? shown(last, true) : null, lastSequence: stored.length },
        ...{ eventSequence: number, membership: membership() },
      };
    },
    page(from: { before: number } | { after: number } | undefined, limit: number): MessagePage {
      const all = stored.map((one) => shown(one, true));
      const data =
        from && 'after' in from
          ? all.slice(from.after, from.after + limit)
          : all.slice(0, from ? from.before - 1 : undefined).slice(-limit);
      const [first, last] = [data[0]?.sequence ?? 1, data.at(-1)?.sequence ?? 0];
      return { data, page: { hasBefore: first > 1, hasAfter: last < all.length, eventSequence: number } };
    },
    message: (at: number): Message | undefined => stored[at] && shown(stored[at], true),
    /** As a device is told that comes back: each row that has changed, as it is now. */
    changesAfter(cursor: number): ChatChange[] {
      const told = stored.flatMap((one) => {
        const events = one.createdAt > cursor ? [messageEvent(one, one.createdAt, 'new')] : [];
        if ((one.message.version ?? 0) > cursor) events.push(changeOf(one));
        if (one.reactionsAt > cursor && one.message.deletedAt === undefined)
          events.push(reactionsEvent(one, false));
        return events;
      });
      for (const [userId, { at }] of people) if (at > cursor) told.push(personEvent(userId));
      if (settings.at > cursor) told.push(settingsEvent());
      return told.sort((a, b) => numberOf(a) - numberOf(b));
    },
  };
}

export type Model = ReturnType<typeof createModel>;
export const numberOf = ({ payload }: ChatChange): number => payload.eventSequence ?? 0;
export const asInput = (change: ChatChange): ChatInput => ({ ...change, kind: 'event' }) as ChatInput;
