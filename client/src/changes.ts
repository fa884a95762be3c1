import type { Message, MessageEdit, MessageReactions } from './contract.ts';
import type { Requests } from './request.ts';
import { type ChatsInput, type ChatsState, chatIn } from './state/chats.ts';

/** What is done to a message that the server has. */
export type Change =
  | { kind: 'edit'; edit: MessageEdit }
  | { kind: 'react'; key: string; present: boolean }
  | { kind: 'delete' };

/**
 * Asks for it, and takes what is answered, which is as new as what was known when it was asked for.
 * @returns the message as it is then, where that is answered
 */
export type Ask = (
  chatId: string,
  messageId: string,
  what: Change | { kind: 'read' },
) => Promise<Message | undefined>;

export function createAsk(
  { patiently }: Requests,
  state: () => ChatsState,
  fold: (input: ChatsInput) => void,
): Ask {
  return async (chatId, messageId, what) => {
    const { epoch, cursor: at = 0 } = chatIn(state(), chatId);
    const path = `/chats/${chatId}/messages/${messageId}`;
    if (what.kind === 'react') {
      const of = `${path}/reactions/${encodeURIComponent(what.key)}`;
      const answer = await patiently<MessageReactions>(what.present ? 'PUT' : 'DELETE', of);
      fold({ kind: 'in', chatId, input: { kind: 'reactions', answer, epoch } });
      return undefined;
    }
    if (what.kind === 'delete') await patiently('DELETE', path);
    const isEdit = what.kind === 'edit';
    const message = await patiently<Message>(isEdit ? 'PATCH' : 'GET', path, isEdit ? what.edit : undefined);
    fold({ kind: 'in', chatId, input: { kind: 'message', message, at, epoch } });
    return message;
  };
}
