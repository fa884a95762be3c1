import { afterAll } from 'bun:test';
import amqplib from 'amqplib';
import { openRabbitMq } from '../../src/adapters/rabbitmq/rabbitmq.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { createLog } from '../../src/shared/log.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import { brokerConfig } from '../support/broker.ts';
import { realServers } from '../support/servers.ts';
import { forgedEnvelopes, partitionCount } from './forged-envelopes.ts';

const servers = await realServers();
let attacker: amqplib.ChannelModel | undefined;
afterAll(() => attacker?.close());

forgedEnvelopes('RabbitMQ', async () => {
  const names = servers.createBrokerNames();
  const database = openPostgres({ url: await servers.createDatabase(), applicationName: 'confab-test' });
  const queue = openRabbitMq({
    metrics: createMetrics(),
    broker: brokerConfig(servers.rabbitmqUrl, names),
    partitionCount,
    log: createLog({ logLevel: 'silent' }, 'test'),
    waitMs: 20_000,
  });
  await queue.sendQueue();
  // Not by way of Confab.
  attacker = await amqplib.connect(servers.rabbitmqUrl);
  const channel = await attacker.createConfirmChannel();
  return {
    ...{ database, queue },
    async put(partition, body, messageId) {
      const bytes = Buffer.from(body);
      // U+FFFD stands for what is no UTF-8.
      const content = body.startsWith('\ufffd') ? Buffer.concat([Buffer.of(0xff), bytes.subarray(3)]) : bytes;
      const queueName = `${names.RABBITMQ_CHAT_QUEUE_PREFIX}.p${partition}`;
      channel.sendToQueue(queueName, content, messageId === undefined ? {} : { messageId });
      await channel.waitForConfirms();
    },
  };
});
