import * as v from 'valibot';
import { uuid } from '../../process/http/validate.ts';
import type { MessageReactions, Page, Reactor } from '../../shared/contract.ts';
import { reactionKey } from '../../shared/reaction-key.ts';
import { counter, id, isoInstant, reactionSchema } from '../../shared/schemas.ts';
import { listQuery, pageOf } from './lists.ts';

const key = v.pipe(
  v.string(),
  v.check(
    (given) => reactionKey(given) !== undefined,
    'must be one emoji, or 1 to 32 of a-z, 0-9, _, + and - between colons',
  ),
  v.transform((given) => reactionKey(given) ?? given),
  v.description('One emoji, with or without U+FE0F, or `:name:` of 1 to 32 of `a-z0-9_+-`.'),
  v.metadata({ examples: ['👍'] }),
);

export const reactionParams = v.strictObject({ chatId: uuid, messageId: uuid, key });

export const reactionsQuery = v.strictObject({ ...listQuery.entries, key: v.optional(key) });

export const messageReactionsSchema: v.GenericSchema<MessageReactions> = v.pipe(
  v.object({ messageId: id, reactions: v.array(reactionSchema), eventSequence: counter }),
  v.metadata({ ref: 'MessageReactions' }),
);

export const reactorPageSchema: v.GenericSchema<Page<Reactor>> = pageOf(
  v.pipe(v.object({ userId: id, key: v.string(), reactedAt: isoInstant }), v.metadata({ ref: 'Reactor' })),
  'ReactorPage',
);
