import { createPublicKey } from 'node:crypto';
import { createRemoteJWKSet, errors } from 'jose';
import { ChatError } from '../shared/errors.ts';
import { isStrongKey } from '../shared/key-strength.ts';

/** Asymmetric ones alone: a public key taken for an HMAC secret would let anybody sign. */
export type OutsideAlgorithm = 'EdDSA' | 'RS256' | 'ES256';

/** @throws ChatError `token_invalid` for a header that no key answers to, `server_busy` when the keys cannot be read */
export type FindKey = (header: {
  alg: string;
  kid?: string;
}) => Promise<{ key: CryptoKey; alg: OutsideAlgorithm }>;

/**
 * `JWT_PUBLIC_KEY`: the key itself says its algorithm, Ed25519 or RSA; a token may not choose.
 * @throws Error for any other key
 */
export async function createPublicKeyFinder(pem: string): Promise<FindKey> {
  const publicKey = createPublicKey(pem);
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const alg = algorithmOf(publicKey.asymmetricKeyType);
  const key = await crypto.subtle.importKey('spki', new Uint8Array(spki), importParameters[alg], false, [
    'verify',
  ]);
  return async (header) => {
    if (header.alg !== alg) throw new ChatError('token_invalid');
    return { key, alg };
  };
}

function algorithmOf(keyType: string | undefined): keyof typeof importParameters {
  if (keyType === 'ed25519') return 'EdDSA';
  if (keyType === 'rsa') return 'RS256';
  throw new Error(`JWT_PUBLIC_KEY holds a key of type ${keyType}: it must be Ed25519 or RSA.`);
}

const importParameters = {
  EdDSA: { name: 'Ed25519' },
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
} as const satisfies Partial<Record<OutsideAlgorithm, object>>;

export interface JwksOptions {
  /** How long the provider may take. */
  timeoutMs?: number;
  /** The least time between two readings that unknown key ids or failures cause. */
  cooldownMs?: number;
  /** How long keys are believed without a look. */
  maxAgeMs?: number;
}

/**
 * `JWT_JWKS_URL`: jose keeps the set, reads it again when it is old or a key id is not in it, and never twice at once.
 * A provider that is down is asked again only after the cooldown, like one that does not know a key.
 */
export function createJwksFinder(url: string, options: JwksOptions = {}): FindKey {
  const { timeoutMs = 3_000, cooldownMs = 10_000, maxAgeMs = 600_000 } = options;
  const keys = createRemoteJWKSet(new URL(url), {
    timeoutDuration: timeoutMs,
    cooldownDuration: cooldownMs,
    cacheMaxAge: maxAgeMs,
  });
  let askAgainAt = 0;
  const strong = new WeakMap<CryptoKey, Promise<boolean>>();

  function isStrong(key: CryptoKey): Promise<boolean> {
    const known = strong.get(key) ?? isStrongKey(key);
    strong.set(key, known);
    return known;
  }

  const unavailable = (cause?: unknown) =>
    new ChatError('server_busy', "The identity provider's keys cannot be read now.", {
      cause,
      retryAfterSeconds: Math.max(1, Math.ceil((askAgainAt - Date.now()) / 1000)),
    });

  return async (header) => {
    const alg = header.alg;
    if (alg !== 'EdDSA' && alg !== 'RS256' && alg !== 'ES256') throw new ChatError('token_invalid');
    if (!keys.fresh && Date.now() < askAgainAt) throw unavailable();
    try {
      const key = await keys(header);
      if (!(await isStrong(key))) throw new ChatError('token_invalid');
      return { key, alg };
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) {
        throw new ChatError('token_invalid');
      }
      if (error instanceof ChatError) throw error;
      if (error instanceof errors.JOSENotSupported) throw new ChatError('token_invalid');
      askAgainAt = Date.now() + cooldownMs;
      throw unavailable(error);
    }
  };
}
