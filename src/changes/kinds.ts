import type { ChangeEvents } from '../shared/contract.ts';
import type { ChangeKind } from './kind.ts';
import { newMessage } from './new-message.ts';
import { participant } from './participant.ts';

/** Every event that tells of a durable change, with its kind: what is not here is not a change. */
export const kinds: { readonly [Event in keyof ChangeEvents]: ChangeKind<ChangeEvents[Event]> } = {
  'chat.message.new': newMessage,
  'chat.message.saved': newMessage,
  'chat.participant.added': participant,
  'chat.participant.removed': participant,
};

/** Whether a signed notification says what the event says. Of an event that a newer version has made it does. */
export const isBelieved = (event: string): boolean =>
  (kinds as Readonly<Record<string, ChangeKind>>)[event]?.believed !== false;
