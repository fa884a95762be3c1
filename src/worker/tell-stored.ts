import { changeNotification } from '../changes/announce.ts';
import { newMessage } from '../changes/new-message.ts';
import type { StoredKey } from '../db/queries/history.ts';
import type { StoreOutcome } from '../db/queries/store-messages.ts';
import type { Message, SendEnvelope } from '../shared/contract.ts';
import type { Logger } from '../shared/log.ts';
import type { Notification } from '../shared/ports/notifications.ts';

type Numbers = Extract<StoreOutcome, { sequence: number }>;

/** What was sent, and what there is of it now. */
export interface Stored {
  envelope: SendEnvelope;
  outcome: Numbers;
}

/** What gateways are told of it, in its order. */
export type TellStored = (stored: readonly Stored[]) => Promise<Notification[]>;

/**
 * A row that was changed since is never told by what was sent once: whoever was to forget it would be told again. An answer, and a
 * message that mentions somebody, are read as they are shown: whom they quote, and who takes part, is known where they are stored.
 */
export function createTellStored(dependencies: {
  read: (wanted: readonly StoredKey[]) => Promise<Message[]>;
  log: Logger;
}): TellStored {
  const { read, log } = dependencies;

  async function readAll(stored: readonly Stored[]): Promise<ReadonlyMap<string, Message>> {
    const wanted = stored.map(({ envelope: { chatId }, outcome: { sequence } }) => ({ chatId, sequence }));
    try {
      return new Map((await read(wanted)).map((message) => [message.id, message]));
    } catch (error) {
      log.warn({ err: error }, 'what was stored could not be read to be announced; gateways read it');
      return new Map();
    }
  }

  return async (stored) => {
    const toRead = stored.filter(
      ({ envelope, outcome }) => outcome.outcome !== 'changed' && isLookedUp(envelope),
    );
    const read = toRead.length > 0 ? await readAll(toRead) : undefined;
    return stored.map(({ envelope, outcome }) => {
      const { chatId, brokerMessageId } = envelope;
      const { eventSequence, sequence } = outcome;
      if (outcome.outcome === 'changed') return hint(chatId, outcome);
      const message = isLookedUp(envelope) ? read?.get(brokerMessageId) : asStored(envelope, outcome);
      return message
        ? changeNotification(newMessage.tell({ chatId, eventSequence }, [message]))
        : hint(chatId, { eventSequence, sequence });
    });
  };
}

const isLookedUp = ({ replyTo, mentions }: SendEnvelope): boolean =>
  replyTo !== undefined || mentions !== undefined;

/** As the row is shown that is made of it. */
function asStored(
  { brokerMessageId: id, chatId, senderId, content, clientMessageId, messageType, metadata }: SendEnvelope,
  { sequence, sentAt }: Numbers,
): Message {
  const message: Message = {
    id,
    chatId,
    senderId,
    content,
    messageType: messageType ?? 'text',
    status: 'sent',
    sequence,
    sentAt,
    clientMessageId,
  };
  if (metadata !== undefined) message.metadata = metadata;
  return message;
}

/** That there is something to read up to this number, and no words. */
const hint = (chatId: string, { eventSequence, sequence }: Pick<Numbers, 'eventSequence' | 'sequence'>) =>
  changeNotification({ chatId, eventSequence, event: 'chat.message.new', sequence });
