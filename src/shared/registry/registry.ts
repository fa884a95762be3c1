/** Which workers are alive, for sharing the partitions among them. Adapters: PostgreSQL and in-process. */
export interface WorkerRegistry {
  /** Says that this worker lives, returns the ids of all that do, its own included. */
  beat(workerId: string): Promise<string[]>;
  leave(workerId: string): Promise<void>;
}
