import type { Chat, Membership, Message, MessageEdit, MessageReactions } from './contract.ts';
import type { Requests } from './request.ts';
import type { ChatInput } from './state/chat-state.ts';
import { type ChatsInput, type ChatsState, chatIn } from './state/chats.ts';

interface Answers {
  chat: Chat;
  membership: Membership;
  message: Message;
  reactions: MessageReactions;
}

/** What is answered of a chat is as new as what was known when it was asked for. */
export type Take = <Kind extends keyof Answers>(
  chatId: string,
  kind: Kind,
  asked: Promise<Answers[Kind]>,
) => Promise<Answers[Kind]>;

export const createTake =
  (state: () => ChatsState, fold: (input: ChatsInput) => void): Take =>
  async (chatId, kind, asked) => {
    const { epoch, cursor: at = 0 } = chatIn(state(), chatId);
    const answer = await asked;
    fold({ kind: 'in', chatId, input: { kind, [kind]: answer, at, epoch } as unknown as ChatInput });
    return answer;
  };

/** What is done to a message that the server has. */
export type Change =
  | { kind: 'edit'; edit: MessageEdit }
  | { kind: 'react'; key: string; present: boolean }
  | { kind: 'delete' };

/** Asks for it, and takes what is answered. @returns the message as it is then, where that is answered */
export type Ask = (
  chatId: string,
  messageId: string,
  what: Change | { kind: 'read' },
) => Promise<Message | undefined>;

export const createAsk =
  ({ patiently }: Requests, take: Take): Ask =>
  async (chatId, messageId, what) => {
    const path = `/chats/${chatId}/messages/${messageId}`;
    if (what.kind === 'react') {
      const of = `${path}/reactions/${encodeURIComponent(what.key)}`;
      await take(chatId, 'reactions', patiently(what.present ? 'PUT' : 'DELETE', of));
      return undefined;
    }
    if (what.kind === 'delete') await patiently('DELETE', path);
    const isEdit = what.kind === 'edit';
    return take(chatId, 'message', patiently(isEdit ? 'PATCH' : 'GET', path, isEdit ? what.edit : undefined));
  };
