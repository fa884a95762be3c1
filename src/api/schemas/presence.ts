import * as v from 'valibot';
import type { UserPresence } from '../../shared/contract.ts';
import { id, isoInstant } from '../../shared/schemas.ts';
import { userIdsInQuery } from './lists.ts';

export const typingBody = v.pipe(v.strictObject({ typing: v.boolean() }), v.metadata({ ref: 'SetTyping' }));

export const presenceQuery = v.strictObject({ userIds: userIdsInQuery });

export const userPresence = v.object({ userId: id, online: v.boolean(), lastSeenAt: v.nullable(isoInstant) });

const userPresenceSchema: v.GenericSchema<UserPresence> = v.pipe(
  userPresence,
  v.metadata({ ref: 'UserPresence' }),
);

export const presenceSchema = v.pipe(
  v.object({ data: v.array(userPresenceSchema) }),
  v.metadata({ ref: 'PresenceList' }),
);
