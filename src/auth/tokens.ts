import { sign, verify } from 'hono/jwt';
import * as v from 'valibot';
import { ChatError } from '../shared/errors.ts';
import { uuidPattern } from '../shared/ids.ts';
import type { VerifyToken } from './authenticate.ts';
import { assertTimes, requireToken, timeClaims } from './claims.ts';
import { createOwnSignature, keyIdOf } from './own-signature.ts';

export interface OwnTokenOptions {
  secret: string;
  /** Tokens that it signed are good, too. */
  previousSecret?: string | undefined;
  issuer: string;
  audience: string;
  accessTtlSeconds: number;
}

export interface OwnTokens {
  /** An access token of the session, of `accessTtlSeconds` unless it says otherwise. */
  sign(of: { userId: string; sessionId: string; ttlSeconds?: number }): Promise<string>;
  verify: VerifyToken;
  /** Seconds. */
  accessTtlSeconds: number;
}

/** Access tokens of our own: HS256 by `JWT_SECRET`. */
export async function createOwnTokens(options: OwnTokenOptions): Promise<OwnTokens> {
  const { issuer, audience, accessTtlSeconds, secret, previousSecret } = options;
  const secrets = previousSecret === undefined ? [secret] : [secret, previousSecret];
  // As a JWK it has a `kid`, which hono/jwt puts into the header.
  const signingKey = {
    kty: 'oct',
    alg: 'HS256',
    k: Buffer.from(secret).toString('base64url'),
    kid: keyIdOf(secret),
  };
  // Imported once; hono/jwt would do it again at every token.
  const keys = await Promise.all(secrets.map(importKey));
  const payloadOf = createOwnSignature(secrets);
  const claims = v.object({
    ...timeClaims(issuer, audience),
    sub: v.pipe(v.string(), v.regex(uuidPattern)),
    sid: v.pipe(v.string(), v.regex(uuidPattern)),
    token_use: v.literal('access'),
  });

  return {
    accessTtlSeconds,

    sign({ userId, sessionId, ttlSeconds = accessTtlSeconds }) {
      const now = Math.floor(Date.now() / 1000);
      return sign(
        {
          iss: issuer,
          aud: audience,
          sub: userId,
          sid: sessionId,
          token_use: 'access',
          iat: now,
          exp: now + ttlSeconds,
          // Two tokens of one session and one second differ.
          jti: crypto.randomUUID(),
        },
        signingKey,
        'HS256',
      );
    },

    async verify(token) {
      const text = requireToken(token);
      // The signature first: of a forged token nothing is believed, not even that it has expired.
      const payload = payloadOf(text) ?? (await payloadAnyway(text, keys));
      const { success, output } = v.safeParse(claims, payload);
      if (!success) throw new ChatError('token_invalid');
      assertTimes(output);
      return { userId: output.sub, sessionId: output.sid, expiresAt: output.exp };
    },
  };
}

const importKey = (secret: string): Promise<CryptoKey> =>
  crypto.subtle.importKey('raw', new TextEncoder().encode(secret), { name: 'HMAC', hash: 'SHA-256' }, false, [
    'verify',
  ]);

/**
 * Of a token that is signed by one of the keys and written another way than ours.
 * @throws ChatError `token_invalid`
 */
async function payloadAnyway(token: string, keys: readonly CryptoKey[]): Promise<unknown> {
  for (const key of keys) {
    try {
      return await verify(token, key, { alg: 'HS256', exp: false, nbf: false, iat: false });
    } catch {
      // hono/jwt puts the token into its messages: its error is neither kept nor logged.
    }
  }
  throw new ChatError('token_invalid');
}
