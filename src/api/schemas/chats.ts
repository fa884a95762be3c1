import * as v from 'valibot';
import { uuid } from '../../process/http/validate.ts';
import type { Chat, Page } from '../../shared/contract.ts';
import { nameProblem } from '../../shared/names.ts';
import {
  chatSettingsSchema,
  counter,
  isoInstant,
  messageSchema,
  participantSchema,
} from '../../shared/schemas.ts';
import { avatarUrl } from './avatar-url.ts';
import { listQuery, pageOf } from './lists.ts';
import { membershipSchema } from './memberships.ts';
import { metadata } from './metadata.ts';
import { userIds } from './participants.ts';

const name = v.pipe(
  v.string(),
  v.rawCheck(({ dataset, addIssue }) => {
    const message = dataset.typed ? nameProblem(dataset.value) : undefined;
    if (message !== undefined) addIssue({ message });
  }),
  v.maxLength(200, 'must have at most 200 characters (UTF-16)'),
);

export const createChatBody = v.pipe(
  v.strictObject({
    participantUserIds: userIds,
    name: v.nullish(name),
    isGroup: v.optional(v.boolean()),
  }),
  v.metadata({ ref: 'CreateChat' }),
);

export const updateChatBody = v.pipe(
  v.strictObject({
    name: v.optional(v.nullable(name)),
    avatarUrl: v.optional(v.nullable(avatarUrl)),
    metadata: v.optional(v.nullable(metadata)),
    posting: v.optional(
      v.pipe(
        v.picklist(['all', 'admins']),
        v.description('Who may send and edit: all who take part, or its owners and admins.'),
      ),
    ),
  }),
  v.metadata({ ref: 'UpdateChat' }),
);

export const chatListQuery = v.strictObject({
  ...listQuery.entries,
  filter: v.optional(
    v.pipe(
      v.picklist(['unread', 'archived', 'pinned']),
      v.description('Archived chats are in the list where they are asked for.'),
    ),
  ),
});

export const chatParams = v.strictObject({ chatId: uuid });

export const chatSchema: v.GenericSchema<Chat> = v.pipe(
  v.object({
    ...chatSettingsSchema.entries,
    createdAt: isoInstant,
    lastActivityAt: isoInstant,
    participantCount: counter,
    participants: v.array(participantSchema),
    lastMessage: v.nullable(messageSchema),
    lastSequence: counter,
    eventSequence: counter,
    membership: membershipSchema,
  }),
  v.metadata({ ref: 'Chat' }),
);

export const chatPageSchema: v.GenericSchema<Page<Chat>> = pageOf(chatSchema, 'ChatPage');
