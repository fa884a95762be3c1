/** What an operator sees. Null: it could not be found out, and `problems` says why where something is wrong. */
export interface Status {
  /** ISO 8601. */
  at: string;
  servers: ServerStatus[];
  /** Null where nobody could be asked. */
  processes: ProcessStatus[] | null;
  partitions: PartitionStatus[];
  deadLetters: number | null;
  /** What else there is to know; a sentence each. */
  notes: string[];
  /** What could not be asked, or is not as it should be; a sentence each. */
  problems: string[];
}

export interface ServerStatus {
  name: string;
  /** Null: it could not be asked. */
  version: string | null;
  notes: string[];
}

export interface ProcessStatus {
  /** Its id among the others, as in their logs. */
  instance: string;
  roles: readonly string[];
  /** Null of a version that does not say it. */
  version: string | null;
  /** ISO 8601; null of a version that does not say it. */
  since: string | null;
  /** Since it last said that it lives. */
  silentSeconds: number | null;
}

export interface PartitionStatus {
  partition: number;
  /** The instance that consumes it; null: nobody, or nobody knows. */
  owner: string | null;
  /** Messages that wait in its queue; those that its worker has in hand are not counted. */
  waiting: number | null;
  /** How long ago the oldest message was accepted that its worker has in hand, which is older than all that waits. */
  oldestSeconds: number | null;
}
