import type { ChangeEvents } from '../shared/contract.ts';
import { changedChat } from './changed-chat.ts';
import { changedMessage } from './changed-message.ts';
import type { ChangeKind, ChangeKinds } from './kind.ts';
import { newMessage } from './new-message.ts';
import { participant } from './participant.ts';
import { reactions } from './reactions.ts';

/** Every event that tells of a durable change, with its kind: what is not here is not a change. */
export const kinds: { readonly [Event in keyof ChangeEvents]: ChangeKind<ChangeEvents[Event]> } = {
  'chat.message.new': newMessage,
  'chat.message.saved': newMessage,
  'chat.message.updated': changedMessage,
  'chat.message.deleted': changedMessage,
  'chat.message.reactions': reactions,
  'chat.participant.added': participant,
  'chat.participant.removed': participant,
  'chat.updated': changedChat,
};

/** Of an event that only a newer version knows it is. */
export const isBelieved = (event: string): boolean => (kinds as ChangeKinds)[event]?.believed !== false;
