import { deleteMessage, type MessageToChange } from '../db/queries/change-message.ts';
import { ChatError } from '../shared/errors.ts';
import { type ChangeMessageDependencies, tellChanged } from './tell-changed.ts';

/** By its sender, in a group by its owners and admins, or any by the host's backend. Of one that is deleted it changes nothing. */
export type DeleteMessage = (message: DeleteMessageInput) => Promise<void>;

export interface DeleteMessageInput extends MessageToChange {
  /** Undefined for the host's backend. */
  actorId: string | undefined;
}

/**
 * @throws ChatError `chat_not_found`, `message_not_found`, `not_allowed`, `database_unavailable`: then it is unknown whether it
 * was committed
 */
export function createDeleteMessage(deps: ChangeMessageDependencies): DeleteMessage {
  return async (message) => {
    const deleted = await deleteMessage(deps.database, message);
    if (deleted.outcome === 'unchanged') return;
    if (deleted.outcome !== 'deleted') throw new ChatError(deleted.outcome);
    await tellChanged(deps, deleted);
  };
}
