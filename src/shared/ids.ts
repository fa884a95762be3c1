/** Any 8-4-4-4-12 hexadecimal, whatever its version bits say. */
export const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** UUIDv7: ordered by time, minted in the program. */
export const newId = (): string => Bun.randomUUIDv7();

/**
 * The id that follows a message the whole way: UUIDv8 (RFC 9562) of SHA-256 over the three ids, so that every api
 * process gives a repeated POST the same one, for ever, with no state. All three must be in lower case.
 */
export function deriveBrokerMessageId(chatId: string, senderId: string, clientMessageId: string): string {
  const hash = new Bun.CryptoHasher('sha256').update(`${chatId}\n${senderId}\n${clientMessageId}`).digest();
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x80;
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80;
  const hex = hash.toString('hex', 0, 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
