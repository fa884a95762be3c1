/**
 * Rendezvous hashing: each partition goes to the live worker with the highest score for it. All workers that see the
 * same others agree without a word, and one that comes or goes moves only its own share.
 */
export function partitionsOf(
  workerId: string,
  workerIds: readonly string[],
  partitionCount: number,
): Set<number> {
  const own = new Set<number>();
  for (let partition = 0; partition < partitionCount; partition += 1) {
    if (ownerOf(partition, workerIds) === workerId) own.add(partition);
  }
  return own;
}

/** Undefined where there is no worker. */
export function ownerOf(partition: number, workerIds: readonly string[]): string | undefined {
  let owner: string | undefined;
  let highest = -1;
  for (const id of workerIds) {
    const score = Bun.hash.xxHash32(`${partition}:${id}`);
    if (score > highest || (score === highest && owner !== undefined && id > owner)) {
      highest = score;
      owner = id;
    }
  }
  return owner;
}
