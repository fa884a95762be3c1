import * as v from 'valibot';
import type {
  ChangesPage,
  ChatChange,
  MessageEvent,
  ParticipantEvent,
  SyncResetEvent,
} from '../../shared/contract.ts';
import { counter, digits } from './lists.ts';
import { messageSchema } from './messages.ts';
import { participantSchema } from './participants.ts';

export const changesQuery = v.strictObject({
  after: v.pipe(
    digits,
    v.transform(Number),
    v.safeInteger('is beyond any eventSequence'),
    v.description('An `eventSequence`; what is numbered above it is answered. 0 is the beginning.'),
  ),
});

const chatId = v.pipe(v.string(), v.uuid());

const messageEvent: v.GenericSchema<MessageEvent> = v.pipe(
  v.object({ chatId, message: messageSchema, eventSequence: counter }),
  v.metadata({ ref: 'MessageEvent' }),
);
const participantEvent: v.GenericSchema<ParticipantEvent> = v.pipe(
  v.object({
    chatId,
    participant: participantSchema,
    participants: v.exactOptional(v.array(participantSchema)),
    eventSequence: counter,
  }),
  v.metadata({ ref: 'ParticipantEvent' }),
);
const syncResetEvent: v.GenericSchema<SyncResetEvent> = v.pipe(
  v.object({ chatId: v.exactOptional(chatId), eventSequence: v.exactOptional(counter) }),
  v.metadata({ ref: 'SyncResetEvent' }),
);

const changeSchema: v.GenericSchema<ChatChange> = v.union([
  v.object({ event: v.picklist(['chat.message.new', 'chat.message.saved']), payload: messageEvent }),
  v.object({
    event: v.picklist(['chat.participant.added', 'chat.participant.removed']),
    payload: participantEvent,
  }),
  v.object({ event: v.literal('chat.sync.reset'), payload: syncResetEvent }),
]);

export const changesPageSchema: v.GenericSchema<ChangesPage> = v.pipe(
  v.object({ data: v.array(changeSchema), eventSequence: counter }),
  v.metadata({ ref: 'ChangesPage' }),
);
