import * as v from 'valibot';
import type { ChatSettings, Message, Participant, Quote, Reaction } from './contract.ts';

/** What answers and events are made of. */
export const id = v.pipe(v.string(), v.uuid());

/** ISO 8601, UTC, milliseconds. */
export const isoInstant = v.pipe(
  v.string(),
  v.isoTimestamp(),
  v.metadata({ examples: ['2026-02-14T12:00:00.000Z'] }),
);

export const counter = v.pipe(v.number(), v.integer(), v.minValue(0));

const quoteSchema: v.GenericSchema<Quote> = v.union([
  v.object({ messageId: id, sequence: counter, senderId: id, preview: v.string() }),
  v.object({ messageId: id, deleted: v.literal(true) }),
]);

export const reactionSchema: v.GenericSchema<Reaction> = v.pipe(
  v.object({
    key: v.string(),
    count: v.pipe(v.number(), v.integer(), v.minValue(1)),
    userIds: v.array(id),
    own: v.exactOptional(v.literal(true)),
  }),
  v.metadata({ ref: 'Reaction' }),
);

export const messageSchema: v.GenericSchema<Message> = v.pipe(
  v.object({
    id,
    chatId: id,
    senderId: id,
    content: v.string(),
    messageType: v.picklist(['text', 'system']),
    status: v.literal('sent'),
    sequence: v.pipe(v.number(), v.integer(), v.minValue(1)),
    sentAt: isoInstant,
    clientMessageId: id,
    editedAt: v.exactOptional(isoInstant),
    deletedAt: v.exactOptional(isoInstant),
    deletedBy: v.exactOptional(id),
    version: v.exactOptional(counter),
    replyTo: v.exactOptional(quoteSchema),
    mentions: v.exactOptional(v.object({ userIds: v.array(id), everyone: v.exactOptional(v.literal(true)) })),
    reactions: v.exactOptional(v.array(reactionSchema)),
    metadata: v.exactOptional(v.record(v.string(), v.unknown())),
  }),
  v.metadata({ ref: 'Message' }),
);

export const participantSchema: v.GenericSchema<Participant> = v.pipe(
  v.object({
    userId: id,
    displayName: v.string(),
    avatarUrl: v.exactOptional(v.string()),
    role: v.picklist(['owner', 'admin', 'member']),
    joinedAt: isoInstant,
    online: v.boolean(),
    lastReadSequence: v.exactOptional(counter),
  }),
  v.metadata({ ref: 'Participant' }),
);

export const chatSettingsSchema = v.object({
  id,
  isGroup: v.boolean(),
  name: v.nullable(v.string()),
  avatarUrl: v.nullable(v.string()),
  metadata: v.nullable(v.record(v.string(), v.unknown())),
  posting: v.picklist(['all', 'admins']),
} satisfies Record<keyof ChatSettings, v.GenericSchema>);
