import * as v from 'valibot';
import { maxDisplayNameLength } from '../../auth/names.ts';
import type { TokenPair, User } from '../../shared/contract.ts';
import { isoInstant } from './lists.ts';

const exampleUser: User = {
  id: '0198c0de-0000-7000-8000-000000000001',
  displayName: 'Ada',
  createdAt: '2026-02-14T12:00:00.000Z',
  email: 'ada@example.com',
};

export const userSchema = v.pipe(
  v.strictObject({
    id: v.pipe(v.string(), v.uuid()),
    externalId: v.optional(
      v.pipe(v.string(), v.description('The subject at the outside identity provider.')),
    ),
    displayName: v.string(),
    createdAt: isoInstant,
    email: v.optional(v.pipe(v.string(), v.description('Shown to oneself alone.'))),
  } satisfies Record<keyof User, v.GenericSchema>),
  v.metadata({ ref: 'User', examples: [exampleUser] }),
);

export const usersSchema = v.strictObject({ data: v.array(userSchema) });

export const tokenPairSchema = v.pipe(
  v.strictObject({
    accessToken: v.pipe(v.string(), v.description('A JWT.')),
    refreshToken: v.pipe(v.string(), v.description('Opaque; good for one exchange.')),
    tokenType: v.literal('Bearer'),
    expiresIn: v.pipe(v.number(), v.integer(), v.description('Seconds until the access token expires.')),
    user: userSchema,
  } satisfies Record<keyof TokenPair, v.GenericSchema>),
  v.metadata({ ref: 'TokenPair' }),
);

/** Kept and compared in lower case. */
export const email = v.pipe(
  v.string(),
  v.trim(),
  v.maxLength(254, 'may have 254 characters'),
  v.email('must be an email address'),
  v.toLowerCase(),
  v.metadata({ examples: ['ada@example.com'] }),
);

/** UTF-16 units; no kind of character is asked for. */
export const password = v.pipe(
  v.string(),
  v.minLength(8, 'must have at least 8 characters'),
  v.maxLength(256, 'may have 256 characters'),
  v.metadata({ examples: ['correct horse battery staple'] }),
);

export const displayName = v.pipe(
  v.string(),
  v.trim(),
  v.nonEmpty('must not be blank'),
  v.check(
    (name) => Array.from(name).length <= maxDisplayNameLength,
    `may have ${maxDisplayNameLength} characters`,
  ),
  v.metadata({ examples: ['Ada'] }),
);

export const registerBody = v.strictObject({ email, password, displayName: v.optional(displayName) });
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
    v.metadata({ examples: ['Zk3V0m9yQ1cT7n2bX5rL8wHsJ4dF6gKpAeRuYiOoWxM'] }),
  ),
});
export const outsideUserBody = v.strictObject({
  displayName: v.optional(displayName),
  email: v.optional(email),
});
