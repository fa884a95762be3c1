/** A refusal to start; the message says what mends it. */
export class SchemaError extends Error {
  override name = 'SchemaError';
}
