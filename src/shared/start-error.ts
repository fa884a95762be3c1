/** A refusal to start: the message is all that is shown, and says what mends it. */
export class StartError extends Error {
  override name = 'StartError';
}
