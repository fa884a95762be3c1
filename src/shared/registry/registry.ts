/** A worker that was not seen for so long is taken for dead by the others. */
export const deadAfterMs = 6_000;

/** Which workers are alive, for sharing the partitions among them. Adapters: PostgreSQL and in-process. */
export interface WorkerRegistry {
  /** Says that this worker lives, returns the ids of all that do, its own included. */
  beat(workerId: string): Promise<string[]>;
  leave(workerId: string): Promise<void>;
}
