import type { ChannelModel, GetMessage } from 'amqplib';
import { pause } from '../../shared/backoff.ts';
import type { BrokerConfig } from '../../shared/config.ts';
import { withDeadline } from '../../shared/deadline.ts';
import { ChatError } from '../../shared/errors.ts';
import { uuidPattern } from '../../shared/ids.ts';
import { partitionOf } from '../../shared/partition.ts';
import type { DeadLetter, DeadLetterSink, DeadLetterStore } from '../../shared/ports/queue.ts';
import { deadLetterId } from '../dead-letter-id.ts';
import { closeChannel, openChannel } from './channel.ts';
import { reasonOf } from './errors.ts';
import { askLeader } from './leader.ts';
import type { Link } from './link.ts';
import { messageIdOf } from './message-id.ts';
import type { RawBodies } from './partitions.ts';
import type { Outlet, Publisher } from './publisher.ts';

const reasonHeader = 'x-confab-reason';
const partitionHeader = 'x-confab-partition';
const timeHeader = 'x-confab-dead-lettered-at';

export function createRabbitDeadLetterSink(dependencies: {
  publisher: Publisher;
  broker: BrokerConfig;
  rawBodies: RawBodies;
}): DeadLetterSink {
  const { publisher, broker, rawBodies } = dependencies;
  const outlet = publisher.outlet({
    exchange: broker.deadLetterExchange,
    // A fanout looks at none.
    routingKey: '',
    queue: broker.deadLetterQueue,
    label: 'the queue of dead letters',
  });
  return {
    put({ delivery, reason }) {
      const { id, body, partition } = delivery;
      return outlet.publish(rawBodies.get(delivery) ?? Buffer.from(body), {
        ...(id === undefined ? {} : { messageId: id }),
        contentType: 'application/json',
        persistent: true,
        mandatory: true,
        headers: {
          [reasonHeader]: reason.slice(0, 500),
          [partitionHeader]: partition,
          [timeHeader]: new Date().toISOString(),
        },
      });
    },
  };
}

/** A queue whose leader is silent answers after 65 s, by ending the connection. */
const answerDeadlineMs = 10_000;
/** How long letters may take to be back; longer only when another looks into the queue at the same time. */
const backDeadlineMs = 2_000;

interface Read {
  message: GetMessage;
  letter: DeadLetter;
  forget(): void;
}

/**
 * A queue cannot be looked into: every call takes the letters without acknowledging them, and what it does not
 * acknowledge is back in its place when its channel closes. Meanwhile nobody else finds them there.
 */
export function createRabbitDeadLetterStore(dependencies: {
  link: Link;
  outletOf: (partition: number) => Outlet;
  broker: BrokerConfig;
  partitionCount: number;
}): DeadLetterStore {
  const { link, outletOf, broker, partitionCount } = dependencies;

  async function answered<Result>(asking: Promise<Result>): Promise<Result> {
    const late = () => new Error(`no answer within ${answerDeadlineMs / 1000} s`);
    try {
      return await withDeadline(asking, answerDeadlineMs, late);
    } catch (error) {
      throw away(reasonOf(error));
    }
  }

  async function* readAll(): AsyncGenerator<Read> {
    const connection = link.current();
    if (!connection) throw away(link.problem() ?? 'no connection');
    const channel = await openChannel(() => connection.createChannel());
    let kept = 0;
    try {
      // What comes in meanwhile is not looked at: a letter that is replayed and dies again would be met for ever.
      const leader = await answered(askLeader(channel, broker.deadLetterQueue));
      if (!leader) throw away(`the queue ${broker.deadLetterQueue} does not answer`);
      // At least once: of a queue without a leader RabbitMQ says that it is empty, and has no answer for who takes from it.
      for (let seen = 0; seen < Math.max(1, leader.messages); seen += 1) {
        const message = await answered(channel.get(broker.deadLetterQueue));
        if (!message) break;
        kept += 1;
        const forget = () => {
          channel.ack(message);
          kept -= 1;
        };
        yield { message, letter: letterOf(message), forget };
      }
    } finally {
      await closeChannel(channel);
    }
    await untilBack(connection, kept);
  }

  /** The queue takes back what was on a closed channel a moment later: whoever looks next must find it. */
  async function untilBack(connection: ChannelModel, kept: number): Promise<void> {
    const channel = await openChannel(() => connection.createChannel());
    const end = performance.now() + backDeadlineMs;
    while (performance.now() < end) {
      const { messageCount } = await answered(channel.checkQueue(broker.deadLetterQueue));
      if (messageCount >= kept) break;
      await pause(5);
    }
    await closeChannel(channel);
  }

  function letterOf({ content, properties, fields }: GetMessage): DeadLetter {
    const headers: Record<string, unknown> = properties.headers ?? {};
    const body = content.toString('utf8');
    return {
      id: deadLetterId({ id: properties.messageId, body }),
      partition: partitionFrom(headers, fields.routingKey, body),
      reason: reasonFrom(headers),
      body,
      deadLetteredAt: timeFrom(headers),
    };
  }

  const isPartition = (value: unknown): value is number =>
    typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < partitionCount;

  /** Where the chat's messages go; for what names no chat, where it came from. */
  function partitionFrom(headers: Record<string, unknown>, routingKey: string, body: string): number {
    const chatId = chatIdOf(body);
    if (chatId !== undefined) return partitionOf(chatId, partitionCount);
    const queue = routingKey.startsWith(`${broker.queuePrefix}.p`)
      ? Number(routingKey.slice(broker.queuePrefix.length + 2))
      : undefined;
    return [headers[partitionHeader], queue].find(isPartition) ?? 0;
  }

  return {
    async list() {
      const letters = new Map<string, DeadLetter>();
      for await (const { letter } of readAll()) if (!letters.has(letter.id)) letters.set(letter.id, letter);
      return [...letters.values()];
    },

    async *replay(ids, rewrite = (body) => body) {
      const wanted = ids === 'all' ? undefined : new Set(ids);
      const replayed = new Set<string>();
      for await (const { message, letter, forget } of readAll()) {
        if (wanted && !wanted.has(letter.id)) continue;
        const messageId = messageIdOf(message.properties);
        const body = rewrite(letter.body);
        // Not everything is UTF-8: what is not rewritten goes back as the bytes that it is.
        const content = body === letter.body ? message.content : Buffer.from(body);
        await outletOf(letter.partition).publish(content, {
          ...(messageId === undefined ? {} : { messageId }),
          contentType: 'application/json',
          persistent: true,
          mandatory: true,
        });
        if (isNew(letter.id, replayed)) yield letter.id;
        forget();
      }
    },

    async *drop(ids) {
      const wanted = new Set(ids);
      const dropped = new Set<string>();
      for await (const { letter, forget } of readAll()) {
        if (!wanted.has(letter.id)) continue;
        forget();
        if (isNew(letter.id, dropped)) yield letter.id;
      }
    },
  };
}

/** The same send may be there twice. */
function isNew(id: string, told: Set<string>): boolean {
  const before = told.size;
  return told.add(id).size > before;
}

const away = (reason: string): ChatError =>
  new ChatError('broker_unavailable', `RabbitMQ is not available: ${reason}`, { retryAfterSeconds: 2 });

function chatIdOf(body: string): string | undefined {
  try {
    const chatId: unknown = JSON.parse(body)?.chatId;
    return typeof chatId === 'string' && uuidPattern.test(chatId) ? chatId.toLowerCase() : undefined;
  } catch {
    return undefined;
  }
}

/** Ours, else why the broker itself gave up on it (`delivery_limit`, `rejected`, …). */
function reasonFrom(headers: Record<string, unknown>): string {
  const own = headers[reasonHeader];
  if (typeof own === 'string') return own;
  const broker = headers['x-first-death-reason'];
  return typeof broker === 'string' ? `given up by the broker: ${broker}` : 'unknown';
}

/** Ours, else the broker's. Whoever can write to the queue may have written anything there. */
function timeFrom(headers: Record<string, unknown>): string {
  const own = headers[timeHeader];
  const deaths = headers['x-death'];
  const seconds: unknown = Array.isArray(deaths) ? deaths[0]?.time?.value : undefined;
  const time = new Date(typeof own === 'string' ? own : typeof seconds === 'number' ? seconds * 1000 : 0);
  return (Number.isNaN(time.getTime()) ? new Date(0) : time).toISOString();
}
