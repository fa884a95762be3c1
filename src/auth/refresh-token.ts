import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createSigner } from '../shared/signature.ts';

/** One of a line of tokens: the same session and seed, and a counter that each exchange moves on by one. */
export interface RefreshToken {
  sessionId: string;
  counter: number;
  /** Known to the client alone: the database, which has the key, could make no token without it. */
  seed: string;
}

/**
 * `<session>.<counter>.<seed>.<HMAC>`. Without the key nobody makes the next one of a token, and whoever has the key and
 * any of the line makes the same: so the successor can be given again, and no token has to be kept for it. One that is not
 * of ours is known without a look into the database.
 */
export interface RefreshTokens {
  write(token: RefreshToken): string;
  /** Undefined for what was not made here. */
  read(text: string): RefreshToken | undefined;
  /** The seed of the line that the exchange of a token without a counter opens. */
  seedAfter(opaque: string): string;
}

const form = /^([0-9a-f-]{36})\.(0|[1-9]\d{0,8})\.([\w-]{22})\.([\w-]{22})$/;
const opaqueForm = /^[\w-]{43}$/;

/** @param accountKey `account_key` in the settings */
export function createRefreshTokens(accountKey: string): RefreshTokens {
  const sign = createSigner(accountKey);

  const write = ({ sessionId, counter, seed }: RefreshToken): string => {
    const body = `${sessionId}.${counter}.${seed}`;
    return `${body}.${sign(`refresh\n${body}`)}`;
  };
  return {
    write,
    read(text) {
      const [, sessionId, counter, seed, mac] = form.exec(text) ?? [];
      if (sessionId === undefined || counter === undefined || seed === undefined || mac === undefined) {
        return undefined;
      }
      const expected = sign(`refresh\n${sessionId}.${counter}.${seed}`);
      if (!timingSafeEqual(Buffer.from(mac), Buffer.from(expected))) return undefined;
      return { sessionId, counter: Number(counter), seed };
    },
    seedAfter: (opaque) => sign(`seed\n${opaque}`),
  };
}

/** 128 random bits. */
export const newSeed = (): string => randomBytes(16).toString('base64url');

/** As tokens were before they had a counter: 256 random bits. */
export const isOpaque = (text: string): boolean => opaqueForm.test(text);

/** What PostgreSQL keeps of a token: it is random enough to need no salt and no slowness. */
export const hashRefreshToken = (token: string): string =>
  new Bun.CryptoHasher('sha256').update(token).digest('base64url');
