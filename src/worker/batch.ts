import { passing } from '../changes/announce.ts';
import type { DatabaseWatch } from '../db/identity.ts';
import { fullJitterMs, pause } from '../shared/backoff.ts';
import type { Config } from '../shared/config.ts';
import type { ErrorCode, MessageFailedEvent, SendEnvelope } from '../shared/contract.ts';
import type { EnvelopeCodec } from '../shared/envelope-codec.ts';
import type { Logger } from '../shared/log.ts';
import type { Notification } from '../shared/ports/notifications.ts';
import type { BatchVerdict, DeadLetterSink, Delivery, HandleBatch } from '../shared/ports/queue.ts';
import { Abandoned } from './abandoned.ts';
import type { Announcer } from './announcer.ts';
import { readEnvelope, type SendKey } from './envelope.ts';
import type { Stores } from './gather.ts';
import { type BatchOutcome, storeBatch } from './store-batch.ts';
import type { Stored, TellStored } from './tell-stored.ts';
import type { UnsignedRule } from './unsigned.ts';
import type { DeadLetterKind, PartitionMetrics } from './worker-metrics.ts';

interface Refusal {
  delivery: Delivery;
  reason: string;
  kind: DeadLetterKind;
  code: ErrorCode;
  key: SendKey | undefined;
}

/** `sentAt` is an api's clock; one that is ahead may not say more than this, by the database's. */
const mostAheadMs = 5 * 60_000;

/**
 * The worker's hot path, one call a batch: check, store with one commit, announce, dead-letter what was refused; after
 * that the queue may forget the batch. Dying between any two of these repeats the batch: nothing is stored twice, and
 * what was stored is announced again.
 */
export function createBatchHandler(dependencies: {
  stores: Stores;
  watch: DatabaseWatch;
  envelopes: Pick<EnvelopeCodec, 'signatureOf'>;
  unsigned: Pick<UnsignedRule, 'believed'>;
  /** The database's clock, in ms since 1970. */
  databaseTime: () => number;
  tellStored: TellStored;
  deadLetterSink: DeadLetterSink;
  announcer: Announcer;
  config: Pick<Config['worker'], 'maxRetries'>;
  measured: PartitionMetrics;
  log: Logger;
  leaving: AbortSignal;
}): HandleBatch {
  const { stores, watch, envelopes: codec, unsigned, databaseTime } = dependencies;
  const { tellStored, deadLetterSink, announcer, config, measured, log, leaving } = dependencies;

  return async (batch, current) => {
    const end = measured.begin(batch.length);
    let verdict: BatchVerdict = 'later';
    try {
      verdict = await handle(batch, current);
    } catch (error) {
      if (!(error instanceof Abandoned)) throw error;
    } finally {
      end(verdict);
    }
    return verdict;
  };

  async function handle(batch: readonly Delivery[], current: () => boolean): Promise<BatchVerdict> {
    if (watch.replaced()) throw new Abandoned();
    const deliveries: Delivery[] = [];
    const envelopes: SendEnvelope[] = [];
    const refusals: Refusal[] = [];
    const sentAt: number[] = [];
    let verdict: BatchVerdict = 'done';

    const signatures = batch.map(({ body }) => codec.signatureOf(body));
    const believed = signatures.includes('none') && (await unsignedIsBelieved(current));
    const latest = new Date(databaseTime() + mostAheadMs).toISOString();
    for (const [at, delivery] of batch.entries()) {
      const read = readEnvelope(delivery.body, signatures[at] ?? 'none', believed);
      if (read.kind === 'valid') {
        deliveries.push(delivery);
        envelopes.push(read.envelope.sentAt > latest ? { ...read.envelope, sentAt: latest } : read.envelope);
      } else if (read.kind === 'poison') {
        const kind = signatures[at] === 'ours' ? 'invalid' : 'unsigned';
        refusals.push({ delivery, reason: read.reason, kind, code: 'validation_failed', key: read.key });
      } else {
        log.warn(
          { version: read.version, partition: delivery.partition },
          'a newer version sent this: left for a newer worker',
        );
        verdict = 'later';
        measured.blocked();
        break;
      }
    }
    const [first] = envelopes;
    if (first) measured.oldest(Date.parse(first.sentAt));

    const { maxRetries } = config;
    const outcomes = await storeBatch(
      { stores, maxRetries, log, leaving, current, onRetry: measured.retried },
      envelopes,
    );
    if (outcomes.some(isMissing)) await assertSameDatabase();
    const tellsAll = log.isLevelEnabled('debug');
    const stored: Stored[] = [];
    /** Of those that become no dead letters. */
    const failures: Notification[] = [];
    for (const [at, envelope] of envelopes.entries()) {
      const outcome = outcomes[at];
      const delivery = deliveries[at];
      if (!outcome || !delivery)
        throw new Error('store_messages answered for fewer messages than it was given');
      if (outcome.outcome === 'stored' || outcome.outcome === 'repeat' || outcome.outcome === 'changed') {
        stored.push({ envelope, outcome });
        if (outcome.outcome === 'stored') sentAt.push(Date.parse(envelope.sentAt));
        if (tellsAll) log.debug({ ...namesOf(envelope), ...outcome }, 'message stored');
      } else if (outcome.outcome === 'conflict') {
        // The row of this key is there: the first stands, and there is nothing that a replay could mend.
        log.info(namesOf(envelope), 'the clientMessageId was used for another message');
        failures.push(failedNotification(envelope, 'idempotency_conflict'));
      } else if (outcome.outcome === 'chat_deleted') {
        log.info(namesOf(envelope), 'its chat is deleted');
        failures.push(failedNotification(envelope, 'chat_not_found'));
      } else {
        refusals.push({ delivery, ...refusalOf(outcome), key: envelope });
      }
    }
    measured.reached('stored', sentAt);
    if (await announcer.announce(await tellStored(stored))) measured.reached('announced', sentAt);

    // A batch for later comes again whole, and again until a newer worker is there: what it refuses would die each time.
    if (verdict === 'done' && failures.length + refusals.length > 0) {
      await announcer.announce(failures);
      for (const refusal of refusals) await deadLetter(refusal, current);
      verdict = 'refused';
    }
    log.debug({ partition: batch[0]?.partition, stored: stored.length, refused: refusals.length }, 'batch');
    return verdict;
  }

  /** What is not there may be on its way: a database that is being restored is empty at first. */
  async function assertSameDatabase(): Promise<void> {
    const same = await watch.isSame().catch((error: unknown) => {
      log.warn({ err: error }, 'the database is away; the batch waits for it');
      return false;
    });
    if (!same) throw new Abandoned();
  }

  /** However long the database is away: the batch could not be stored without it either. */
  async function unsignedIsBelieved(current: () => boolean): Promise<boolean> {
    for (let attempt = 0; ; attempt += 1) {
      if (!current()) throw new Abandoned();
      try {
        return await unsigned.believed();
      } catch (error) {
        if (attempt === 0) log.warn({ err: error }, 'the database is away; the batch waits for it');
        if (leaving.aborted) throw new Abandoned();
        await pause(fullJitterMs(attempt), leaving);
      }
    }
  }

  /** Durable among the dead letters first, for as long as that takes; then the sender is told. */
  async function deadLetter(refusal: Refusal, current: () => boolean): Promise<void> {
    const { delivery, reason, kind, code, key } = refusal;
    for (let attempt = 0; ; attempt += 1) {
      // What is refused here may have been stored elsewhere meanwhile.
      if (!current()) throw new Abandoned();
      try {
        await deadLetterSink.put({ delivery, reason });
        break;
      } catch (error) {
        if (attempt === 0) log.warn({ err: error }, 'dead letters cannot be written; the batch waits');
        if (leaving.aborted) throw new Abandoned();
        await pause(fullJitterMs(attempt), leaving);
      }
    }
    measured.deadLettered(kind);
    const names = key ? namesOf(key) : { brokerMessageId: delivery.id };
    log.warn({ ...names, partition: delivery.partition, reason }, 'dead-lettered');
    if (key) await announcer.announce([failedNotification(key, code)]);
  }
}

const isMissing = ({ outcome }: BatchOutcome): boolean =>
  outcome === 'chat_not_found' || outcome === 'not_participant';

/** What a line of the log says of a message; the request's id is the one in the api's log. */
const namesOf = ({ requestId, chatId, brokerMessageId }: SendKey) => ({ requestId, chatId, brokerMessageId });

type RefusedOutcome = Extract<BatchOutcome, { outcome: DeadLetterKind }>;

function refusalOf(outcome: RefusedOutcome): Pick<Refusal, 'reason' | 'kind' | 'code'> {
  if (outcome.outcome === 'failed') return { reason: outcome.reason, kind: 'failed', code: 'internal_error' };
  // A chat is not there for whom it is not open to.
  const code = outcome.outcome === 'not_allowed' ? 'not_allowed' : 'chat_not_found';
  return { reason: outcome.outcome, kind: outcome.outcome, code };
}

function failedNotification(key: SendKey, code: ErrorCode): Notification {
  const { chatId, clientMessageId, brokerMessageId, senderId } = key;
  const event: MessageFailedEvent = { chatId, clientMessageId, brokerMessageId, code };
  return passing(`user:${senderId}`, 'chat.message.failed', event);
}
