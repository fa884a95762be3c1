/** Recorded in the database beside the partition count: another hash would send a chat elsewhere, past its own order. */
export const partitionHashName = 'fnv1a-32';

/** The partition of a chat, the same in every process and version: FNV-1a, 32 bits, over the id in lower case. */
export function partitionOf(chatId: string, partitionCount: number): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < chatId.length; at += 1) {
    hash = Math.imul(hash ^ chatId.charCodeAt(at), 0x01000193);
  }
  return (hash >>> 0) % partitionCount;
}
