import * as v from 'valibot';
import { uuidPattern } from '../../shared/ids.ts';

const uuid = v.pipe(v.string(), v.regex(uuidPattern, 'not a UUID'));
const counter = v.pipe(v.number(), v.integer(), v.minValue(1));
const instant = v.pipe(
  v.string(),
  v.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 'not ISO 8601, UTC, milliseconds'),
);

/** `chat.message.new`, no field more and none less than is documented. */
const messageEvent = v.strictObject({
  chatId: uuid,
  message: v.strictObject({
    id: uuid,
    chatId: uuid,
    senderId: uuid,
    content: v.string(),
    messageType: v.literal('text'),
    status: v.literal('sent'),
    sequence: counter,
    sentAt: instant,
    clientMessageId: uuid,
  }),
  eventSequence: counter,
});

const accepted = v.strictObject({ brokerMessageId: uuid, clientMessageId: uuid });

/** What is wrong with the event's shape; nothing when it is as documented. */
export const eventShapeProblems = (event: unknown): string[] => problems(messageEvent, event);
export const acceptedShapeProblems = (body: unknown): string[] => problems(accepted, body);

function problems(schema: v.GenericSchema, value: unknown): string[] {
  const { issues } = v.safeParse(schema, value);
  return (issues ?? []).map((issue) => `${v.getDotPath(issue) ?? 'the whole'}: ${issue.message}`);
}
