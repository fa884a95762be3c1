import type * as v from 'valibot';
import packageJson from '../../package.json' with { type: 'json' };
import { schemaObject } from './json-schema.ts';
import { connectErrorData, events, socketAuth } from './schemas/events.ts';

export interface EventsDocument {
  channels: { chat: { messages: Record<string, Message> } };
  components: { schemas: Record<string, object> };
}

interface Message {
  name: string;
  summary: string;
  payload: object;
}

const refOf = (name: string) => ({ $ref: `#/channels/chat/messages/${name}` });

/** AsyncAPI 3 of the socket, from the schemas of what it is told. */
export function createEventsDocument(): EventsDocument {
  const schemas: Record<string, object> = {};
  const message = (name: string, summary: string, payload: v.GenericSchema): [string, Message] => [
    name,
    { name, summary, payload: schemaObject(payload, schemas) },
  ];
  const messages = Object.fromEntries([
    message('connect', 'What a client gives as `auth`', socketAuth),
    message('connect_error', 'The `data` of a refusal', connectErrorData),
    ...events.map(({ name, summary, payload }) => message(name, summary, payload)),
  ]);
  const chat = { $ref: '#/channels/chat' };

  const document = {
    asyncapi: '3.0.0',
    info: {
      title: 'Confab',
      version: packageJson.version,
      description:
        'What happens in chats, over Socket.IO (Engine.IO 4). Clients only listen: what they do goes by REST, which `openapi.json` ' +
        'describes.',
    },
    defaultContentType: 'application/json',
    channels: {
      chat: {
        address: '/chat',
        title: 'The namespace /chat, below the path /socket.io/',
        messages,
      },
    },
    operations: {
      connect: {
        action: 'receive',
        channel: chat,
        summary: 'A client joins the namespace; `chat.ready` follows, or a refusal.',
        messages: [refOf('connect')],
        reply: { channel: chat, messages: [refOf('connect_error')] },
      },
      tell: {
        action: 'send',
        channel: chat,
        summary: 'The events, each with one payload.',
        messages: events.map(({ name }) => refOf(name)),
      },
    },
    components: { schemas },
  };
  return document;
}
