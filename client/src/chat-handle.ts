import type { Membership, Message, MessageReactions } from './contract.ts';
import type { createDrafts } from './drafts.ts';
import { ConfabError } from './error.ts';
import { createMessageList } from './message-list.ts';
import type { Outbox } from './outbox.ts';
import { requestOf } from './outbox-entry.ts';
import { createParticipants } from './participants.ts';
import { createReadMarks } from './read-marks.ts';
import type { Method, Requests } from './request.ts';
import type { ChatInput, ChatState } from './state/chat.ts';
import type { ServerEvent } from './state/chats.ts';
import { createCell } from './store.ts';
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
  isReady: () => boolean;
}): LiveChat {
  const { chatId, me, state, fold, outbox, requests, isReady } = deps;
  const path = `/chats/${chatId}`;
  const info = createCell<ChatItem | undefined>(undefined);
  const membership = createCell<Membership | undefined>(undefined);
  const messages = createMessageList(deps);
  const typing = createTyping();
  const participants = createParticipants({ chatId, me, requests, canLoad: isReady });

  const typed = createKeystrokes((is) => {
    // For a moment only: what fails is not worth a repeat.
    if (isReady()) requests.once('PUT', `${path}/typing`, { typing: is }).catch(() => {});
  });
  const own = async (method: Method, of: string, body: object): Promise<void> =>
    fold({ kind: 'membership', membership: await requests.patiently(method, path + of, body) });
  const marks = createReadMarks((sequence) => {
    const known = state().item?.membership;
    const nothing = known && known.unreadCount === 0 && sequence <= known.lastReadSequence;
    return nothing ? Promise.resolve() : own('PUT', '/read', { sequence, version: known?.version });
  });

  /** An answer is as new as what was known when it was asked for. */
  async function changed(asked: () => Promise<Message>): Promise<void> {
    const { epoch, cursor = 0 } = state();
    fold({ kind: 'message', message: await asked(), at: cursor, epoch });
  }
  async function readChat(): Promise<void> {
    const { epoch } = state();
    fold({ kind: 'chat', chat: await requests.patiently('GET', path), epoch });
  }
  /** One's own that is not saved yet; a saved one may still be called by the id that it had before. */
  const waiting = (messageId: string) => {
    const entry = outbox.find(chatId, messageId);
    if (entry?.state === 'failed') throw new ConfabError('message_not_found', 'It is not sent.');
    return entry;
  };
  const idOf = (messageId: string): string =>
    messages.getSnapshot().items.find((one) => one.clientMessageId === messageId && one.senderId === me())
      ?.id ?? messageId;

  const handle: ChatHandle = {
    id: chatId,
    info: { subscribe: info.subscribe, getSnapshot: info.getSnapshot },
    membership: { subscribe: membership.subscribe, getSnapshot: membership.getSnapshot },
    messages,
    typing: typing.store,
    participants: participants.people,
    reads: participants.reads,
    draft: deps.drafts.of(chatId),

    send(message) {
      typed.sent();
      const clientMessageId = outbox.add(chatId, message);
      if (messages.getSnapshot().hasAfter) messages.jumpToLatest().catch(() => {});
      return { clientMessageId };
    },
    async edit(messageId, edit) {
      const entry = waiting(messageId);
      if (entry) return outbox.doAfter(entry, { kind: 'edit', edit });
      await changed(() => requests.patiently('PATCH', `${path}/messages/${idOf(messageId)}`, edit));
    },
    async delete(messageId) {
      const entry = outbox.find(chatId, messageId);
      // Nobody has been told of it.
      if (entry?.state === 'queued' || entry?.state === 'failed')
        return outbox.discard(entry.clientMessageId);
      if (entry) return outbox.doAfter(entry, { kind: 'delete' });
      const id = `${path}/messages/${idOf(messageId)}`;
      await requests.patiently('DELETE', id);
      await changed(() => requests.patiently('GET', id));
    },
    async react(messageId, key, present) {
      const entry = waiting(messageId);
      if (entry) return outbox.doAfter(entry, { kind: 'react', key, present });
      const id = idOf(messageId);
      const [method, where] = requestOf(
        { chatId, messageId: id, clientMessageId: id },
        { kind: 'react', key, present },
      );
      fold({ kind: 'reactions', answer: await requests.patiently<MessageReactions>(method, where) });
    },

    markRead(sequence) {
      const newest = state().item?.lastSequence;
      const upTo = sequence ?? newest;
      if (upTo !== undefined) marks.mark(upTo);
    },
    async markUnread(sequence) {
      marks.drop();
      await own('PUT', '/unread', { sequence });
    },
    setMembership: (settings) => own('PATCH', '/membership', settings),
    keystroke: typed.keystroke,
    stopTyping: typed.stop,

    async addParticipants(userIds) {
      await requests.patiently('POST', `${path}/participants`, { userIds });
      await readChat();
    },
    async removeParticipant(userId) {
      await requests.patiently('DELETE', `${path}/participants/${userId}`);
      await readChat();
    },
    async setRole(userId, role) {
      await requests.patiently('PATCH', `${path}/participants/${userId}`, { role });
      await readChat();
    },
    async update(changes) {
      const { epoch } = state();
      fold({ kind: 'chat', chat: await requests.patiently('PATCH', path, changes), epoch });
    },
    async leave() {
      await requests.patiently('DELETE', `${path}/participants/${me()}`);
      fold({ kind: 'gone' });
    },
    async deleteChat() {
      await requests.patiently('DELETE', path);
      fold({ kind: 'gone' });
    },
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
      messages.fill().catch(() => {});
      participants.refresh();
    },
    forget() {
      typing.forget();
      participants.forget();
    },
  };
}
