export const mostMentioned = 50;
/** Of `JSON.stringify`, in UTF-8. */
export const maxMetadataBytes = 4_096;
/** Of objects and arrays in one another; `{}` has one. */
export const maxMetadataDepth = 16;

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What is wrong with the size of metadata that JSON was parsed to; undefined where it can be kept. */
export function metadataProblem(value: Record<string, unknown>): string | undefined {
  if (isDeeper(value, maxMetadataDepth)) return `must have at most ${maxMetadataDepth} levels`;
  if (holdsInfinity(value)) return 'must not hold numbers beyond 1.8e308';
  const bytes = Buffer.byteLength(JSON.stringify(value));
  return bytes > maxMetadataBytes ? `must have at most ${maxMetadataBytes} bytes as JSON` : undefined;
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((item) => isDeeper(item, levels - 1));
}

/** JSON.parse makes it of `1e999`, and JSON.stringify would make it null. */
function holdsInfinity(value: unknown): boolean {
  if (typeof value === 'number') return !Number.isFinite(value);
  return typeof value === 'object' && value !== null && Object.values(value).some(holdsInfinity);
}

/** What PostgreSQL's text or JSON's own rules could not carry through; undefined for all other text. */
export function textProblem(text: string): string | undefined {
  if (text.includes('\0')) return 'must not hold NUL (U+0000)';
  if (!text.isWellFormed()) return 'must not hold half of a surrogate pair';
  return undefined;
}
