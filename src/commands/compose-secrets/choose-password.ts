export interface PasswordOptions {
  /** What `.env` says; undefined where it says nothing. */
  given: string | undefined;
  /** What was chosen the time before. */
  kept: string | undefined;
  /** The one that the server had before these were made, which everybody knows. */
  usual: string;
  /** Whether the server has a volume with its password in it; undefined where it keeps none. */
  hasData: boolean | undefined;
  make(): string;
}

export interface ChosenPassword {
  password: string;
  /** What the operator should know of it. */
  note?: string;
}

/**
 * Which password a server of docker-compose.yml has. PostgreSQL and RabbitMQ take theirs into their volumes at the first start,
 * so what they were made with stays, until somebody chooses another; what is in `.env.example` is nobody's choice.
 */
export function choosePassword({ given, kept, usual, hasData, make }: PasswordOptions): ChosenPassword {
  const note =
    usual === '' ? 'has no password, as .env says' : 'has the password that everybody knows, as .env says';
  const open = { password: usual, note };
  if (given !== undefined && (given !== usual || hasData === undefined)) {
    return given === usual ? open : { password: given };
  }
  if (kept !== undefined) {
    return given === undefined || given === kept
      ? { password: kept }
      : { password: kept, note: 'keeps the password that was made for it: .env has another, the usual one' };
  }
  if (given !== undefined) return open;
  if (hasData)
    return { password: usual, note: 'was made with the password that everybody knows, and keeps it' };
  return { password: make() };
}
