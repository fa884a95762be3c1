/** Any 8-4-4-4-12 hexadecimal, whatever its version bits say. */
export const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

const lowerCaseUuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** As it is written from the edge on. */
export const isLowerCaseUuid = (value: unknown): value is string =>
  typeof value === 'string' && lowerCaseUuid.test(value);

/** UUIDv7: ordered by time, minted in the program. */
export const newId = (): string => Bun.randomUUIDv7();

/**
 * The id that follows a message the whole way: UUIDv8 (RFC 9562) of SHA-256 over the three ids, so that every api
 * process gives a repeated POST the same one, for ever, with no state. All three must be in lower case.
 */
export function deriveBrokerMessageId(chatId: string, senderId: string, clientMessageId: string): string {
  const hex: string = Bun.SHA256.hash(`${chatId}\n${senderId}\n${clientMessageId}`, 'hex');
  const variant = variants[Number.parseInt(hex.charAt(16), 16) & 3];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** The two highest bits are 10. */
const variants = '89ab';
