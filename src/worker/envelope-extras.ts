import type { Mentions, MessageExtras } from '../shared/contract.ts';
import { isLowerCaseUuid } from '../shared/ids.ts';
import { isObject, metadataProblem, mostMentioned, textProblem } from '../shared/message-extras.ts';

/** The extras of an envelope of version 2 or 3, but for its type, and nothing more of it; what is wrong where an api does not write it so. */
export function readExtras({ replyTo, mentions, metadata }: Record<string, unknown>): MessageExtras | string {
  const extras: MessageExtras = {};
  if (replyTo !== undefined) {
    if (!isLowerCaseUuid(replyTo)) return 'replyTo is not a UUID in lower case';
    extras.replyTo = replyTo;
  }
  if (mentions !== undefined) {
    const read = readMentions(mentions);
    if (!read) return 'mentions are not of users in lower case, and of everyone';
    extras.mentions = read;
  }
  if (metadata !== undefined) {
    if (!isObject(metadata)) return 'metadata is not an object';
    const problem = metadataProblem(metadata) ?? nestedTextProblem(metadata);
    if (problem !== undefined) return `metadata ${problem}`;
    extras.metadata = metadata;
  }
  return extras;
}

function readMentions(value: unknown): Mentions | undefined {
  if (!isObject(value)) return undefined;
  const { userIds, everyone } = value;
  if (!Array.isArray(userIds) || userIds.length > mostMentioned) return undefined;
  if (!userIds.every(isLowerCaseUuid) || (everyone !== undefined && everyone !== true)) return undefined;
  return { userIds, ...(everyone ? { everyone } : {}) };
}

/** Its levels are few: they were counted before. */
function nestedTextProblem(value: unknown): string | undefined {
  if (typeof value === 'string') return textProblem(value);
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [name, item] of Object.entries(value)) {
    const problem = textProblem(name) ?? nestedTextProblem(item);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
