import type { Pauses } from './backoff.ts';
import type { Ask, Change, Take } from './changes.ts';
import type { Membership } from './contract.ts';
import type { createDrafts } from './drafts.ts';
import { ConfabError } from './error.ts';
import { createMessageList } from './message-list.ts';
import type { Outbox } from './outbox.ts';
import { createParticipants } from './participants.ts';
import { createReadMarks } from './read-marks.ts';
import type { Method, Requests } from './request.ts';
import type { ChatInput, ChatState } from './state/chat-state.ts';
import type { ServerEvent } from './state/chats.ts';
import { createCell, storeOf } from './store.ts';
import type { ChatHandle, ChatItem } from './types.ts';
import { createKeystrokes, createTyping } from './typing.ts';

export interface LiveChat {
  readonly handle: ChatHandle;
  /** The state has changed, or the outbox. */
  refresh(): void;
  /** Of this chat. */
  takeEvent(event: ServerEvent): void;
  /** The connection is ready again, or a reset was told. */
  fill(): void;
  forget(): void;
}

export function createChat(deps: {
  chatId: string;
  me: () => string;
  state: () => ChatState;
  fold: (input: ChatInput) => void;
  outbox: Outbox;
  drafts: ReturnType<typeof createDrafts>;
  requests: Requests;
  pauses: Pauses;
  isReady: () => boolean;
  take: Take;
  ask: Ask;
}): LiveChat {
  const { chatId, me, state, fold, outbox, take, ask, isReady } = deps;
  const { once, patiently } = deps.requests;
  const path = `/chats/${chatId}`;
  const people = `${path}/participants`;
  const info = createCell<ChatItem | undefined>(undefined);
  const membership = createCell<Membership | undefined>(undefined);
  const messages = createMessageList(deps);
  const typing = createTyping();
  const participants = createParticipants({ ...deps, canLoad: isReady });

  const typed = createKeystrokes((is) => {
    // For a moment only: what fails is not worth a repeat.
    if (isReady()) once('PUT', `${path}/typing`, { typing: is }).catch(() => {});
  });
  async function setOwn(method: Method, of: string, body: object): Promise<void> {
    await take(chatId, 'membership', patiently(method, path + of, body));
  }
  const marks = createReadMarks(async (sequence) => {
    const { version, unreadCount = 1, lastReadSequence = 0 } = state().item?.membership ?? {};
    if (unreadCount > 0 || sequence > lastReadSequence) await setOwn('PUT', '/read', { sequence, version });
  });
  async function change(method: Method, body?: object): Promise<void> {
    await take(chatId, 'chat', patiently(method, path, body));
  }
  /** The answer says less than the chat. */
  async function changePeople(method: Method, of: string, body?: object): Promise<void> {
    await patiently(method, people + of, body);
    await change('GET');
  }
  async function end(what: string): Promise<void> {
    await patiently('DELETE', what);
    fold({ kind: 'gone', asked: state() });
  }

  /** A saved one may still be called by the id that it had before. */
  const idOf = (messageId: string): string =>
    messages.getSnapshot().items.find((one) => one.clientMessageId === messageId && one.senderId === me())
      ?.id ?? messageId;
  /** Of one's own that is not saved yet it waits. */
  async function changeMessage(messageId: string, what: Change): Promise<void> {
    const entry = outbox.find(chatId, messageId);
    const isUnsent = entry?.what.kind === 'send' && entry.state === 'failed';
    if (isUnsent && what.kind !== 'delete') throw new ConfabError('message_not_found', 'It is not sent.');
    if (isUnsent && !entry.tried) outbox.discard(entry.clientMessageId);
    else if (entry) await outbox.doAfter(entry, what);
    else await ask(chatId, idOf(messageId), what);
  }

  const handle: ChatHandle = {
    id: chatId,
    info: storeOf(info),
    membership: storeOf(membership),
    messages,
    typing: typing.store,
    participants: participants.people,
    reads: participants.reads,
    draft: deps.drafts.of(chatId),

    send(message) {
      const { replyTo } = message;
      const clientMessageId = outbox.add(chatId, replyTo ? { ...message, replyTo: idOf(replyTo) } : message);
      typed.sent();
      if (messages.getSnapshot().hasAfter) messages.jumpToLatest().catch(() => {});
      return { clientMessageId };
    },
    edit: (messageId, edit) => changeMessage(messageId, { kind: 'edit', edit }),
    delete: (messageId) => changeMessage(messageId, { kind: 'delete' }),
    react: (messageId, key, present) => changeMessage(messageId, { kind: 'react', key, present }),

    markRead(sequence = state().item?.lastSequence) {
      if (sequence !== undefined) marks.mark(sequence);
    },
    markUnread(sequence) {
      marks.drop();
      return setOwn('PUT', '/unread', { sequence });
    },
    setMembership: (settings) => setOwn('PATCH', '/membership', settings),
    keystroke: typed.keystroke,
    stopTyping: typed.stop,

    addParticipants: (userIds) => changePeople('POST', '', { userIds }),
    removeParticipant: (userId) => changePeople('DELETE', `/${userId}`),
    setRole: (userId, role) => changePeople('PATCH', `/${userId}`, { role }),
    update: (changes) => change('PATCH', changes),
    leave: () => end(`${people}/${me()}`),
    deleteChat: () => end(path),
  };

  return {
    handle,
    refresh() {
      const { item } = state();
      info.set(item);
      membership.set(item?.membership);
      participants.takeChat(item?.participants);
      messages.refresh();
    },
    takeEvent({ event, payload }) {
      if (event === 'chat.typing') typing.take(payload);
      else if (event === 'chat.read') participants.takeReads(payload);
      else if (event === 'chat.participant.added') participants.takeEvent(payload, true);
      else if (event === 'chat.participant.removed') {
        participants.takeEvent(payload, false);
        typing.end(payload.participant.userId);
      } else if (event === 'chat.message.new') typing.end(payload.message.senderId);
    },
    fill() {
      marks.again();
      void messages.fill();
      participants.refresh();
    },
    forget() {
      marks.drop();
      typing.forget();
      participants.forget();
    },
  };
}
