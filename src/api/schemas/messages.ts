import * as v from 'valibot';
import { uuid } from '../../process/http/validate.ts';
import type { MessagePage, SendAccepted } from '../../shared/contract.ts';
import { counter, id, messageSchema } from '../../shared/schemas.ts';
import { limit, sequence } from './lists.ts';

/** In UTF-16 units: what `length` says in the sender's program. */
const longestContent = 8_000;

/** Kept as it is: neither trimmed nor normalised. NUL and lone surrogates are refused for every body. */
const content = v.pipe(
  v.string(),
  v.regex(/\S/, 'must not be blank'),
  v.maxLength(longestContent, `must have at most ${longestContent} characters (UTF-16)`),
  v.description(`Not blank, at most ${longestContent} UTF-16 units; kept to the letter.`),
);

export const sendBody = v.pipe(
  v.strictObject({ content, clientMessageId: v.optional(uuid) }),
  v.metadata({ ref: 'SendMessage' }),
);

export const historyQuery = v.pipe(
  v.strictObject({ limit, before: v.optional(sequence), after: v.optional(sequence) }),
  v.check(
    ({ before, after }) => before === undefined || after === undefined,
    'before and after exclude each other',
  ),
);

/** The cursor of a page's query, as the verb takes it. */
export function historyFrom({
  before,
  after,
}: {
  before?: number | undefined;
  after?: number | undefined;
}): { before: number } | { after: number } | undefined {
  if (before !== undefined) return { before };
  return after === undefined ? undefined : { after };
}

export const messageParams = v.strictObject({ chatId: uuid, messageId: uuid });

export const messagePageSchema: v.GenericSchema<MessagePage> = v.pipe(
  v.object({
    data: v.array(messageSchema),
    page: v.object({ hasBefore: v.boolean(), hasAfter: v.boolean(), eventSequence: counter }),
  }),
  v.metadata({ ref: 'MessagePage' }),
);

export const acceptedSchema: v.GenericSchema<SendAccepted> = v.pipe(
  v.object({
    brokerMessageId: id,
    clientMessageId: id,
  }),
  v.metadata({ ref: 'SendAccepted' }),
);
