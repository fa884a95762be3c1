import * as v from 'valibot';
import { passwordProblem } from '../../auth/password-problem.ts';
import { uuid } from '../../process/http/validate.ts';
import type { MadeToken, TokenPair, User } from '../../shared/contract.ts';
import { isDeliverable, maxEmailLength, normalEmail } from '../../shared/email.ts';
import { maxDisplayNameLength, nameProblem } from '../../shared/names.ts';
import { id, isoInstant } from '../../shared/schemas.ts';
import { avatarUrl } from './avatar-url.ts';
import { userIdsInQuery } from './lists.ts';
import { metadata } from './metadata.ts';

const exampleUser: User = {
  id: '0198c0de-0000-7000-8000-000000000001',
  displayName: 'Ada',
  createdAt: '2026-02-14T12:00:00.000Z',
  email: 'ada@example.com',
};

export const userSchema = v.pipe(
  v.strictObject({
    id,
    externalId: v.optional(
      v.pipe(
        v.string(),
        v.description(
          'The subject at the outside identity provider. Shown to oneself, and to the operator’s backend.',
        ),
      ),
    ),
    displayName: v.string(),
    createdAt: isoInstant,
    avatarUrl: v.optional(v.string()),
    metadata: v.optional(v.record(v.string(), v.unknown())),
    email: v.optional(v.pipe(v.string(), v.description('Shown to oneself alone.'))),
    readReceipts: v.optional(v.pipe(v.boolean(), v.description('False; shown to oneself alone.'))),
    showPresence: v.optional(v.pipe(v.boolean(), v.description('False; shown to oneself alone.'))),
  } satisfies Record<keyof User, v.GenericSchema>),
  v.metadata({ ref: 'User', examples: [exampleUser] }),
);

const displayName = v.pipe(
  v.string(),
  v.trim(),
  v.rawCheck(({ dataset, addIssue }) => {
    const message = dataset.typed ? nameProblem(dataset.value) : undefined;
    if (message !== undefined) addIssue({ message });
  }),
  v.check(
    (name) => Array.from(name).length <= maxDisplayNameLength,
    `may have ${maxDisplayNameLength} characters`,
  ),
  v.metadata({ examples: ['Ada'] }),
);

export const updateMeBody = v.pipe(
  v.strictObject({
    displayName: v.optional(displayName),
    avatarUrl: v.optional(v.nullable(avatarUrl)),
    metadata: v.optional(v.nullable(metadata)),
    readReceipts: v.optional(
      v.pipe(
        v.boolean(),
        v.description('False: nobody is told what you have read, and you are not told what others have.'),
      ),
    ),
    showPresence: v.optional(
      v.pipe(v.boolean(), v.description('False: to all others you are offline, and all others to you.')),
    ),
  }),
  v.metadata({ ref: 'UpdateMe' }),
);

export const usersSchema = v.strictObject({ data: v.array(userSchema) });

export const tokenPairSchema = v.pipe(
  v.strictObject({
    accessToken: v.pipe(v.string(), v.description('A JWT.')),
    refreshToken: v.pipe(v.string(), v.description('Opaque; for one exchange.')),
    tokenType: v.literal('Bearer'),
    expiresIn: v.pipe(v.number(), v.integer(), v.description('Seconds until the access token expires.')),
    user: userSchema,
  } satisfies Record<keyof TokenPair, v.GenericSchema>),
  v.metadata({ ref: 'TokenPair' }),
);

const emailText = v.pipe(
  v.string(),
  v.trim(),
  v.maxLength(maxEmailLength, `may have ${maxEmailLength} characters`),
  v.metadata({ examples: ['ada@example.com'] }),
);

/** As it is kept and compared: in lower case, the domain in ASCII. */
const email = v.pipe(
  emailText,
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const normal = normalEmail(dataset.value);
    if (normal !== undefined) return normal;
    addIssue({ message: 'must be an email address' });
    return NEVER;
  }),
);

/** One that is not known yet. */
const newEmail = v.pipe(
  email,
  v.check(isDeliverable, 'may have 64 characters before the @, and 63 between two dots after it'),
);

/** In a query string a `+` that is not encoded is a space, and no address has one inside. */
const emailInQuery = v.pipe(
  emailText,
  v.transform((text) => text.replaceAll(' ', '+')),
  email,
);

/** UTF-16 units; no kind of character is asked for. */
const password = v.pipe(
  v.string(),
  v.minLength(8, 'must have at least 8 characters'),
  v.maxLength(256, 'may have 256 characters'),
  v.description('Not blank, not the email, none of the most common ones.'),
  v.metadata({ examples: ['correct horse battery staple'] }),
);

export const registerBody = v.pipe(
  v.strictObject({ email: newEmail, password, displayName: v.optional(displayName) }),
  v.forward(
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return;
      const message = passwordProblem(dataset.value.password, dataset.value.email);
      if (message !== undefined) addIssue({ message });
    }),
    ['password'],
  ),
);
/** A wrong password is wrong, however short: only its length above is bounded, before it is hashed. */
export const loginBody = v.strictObject({
  email,
  password: v.pipe(
    v.string(),
    v.nonEmpty('must not be empty'),
    v.maxLength(256, 'may have 256 characters'),
    v.metadata({ examples: ['correct horse battery staple'] }),
  ),
});
export const refreshBody = v.strictObject({
  refreshToken: v.pipe(
    v.string(),
    v.nonEmpty('must not be empty'),
    v.maxLength(256, 'may have 256 characters'),
    v.metadata({
      examples: ['0198c0de-0000-7000-8000-000000000002.0.Zk3V0m9yQ1cT7n2bX5rL8w.HsJ4dF6gKpAeRuYiOoWxMQ'],
    }),
  ),
});
/** By one of the two. */
export const findUsersQuery = v.pipe(
  v.strictObject({ email: v.optional(emailInQuery), userIds: v.optional(userIdsInQuery) }),
  v.forward(
    v.check(
      ({ email, userIds }) => (email === undefined) !== (userIds === undefined),
      'must be there, or userIds in its place',
    ),
    ['email'],
  ),
);

/** A path's segment, or a field. */
export const externalId = v.pipe(
  v.string(),
  v.nonEmpty('must not be empty'),
  v.maxLength(255, 'may have 255 characters'),
  v.metadata({ examples: ['auth0|5f7c8ec7c33c6c004bbafe82'] }),
);

const outsideUser = {
  displayName: v.optional(displayName),
  email: v.optional(newEmail),
  avatarUrl: v.optional(avatarUrl),
  metadata: v.optional(metadata),
};

export const outsideUserBody = v.pipe(v.strictObject(outsideUser), v.metadata({ ref: 'PutExternalUser' }));

const mostOutsideUsers = 1_000;

export const outsideUsersBody = v.pipe(
  v.strictObject({
    users: v.pipe(
      v.array(v.strictObject({ externalId, ...outsideUser })),
      v.minLength(1, 'must name somebody'),
      v.maxLength(mostOutsideUsers, `must be ${mostOutsideUsers} at most`),
      v.rawCheck(({ dataset, addIssue }) => {
        if (!dataset.typed) return;
        const known = new Set<string>();
        for (const { externalId } of dataset.value) {
          if (known.has(externalId)) addIssue({ message: `names ${externalId} more than once` });
          known.add(externalId);
        }
      }),
    ),
  }),
  v.metadata({ ref: 'PutExternalUsers' }),
);

/** @param longestSeconds no token outlives a session */
export const makeTokenBody = (longestSeconds: number) => {
  const ttlMessage = `must be a whole number of seconds, from 1 to ${longestSeconds}`;
  return v.pipe(
    v.strictObject({
      userId: v.optional(uuid),
      externalId: v.optional(externalId),
      ttl: v.optional(
        v.pipe(
          v.number(),
          v.safeInteger(ttlMessage),
          v.minValue(1, ttlMessage),
          v.maxValue(longestSeconds, ttlMessage),
          v.description('Seconds; JWT_ACCESS_TTL unless given.'),
        ),
      ),
    }),
    v.check(
      ({ userId, externalId }) => (userId === undefined) !== (externalId === undefined),
      'must name one of userId and externalId',
    ),
    v.metadata({ ref: 'MakeToken' }),
  );
};

export const madeTokenSchema = v.pipe(
  v.strictObject({
    accessToken: tokenPairSchema.pipe[0].entries.accessToken,
    tokenType: v.literal('Bearer'),
    expiresIn: tokenPairSchema.pipe[0].entries.expiresIn,
    user: userSchema,
  } satisfies Record<keyof MadeToken, v.GenericSchema>),
  v.metadata({ ref: 'MadeToken' }),
);
