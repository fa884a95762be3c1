import { editMessage, type MessageToChange } from '../db/queries/change-message.ts';
import { readMessage } from '../db/queries/history.ts';
import type { Message, MessageEdit } from '../shared/contract.ts';
import { ChatError } from '../shared/errors.ts';
import { assertMayMentionEveryone } from './may-mention-everyone.ts';
import { type ChangeMessageDependencies, readOne, tellChanged } from './tell-changed.ts';

/** By its sender alone, a system message by the host's backend alone. What changes nothing takes no number. */
export type EditMessage = (input: EditMessageInput) => Promise<Message>;

export interface EditMessageInput extends MessageToChange {
  actorId: string;
  /** Whether the host's backend acts as the actor. */
  byService: boolean;
  edit: MessageEdit;
}

/**
 * @param deps.windowSeconds after it was sent; undefined: always
 * @throws ChatError `chat_not_found`, `message_not_found`, for one that is not stored yet too, `not_allowed`, `message_deleted`,
 * `edit_window_closed`, `database_unavailable`: then it is unknown whether it was committed
 */
export function createEditMessage(
  deps: ChangeMessageDependencies & { windowSeconds: number | undefined },
): EditMessage {
  const { database, windowSeconds } = deps;

  /** With the editor's own reactions marked, as nobody else is shown it. */
  async function shown(
    { chatId, actorId, messageId }: Omit<EditMessageInput, 'edit'>,
    message: Message,
  ): Promise<Message> {
    const own = message.reactions && (await readMessage(database, chatId, actorId, messageId));
    return typeof own === 'object' ? own : message;
  }

  return async ({ edit, ...message }) => {
    const { chatId, actorId } = message;
    if (edit.mentions?.everyone) await assertMayMentionEveryone(database, chatId, actorId);
    const edited = await editMessage(database, message, edit, windowSeconds);
    if (edited.outcome === 'unchanged') return shown(message, await readOne(database, edited));
    if (edited.outcome === 'edited') return shown(message, await tellChanged(deps, edited));
    const detail =
      edited.outcome === 'not_allowed'
        ? 'A message is edited by its sender alone, who may post in the chat; a system message by the service alone.'
        : undefined;
    throw new ChatError(edited.outcome, detail);
  };
}
