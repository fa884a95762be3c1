import { createPublicKey } from 'node:crypto';
import { errors } from 'jose';
import { ChatError } from '../shared/errors.ts';
import type { Logger } from '../shared/log.ts';
import { reasonOf } from '../shared/loggable.ts';
import { type KeySet, type OutsideAlgorithm, outsideAlgorithms, readKeySet } from './key-set.ts';

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
  log: Logger;
  /** How long the provider may take. */
  timeoutMs?: number;
  /** The least time between two readings that unknown key ids cause, and between two while the provider cannot be read. */
  cooldownMs?: number;
  /** After that keys are read again, while those known are used. */
  maxAgeMs?: number;
  /** How long keys are believed while the provider cannot be read. */
  keptMs?: number;
}

/**
 * `JWT_JWKS_URL`: the last good set is kept, and read again in the background when it is old. A provider that is away, or answers
 * with something else than usable keys, does not take away those that are known: only a good set does, also one in which a
 * key is missing. A key id that is not in it has it read again at once, but not by every such token. Nothing is read while no
 * token comes; the first one after a long time waits for what the provider says now.
 */
export function createJwksFinder(url: string, options: JwksOptions): FindKey {
  const { log, timeoutMs = 3_000, cooldownMs = 10_000, maxAgeMs = 600_000, keptMs = 86_400_000 } = options;
  const address = new URL(url);
  let keys: KeySet | undefined;
  let [readAt, triedAt, askedForUnknownAt] = [Number.NEGATIVE_INFINITY, 0, Number.NEGATIVE_INFINITY];
  let failure: unknown;
  let reading: Promise<void> | undefined;
  let state: 'known' | 'kept' | 'unknown' | undefined;

  const believed = () => (performance.now() - readAt < keptMs ? keys : undefined);

  /** Never rejects, and never happens twice at once. */
  function read(): Promise<void> {
    reading ??= readNow().finally(() => {
      reading = undefined;
    });
    return reading;
  }

  async function readNow(): Promise<void> {
    triedAt = performance.now();
    try {
      keys = await readKeySet(address, timeoutMs);
      readAt = performance.now();
      failure = undefined;
    } catch (error) {
      failure = error;
    }
    tell();
  }

  /** Each change once. */
  function tell(): void {
    const before = state;
    state = failure === undefined ? 'known' : believed() ? 'kept' : 'unknown';
    if (state === before) return;
    const reason = reasonOf(failure);
    if (state === 'kept') {
      const until = new Date(Date.now() + keptMs - (performance.now() - readAt)).toISOString();
      log.warn({ reason, until }, "the identity provider's keys can't be read; the known ones are used");
    } else if (state === 'unknown') {
      log.warn({ reason }, "the identity provider's keys can't be read; its tokens are answered 503");
    } else if (before !== undefined) log.info("the identity provider's keys can be read again");
  }

  function unavailable(cause: unknown): ChatError {
    const waitMs = triedAt + cooldownMs - performance.now();
    return new ChatError('server_busy', "The identity provider's keys cannot be read now.", {
      cause,
      retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)),
    });
  }

  async function refresh(): Promise<void> {
    const sinceTry = performance.now() - triedAt;
    if (believed()) {
      if (sinceTry < (failure === undefined ? maxAgeMs : cooldownMs)) return;
      const news = read();
      if (sinceTry > 2 * maxAgeMs) await news;
    } else if (reading || sinceTry >= cooldownMs) {
      await read();
    }
  }

  async function readForUnknown(): Promise<void> {
    const now = performance.now();
    if (now - askedForUnknownAt >= cooldownMs) {
      askedForUnknownAt = now;
      await read();
    } else await reading;
  }

  async function find(header: Parameters<KeySet>[0]): Promise<CryptoKey | undefined> {
    const set = believed();
    if (!set) throw unavailable(failure);
    try {
      return await set(header);
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) return undefined;
      if (error instanceof errors.JWKSMultipleMatchingKeys) throw new ChatError('token_invalid');
      throw unavailable(error);
    }
  }

  void read();
  return async (header) => {
    const alg = outsideAlgorithms.find((known) => known === header.alg);
    if (alg === undefined) throw new ChatError('token_invalid');
    await refresh();
    let key = await find(header);
    if (!key) {
      await readForUnknown();
      key = await find(header);
    }
    if (key) return { key, alg };
    // A new key, perhaps: nobody can tell while the provider cannot be read.
    throw failure === undefined ? new ChatError('token_invalid') : unavailable(failure);
  };
}
