/** Replies of AMQP. */
export const accessRefused = 403;
export const notFound = 404;
/** It exists with other properties. */
export const preconditionFailed = 406;

export const codeOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined;

/** The broker's own words, out of amqplib's sentence around them. */
export function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return /with message "(.*)"$/s.exec(message)?.[1] ?? message;
}
