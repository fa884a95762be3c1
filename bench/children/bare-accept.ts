/** The floor of accepting: `Bun.serve`, JSON.parse, a confirmed publish by amqplib into the same kind of queues, 202. */
import amqplib from 'amqplib';
import { partitionOf } from '../../src/shared/partition.ts';
import { serveControl } from '../harness/control.ts';

const { RABBITMQ_URI = '', RABBITMQ_CHAT_EXCHANGE = '', RABBITMQ_CHAT_QUEUE_PREFIX } = process.env;
const partitionCount = Number(process.env.RABBITMQ_CHAT_PARTITION_COUNT);
const connection = await amqplib.connect(RABBITMQ_URI);
const channel = await connection.createConfirmChannel();

const server = Bun.serve({
  port: 0,
  async fetch(request) {
    const body = JSON.parse(await request.text());
    const chatId = request.url.slice(-45, -9);
    const brokerMessageId = crypto.randomUUID();
    const key = `${RABBITMQ_CHAT_QUEUE_PREFIX}.p${partitionOf(chatId, partitionCount)}`;
    const content = Buffer.from(JSON.stringify({ chatId, brokerMessageId, ...body }));
    await new Promise<void>((resolve, reject) => {
      const options = { messageId: brokerMessageId, persistent: true, mandatory: true };
      channel.publish(RABBITMQ_CHAT_EXCHANGE, key, content, options, (error) =>
        error ? reject(error) : resolve(),
      );
    });
    return Response.json({ brokerMessageId, clientMessageId: body.clientMessageId }, { status: 202 });
  },
});

serveControl({ port: () => server.port });
