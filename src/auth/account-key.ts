/**
 * HMAC-SHA256 in base64url, 43 characters, by the key of this deployment's accounts (`account_key` in the table `settings`).
 * What is hashed for one purpose says nothing about another.
 */
export type KeyedHash = (purpose: 'refresh' | 'seed' | 'address' | 'attempt', text: string) => string;

export function createKeyedHash(accountKey: string): KeyedHash {
  // Copied for each text: the key is prepared once.
  const keyed = new Bun.CryptoHasher('sha256', accountKey);
  return (purpose, text) => keyed.copy().update(`${purpose}\n${text}`).digest('base64url');
}
