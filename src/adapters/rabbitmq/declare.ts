import type { ChannelModel } from 'amqplib';
import type { BrokerConfig } from '../../shared/config.ts';
import type { Logger } from '../../shared/log.ts';
import { StartError } from '../../shared/start-error.ts';
import { accessRefused, codeOf, notFound, preconditionFailed, reasonOf } from './errors.ts';
import { type Bench, inParallel } from './parallel.ts';
import { type Exchange, maxBytes, type Topology, type TopologyQueue } from './topology.ts';

/** A refusal to start: what the broker has is not what this version needs; the message says how to mend it. */
class TopologyError extends StartError {
  override name = 'TopologyError';
}

/**
 * Declares all of it; what is there already stays as it is. What this user may not declare need only be there.
 * @throws TopologyError when something of that name is there and differs, or is missing and may not be made
 */
export async function declareTopology(
  connection: ChannelModel,
  { exchanges, queues }: Topology,
  broker: BrokerConfig,
  log: Logger,
): Promise<void> {
  const refusals = new Set<string>();
  const kept = new Set<string>();
  const found: Found = {
    broker,
    onRefused: (reason) => refusals.add(reason),
    onKept: (bound) => kept.add(bound),
  };
  await inParallel(connection, exchanges, (exchange, on) => declareExchange(on, exchange, found));
  await inParallel(connection, queues, (queue, on) => declareQueue(on, queue, found));
  const [reason] = refusals;
  if (reason !== undefined) log.info({ reason }, 'not all was declared, and what is there is used');
  tellOfBounds([...kept], broker, log);
}

/** Arguments are for good, and of an argument and a policy the lower one holds. */
function tellOfBounds(kept: readonly string[], broker: BrokerConfig, log: Logger): void {
  const { queueMaxBytes: asked } = broker;
  const higher = asked === undefined ? [] : kept.filter((bound) => bound === 'none' || Number(bound) > asked);
  if (asked !== undefined && higher.length > 0) {
    log.warn(
      { bound: higher.join(', '), asked },
      'RABBITMQ_CHAT_QUEUE_MAX_BYTES bounds queues when they are made, and these are there. A policy bounds them now: ' +
        boundingPolicy(broker, asked),
    );
  }
  const lower = kept.filter((bound) => !higher.includes(bound));
  if (lower.length > 0) {
    log.warn(
      { bound: lower.join(', '), asked: asked ?? 'none' },
      'queues keep the bound that they were made with, whatever RABBITMQ_CHAT_QUEUE_MAX_BYTES says; to lift it, delete them when they are empty',
    );
  }
}

interface Found {
  broker: BrokerConfig;
  /** The user may not do it. */
  onRefused(reason: string): void;
  /** The queue has another bound on its bytes than the one asked for. */
  onKept(bound: string): void;
}

async function declareExchange(
  on: Bench,
  { name, type }: Exchange,
  { broker, onRefused }: Found,
): Promise<void> {
  try {
    await on.run((channel) => channel.assertExchange(name, type, { durable: true }));
  } catch (error) {
    if (codeOf(error) === preconditionFailed) {
      throw differs(
        error,
        `an exchange "${name}"`,
        `Delete it on RabbitMQ's management page, or choose other names with RABBITMQ_CHAT_EXCHANGE and RABBITMQ_CHAT_DLX_EXCHANGE.`,
      );
    }
    if (codeOf(error) !== accessRefused) throw error;
    onRefused(reasonOf(error));
    await existing(
      on.run((channel) => channel.checkExchange(name)),
      broker,
      `exchange "${name}"`,
    );
  }
}

async function declareQueue(on: Bench, queue: TopologyQueue, found: Found): Promise<void> {
  const { name, boundTo } = queue;
  const { broker, onRefused, onKept } = found;
  try {
    await on.run((channel) => channel.assertQueue(name, { durable: true, arguments: queue.arguments }));
  } catch (error) {
    if (codeOf(error) === preconditionFailed) {
      const bound = otherBound(error, queue);
      if (bound === undefined) {
        const deletion = `rabbitmqctl delete_queue ${name}${broker.vhost === '/' ? '' : ` --vhost ${quoted(broker.vhost)}`}`;
        throw differs(
          error,
          `a queue "${name}"`,
          `Empty it and delete it (${deletion}, or the management page), ` +
            'or choose other names with RABBITMQ_CHAT_QUEUE_PREFIX and RABBITMQ_CHAT_DLQ_NAME.',
        );
      }
      onKept(bound);
      return declareQueue(on, withBound(queue, bound), found);
    }
    if (codeOf(error) !== accessRefused) throw error;
    onRefused(reasonOf(error));
    return existing(
      on.run((channel) => channel.checkQueue(name)),
      broker,
      `queue "${name}"`,
    );
  }
  try {
    await on.run((channel) => channel.bindQueue(name, boundTo.exchange, boundTo.routingKey));
  } catch (error) {
    // Where another has bound it, all is well; where not, what is published comes back, and that is said.
    if (codeOf(error) !== accessRefused) throw error;
    onRefused(reasonOf(error));
  }
}

/** @throws TopologyError where it is missing */
async function existing(looking: Promise<unknown>, { username }: BrokerConfig, what: string): Promise<void> {
  try {
    await looking;
  } catch (error) {
    if (codeOf(error) !== notFound) throw error;
    throw new TopologyError(
      `RabbitMQ has no ${what}, and the user ${username} may not make it: allow that (docs/rabbitmq.md has the permissions), ` +
        'or start one process as a user who may.',
      { cause: error },
    );
  }
}

const differs = (error: unknown, what: string, mend: string): TopologyError =>
  new TopologyError(
    `RabbitMQ has ${what} with other properties than Confab's (${reasonOf(error)}). ${mend}`,
    {
      cause: error,
    },
  );

/** What the broker has, where that argument differs from the one that was asked for. */
function otherBound(error: unknown, queue: TopologyQueue): string | undefined {
  const [, none, value] =
    /inequivalent arg 'x-max-length-bytes' .* but current is (?:(none)|(?:the value )?'(\d+)')/.exec(
      reasonOf(error),
    ) ?? [];
  const bound = none ?? value;
  return bound === String(queue.arguments[maxBytes] ?? 'none') ? undefined : bound;
}

function withBound(queue: TopologyQueue, bound: string): TopologyQueue {
  const { [maxBytes]: _, ...others } = queue.arguments;
  return { ...queue, arguments: bound === 'none' ? others : { ...others, [maxBytes]: Number(bound) } };
}

/** What an operator types to bound the queues that are there. */
function boundingPolicy({ queuePrefix, vhost }: BrokerConfig, most: number): string {
  const pattern = `^${queuePrefix.replaceAll('.', '\\.')}\\.p[0-9]+$`;
  const definition = JSON.stringify({ 'max-length-bytes': most });
  return `rabbitmqctl set_policy --vhost ${quoted(vhost)} --apply-to queues confab-bound '${pattern}' '${definition}'`;
}

/** For a shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
