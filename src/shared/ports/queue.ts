import type { Traceparent } from './tracing.ts';

/**
 * The way of a send from api to worker: partitions that keep order, and the dead letters beside them.
 * Adapters: RabbitMQ (`rabbitmq.ts`) and a table (`embedded.ts`); one conformance suite holds both.
 */

export interface QueuedMessage {
  /** `brokerMessageId`. */
  id: string;
  partition: number;
  /** JSON of a `SendEnvelope`, signed: see `envelope-codec.ts`. */
  body: string;
  /** Of what is sampled: handed over with it, where the queue still knows. */
  traceparent?: Traceparent;
}

export interface SendQueue {
  /**
   * Resolves once the message is durable in its partition; messages of one partition keep the order of the calls.
   * @throws ChatError `broker_unavailable` within 5 s; then it is unknown whether the message is in the queue.
   */
  publish(message: QueuedMessage): Promise<void>;
  /** Whether a publish would be tried now; for readiness. */
  ready(): boolean;
  /**
   * What is wrong now, in words that anybody may read: a partition that does not confirm, say. Empty when all is well; the log
   * has the reasons.
   */
  problems(): readonly string[];
}

export interface Delivery {
  /** As published; undefined for what others put into the queue without one. */
  id: string | undefined;
  body: string;
  partition: number;
  /** Whatever whoever published it wrote. */
  traceparent?: string | undefined;
}

/**
 * `done`: all of the batch is stored, and would be recognised: forget it when it suits. `refused`: some of it is not, and its
 * senders were told, which they would be again: forget all of it at once. `later`: give it back, in order, after a pause.
 */
export type BatchVerdict = 'done' | 'refused' | 'later';

export interface ConsumeOptions {
  /** The most messages handed over at once. */
  batchSize: number;
  /** How many further batches may wait in this process behind the one in hand. */
  bufferedBatches: number;
}

/**
 * @param current false once the batch is known to be somebody else's, who may have come to another verdict: then nothing
 * is to be stored any more
 */
export type HandleBatch = (batch: readonly Delivery[], current: () => boolean) => Promise<BatchVerdict>;

export interface Consumer {
  /** Lets the batch in hand finish and be acknowledged, then leaves; what was buffered stays in the queue, in order. */
  close(): Promise<void>;
}

/** As last looked at: what waits in all partitions, and the dead letters. */
export type QueueDepth = Record<'waiting' | 'deadLetters', number>;

/** The same by partition; one that is not named has nothing. */
export interface QueueDepths {
  waiting: ReadonlyMap<number, number>;
  deadLetters: number;
}

export interface PartitionSource {
  /**
   * Hands over what has arrived, in order, one batch at a time: the first message never waits for more. A batch whose
   * link died is abandoned: its verdict is ignored and its messages come again, perhaps elsewhere. Reconnects by itself.
   * At most one consumer of a partition is active, whatever the number of processes.
   */
  consume(partition: number, options: ConsumeOptions, handle: HandleBatch): Promise<Consumer>;
  /** Messages in all partitions that no consumer has in hand. */
  waiting(): Promise<number>;
  ready(): boolean;
  /** As {@link SendQueue.problems}. */
  problems(): readonly string[];
  /** Undefined where nobody has looked. */
  depth(): QueueDepth | undefined;
  /** Where nobody looks by themselves, as it is now. */
  depths(): Promise<QueueDepths | undefined>;
}

export interface DeadLetter {
  id: string;
  partition: number;
  reason: string;
  body: string;
  /** ISO 8601. */
  deadLetteredAt: string;
}

export interface DeadLetterSink {
  /** Resolves once the dead letter is durable; the same id may be put twice. Rejects when it may not be. */
  put(letter: { delivery: Delivery; reason: string }): Promise<void>;
}

/** What `bun run dlq` works on. */
export interface DeadLetterStore {
  list(): Promise<DeadLetter[]>;
  /**
   * Puts each back into its own partition, then forgets it; tells its id as soon as it is back. Repeating it does no harm.
   * @param rewrite what goes back instead of the body
   */
  replay(ids: readonly string[] | 'all', rewrite?: (body: string) => string): AsyncIterable<string>;
  /** Tells the id of each that is dropped. */
  drop(ids: readonly string[]): AsyncIterable<string>;
}

/** What each queue adapter opens; every call gives the same thing. */
export interface Queue {
  sendQueue(): Promise<SendQueue>;
  partitionSource(): Promise<PartitionSource>;
  deadLetterSink(): Promise<DeadLetterSink>;
  deadLetterStore(): Promise<DeadLetterStore>;
  /** What tells the server that it is connected to from others; undefined while there is none. */
  brokerName(): string | undefined;
  close(): Promise<void>;
}
