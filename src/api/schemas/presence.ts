import * as v from 'valibot';
import { uuid } from '../../process/http/validate.ts';
import type { UserPresence } from '../../shared/contract.ts';
import { id, isoInstant } from '../../shared/schemas.ts';

export const typingBody = v.pipe(v.strictObject({ typing: v.boolean() }), v.metadata({ ref: 'SetTyping' }));

const mostUsers = 100;

export const presenceQuery = v.strictObject({
  userIds: v.pipe(
    v.string(),
    v.transform((text) => text.split(',')),
    v.maxLength(mostUsers, `must name at most ${mostUsers}`),
    v.array(uuid),
    v.description(`Ids of users, 1 to ${mostUsers}, with commas between them.`),
  ),
});

export const userPresence = v.object({ userId: id, online: v.boolean(), lastSeenAt: v.nullable(isoInstant) });

const userPresenceSchema: v.GenericSchema<UserPresence> = v.pipe(
  userPresence,
  v.metadata({ ref: 'UserPresence' }),
);

export const presenceSchema = v.pipe(
  v.object({ data: v.array(userPresenceSchema) }),
  v.metadata({ ref: 'PresenceList' }),
);
