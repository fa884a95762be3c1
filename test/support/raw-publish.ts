import type { Channel, ChannelModel } from 'amqplib';
import { socketOf } from '../../src/adapters/rabbitmq/connect.ts';

/** What no client library would send. */
export interface RawMessage {
  queue: string;
  messageId?: Buffer;
  /** A table of AMQP, without its length. */
  headers?: Buffer;
  body: string;
}

/** Resolves when the broker has read it. @param channel of the connection, not in confirm mode */
export async function publishRaw(
  connection: ChannelModel,
  channel: Channel,
  { queue, messageId, headers, body }: RawMessage,
): Promise<void> {
  const { ch } = channel as unknown as { ch: number };
  const frame = (type: number, ...parts: Buffer[]) => {
    const payload = Buffer.concat(parts);
    return Buffer.concat([Buffer.of(type), u16(ch), u32(payload.length), payload, Buffer.of(0xce)]);
  };
  const flags = (headers ? 0x2000 : 0) + (messageId ? 0x0080 : 0);
  const properties = [
    ...(headers ? [u32(headers.length), headers] : []),
    ...(messageId ? [Buffer.of(messageId.length), messageId] : []),
  ];
  const content = Buffer.from(body);
  socketOf(connection).write(
    Buffer.concat([
      // basic.publish by way of the exchange without a name.
      frame(1, u16(60), u16(40), u16(0), shortString(''), shortString(queue), Buffer.of(0)),
      frame(2, u16(60), u16(0), u32(0), u32(content.length), u16(flags), ...properties),
      frame(3, content),
    ]),
  );
  await channel.checkQueue(queue);
}

/** A header of so many arrays, each in the one before. */
export function nestedArrays(levels: number): Buffer {
  const arrays = Array.from({ length: levels }, (_, level) => [
    Buffer.from('A'),
    u32((levels - 1 - level) * 5),
  ]);
  return Buffer.concat([shortString('nested'), ...arrays.flat()]);
}

const shortString = (text: string) => Buffer.concat([Buffer.of(text.length), Buffer.from(text)]);

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
