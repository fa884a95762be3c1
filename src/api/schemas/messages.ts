import * as v from 'valibot';
import { uuid } from '../../process/http/validate.ts';
import type {
  Mentions,
  MessageEdit,
  MessageExtras,
  MessagePage,
  SendAccepted,
} from '../../shared/contract.ts';
import { mostMentioned } from '../../shared/message-extras.ts';
import { counter, id, messageSchema } from '../../shared/schemas.ts';
import { limit, sequence } from './lists.ts';
import { metadata } from './metadata.ts';

/** In UTF-16 units: what `length` says in the sender's program. */
const longestContent = 8_000;

/** Kept as it is: neither trimmed nor normalised. NUL and lone surrogates are refused for every body. */
const content = v.pipe(
  v.string(),
  v.regex(/\S/, 'must not be blank'),
  v.maxLength(longestContent, `must have at most ${longestContent} characters (UTF-16)`),
  v.description(`Not blank, at most ${longestContent} UTF-16 units; kept to the letter.`),
);

const mentions = v.strictObject({
  userIds: v.pipe(
    v.array(uuid),
    v.maxLength(mostMentioned, `must name at most ${mostMentioned} users`),
    v.description(`At most ${mostMentioned}; who takes no part in the chat is left out.`),
  ),
  everyone: v.optional(v.boolean()),
});

export const sendBody = v.pipe(
  v.strictObject({
    content,
    clientMessageId: v.optional(uuid),
    replyTo: v.optional(v.pipe(uuid, v.description('The id of a message of this chat.'))),
    mentions: v.optional(mentions),
    metadata: v.optional(metadata),
    messageType: v.optional(
      v.pipe(v.picklist(['text', 'system']), v.description('`system`: by the service token alone.')),
    ),
  }),
  v.metadata({ ref: 'SendMessage' }),
);

/** Undefined for a message that is text and nothing more. */
export function extrasOf({
  replyTo,
  mentions,
  metadata,
  messageType,
}: v.InferOutput<typeof sendBody>): MessageExtras | undefined {
  const given = mentions && mentionsOf(mentions);
  const mentioned = given !== undefined && (given.userIds.length > 0 || given.everyone === true);
  const system = messageType === 'system';
  if (replyTo === undefined && !mentioned && metadata === undefined && !system) return undefined;
  return {
    ...(replyTo === undefined ? {} : { replyTo }),
    ...(mentioned ? { mentions: given } : {}),
    ...(metadata === undefined ? {} : { metadata }),
    ...(system ? { messageType } : {}),
  };
}

/** Each once. */
const mentionsOf = ({ userIds, everyone }: v.InferOutput<typeof mentions>): Mentions => ({
  userIds: [...new Set(userIds)],
  ...(everyone ? { everyone } : {}),
});

export const editBody = v.pipe(
  v.strictObject({
    content: v.optional(content),
    mentions: v.optional(mentions),
    metadata: v.optional(metadata),
  }),
  v.metadata({ ref: 'EditMessage' }),
);

export const editOf = ({ content, mentions, metadata }: v.InferOutput<typeof editBody>): MessageEdit => ({
  ...(content === undefined ? {} : { content }),
  ...(mentions === undefined ? {} : { mentions: mentionsOf(mentions) }),
  ...(metadata === undefined ? {} : { metadata }),
});

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
