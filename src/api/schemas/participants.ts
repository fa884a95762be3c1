import * as v from 'valibot';
import { mostParticipants } from '../../chat/create-chat.ts';
import { uuid } from '../../process/http/validate.ts';
import type { Page, Participant } from '../../shared/contract.ts';
import { participantSchema } from '../../shared/schemas.ts';
import { pageOf } from './lists.ts';

export const userIds = v.pipe(
  v.array(uuid),
  v.maxLength(mostParticipants, `must be ${mostParticipants} at most`),
);

export const addParticipantsBody = v.pipe(
  v.strictObject({ userIds: v.pipe(userIds, v.minLength(1, 'must name somebody')) }),
  v.metadata({ ref: 'AddParticipants' }),
);

export const roleBody = v.pipe(
  v.strictObject({ role: v.picklist(['owner', 'admin', 'member']) }),
  v.metadata({ ref: 'SetRole' }),
);

export const participantParams = v.strictObject({ chatId: uuid, userId: uuid });

export const participantPageSchema: v.GenericSchema<Page<Participant>> = pageOf(
  participantSchema,
  'ParticipantPage',
);
