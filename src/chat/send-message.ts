import type { Database } from '../db/database.ts';
import type { MessageExtras, SendAccepted, SendEnvelope } from '../shared/contract.ts';
import type { EnvelopeCodec, EnvelopeVersion } from '../shared/envelope-codec.ts';
import { ChatError } from '../shared/errors.ts';
import { deriveBrokerMessageId } from '../shared/ids.ts';
import { partitionOf } from '../shared/partition.ts';
import type { FactAnswer, Facts } from '../shared/ports/admission.ts';
import type { SendQueue } from '../shared/ports/queue.ts';
import { assertMayPost } from './assert-may-post.ts';
import { assertMayMentionEveryone } from './may-mention-everyone.ts';

/** The lowest that can carry it: what is no more than a text, as it was before there was anything else, waits for nobody. */
const versionFor = (extras: MessageExtras | undefined): EnvelopeVersion =>
  extras?.messageType ? 3 : extras ? 2 : 1;

export interface SendMessageInput {
  /** All ids in lower case. */
  chatId: string;
  senderId: string;
  /** Minted when absent; such a send can't be repeated safely. */
  clientMessageId?: string | undefined;
  /** 1 to 8,000 UTF-16 units, checked at the edge; goes on byte for byte. */
  content: string;
  extras?: MessageExtras | undefined;
  /** What admission knew of `participantFact`. */
  participant: FactAnswer;
  requestId: string;
  /** Called when PostgreSQL has been asked what had to be, and from here on only the broker is waited for. */
  onPublish?: (() => void) | undefined;
}

export type SendMessage = (input: SendMessageInput) => Promise<SendAccepted>;

export interface SendMessageDependencies {
  database: Database;
  facts: Facts;
  sendQueue: SendQueue;
  envelopes: Pick<EnvelopeCodec, 'seal'>;
  /** What every process knows now. */
  envelopeVersion: () => EnvelopeVersion;
  partitionCount: number;
}

/**
 * The hot path of the api. When it resolves, the broker has confirmed the message; the worker decides once more, under the
 * chat's lock, whether the sender takes part and may post.
 * @throws ChatError `chat_not_found`, `not_allowed`, `not_ready`, `broker_unavailable`; `database_unavailable` where only
 * PostgreSQL could have told
 */
export function createSendMessage(deps: SendMessageDependencies): SendMessage {
  const { database, sendQueue, envelopes, envelopeVersion, partitionCount } = deps;

  return async ({ chatId, senderId, content, extras, requestId, participant, onPublish, ...input }) => {
    if (participant !== true) await assertMayPost(deps, chatId, senderId);

    const version = versionFor(extras);
    if (extras && envelopeVersion() < version) throw new ChatError('not_ready');
    if (extras?.mentions?.everyone) await assertMayMentionEveryone(database, chatId, senderId);

    const clientMessageId = input.clientMessageId ?? crypto.randomUUID();
    const brokerMessageId = deriveBrokerMessageId(chatId, senderId, clientMessageId);
    const envelope: SendEnvelope = {
      version,
      brokerMessageId,
      chatId,
      senderId,
      clientMessageId,
      content,
      sentAt: new Date().toISOString(),
      requestId,
      ...extras,
    };
    onPublish?.();
    await sendQueue.publish({
      id: brokerMessageId,
      partition: partitionOf(chatId, partitionCount),
      body: envelopes.seal(envelope),
    });
    return { brokerMessageId, clientMessageId };
  };
}
