import * as v from 'valibot';
import type { Message, Participant } from './contract.ts';

/** What answers and events are made of. */
export const id = v.pipe(v.string(), v.uuid());

/** ISO 8601, UTC, milliseconds. */
export const isoInstant = v.pipe(
  v.string(),
  v.isoTimestamp(),
  v.metadata({ examples: ['2026-02-14T12:00:00.000Z'] }),
);

export const counter = v.pipe(v.number(), v.integer(), v.minValue(0));

export const messageSchema: v.GenericSchema<Message> = v.pipe(
  v.object({
    id,
    chatId: id,
    senderId: id,
    content: v.string(),
    messageType: v.literal('text'),
    status: v.literal('sent'),
    sequence: v.pipe(v.number(), v.integer(), v.minValue(1)),
    sentAt: isoInstant,
    clientMessageId: id,
  }),
  v.metadata({ ref: 'Message' }),
);

export const participantSchema: v.GenericSchema<Participant> = v.pipe(
  v.object({
    userId: id,
    displayName: v.string(),
    role: v.picklist(['owner', 'admin', 'member']),
    joinedAt: isoInstant,
    online: v.boolean(),
  }),
  v.metadata({ ref: 'Participant' }),
);
