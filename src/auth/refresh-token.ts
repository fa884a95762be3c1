import { randomBytes } from 'node:crypto';

/** Opaque, 256 random bits: its hash needs no salt and no slowness. */
export const newRefreshToken = (): string => randomBytes(32).toString('base64url');

/** What PostgreSQL keeps of it. */
export const hashRefreshToken = (token: string): string =>
  new Bun.CryptoHasher('sha256').update(token).digest('base64url');
