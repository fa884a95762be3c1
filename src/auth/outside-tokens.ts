import { decode, verify } from 'hono/jwt';
import * as v from 'valibot';
import { normalEmail } from '../shared/email.ts';
import { ChatError } from '../shared/errors.ts';
import { cleanName } from '../shared/names.ts';
import type { VerifyToken } from './authenticate.ts';
import { assertTimes, requireToken, timeClaims } from './claims.ts';
import type { FindKey } from './outside-keys.ts';
import type { OutsideUsers } from './outside-users.ts';

export interface OutsideTokenOptions {
  issuer: string;
  audience: string;
  findKey: FindKey;
  users: OutsideUsers;
  /** Of tokens that the host's backend has had made here. */
  own?: VerifyToken | undefined;
}

/** Access tokens of another identity provider. A user's row is made at its first token. */
export function createOutsideVerify(options: OutsideTokenOptions): VerifyToken {
  const { issuer, audience, findKey, users, own } = options;
  const claims = v.object({
    ...timeClaims(issuer, audience),
    sub: v.pipe(
      v.string(),
      v.minLength(1),
      v.maxLength(255),
      v.check((sub) => sub.isWellFormed() && !sub.includes('\0')),
    ),
    name: v.fallback(v.optional(v.pipe(v.string(), v.transform(publicName))), undefined),
  });

  return async (token) => {
    const text = requireToken(token);
    const header = headerOf(text);
    // No provider's key is for this algorithm.
    if (own && header.alg === 'HS256') return own(text);
    const payload = await verifySignature(text, header, findKey);
    const { success, output } = v.safeParse(claims, payload);
    if (!success) throw new ChatError('token_invalid');
    assertTimes(output);
    const userId = await users.ensure(output.sub, output.name);
    return { userId, sessionId: undefined, expiresAt: output.exp };
  };
}

/** Undefined for what others are not shown: some providers say the email where they know no name. */
function publicName(claim: string): string | undefined {
  const name = cleanName(claim);
  return name === undefined || normalEmail(name) !== undefined ? undefined : name;
}

async function verifySignature(
  token: string,
  header: v.InferOutput<typeof headerSchema>,
  findKey: FindKey,
): Promise<unknown> {
  const { key, alg } = await findKey(header);
  try {
    return await verify(token, key, {
      alg,
      exp: false,
      nbf: false,
      iat: false,
      // RFC 9068 names access tokens `at+jwt`; most providers say `JWT` or nothing.
      ...(header.typ === undefined ? {} : { typ: ['JWT', 'at+jwt'] }),
    });
  } catch {
    throw new ChatError('token_invalid');
  }
}

const headerSchema = v.object({
  alg: v.string(),
  typ: v.optional(v.unknown()),
  kid: v.exactOptional(v.string()),
});

/** Checked: `decode` gives whatever JSON the client wrote there. */
function headerOf(token: string): v.InferOutput<typeof headerSchema> {
  try {
    return v.parse(headerSchema, decode(token).header);
  } catch {
    throw new ChatError('token_invalid');
  }
}
