/** A page with nothing but the client in it, which shows one chat to nobody. */

import { type ConfabClient, createClient, memory } from '@confab/client';
import { indexedDb } from '@confab/client/indexed-db';

export interface ClientPage {
  open(options: { token: string; chatId: string; keptIn: 'memory' | 'IndexedDB' }): void;
  send(content: string): void;
  seen(): { connection: string; messages: { content: string; state: string }[] };
}

declare global {
  var clientPage: ClientPage;
}

let client: ConfabClient;
let messages: ReturnType<ConfabClient['chat']>['messages'];
let send: ClientPage['send'];

globalThis.clientPage = {
  open({ token, chatId, keptIn }) {
    const { origin } = (globalThis as unknown as { location: { origin: string } }).location;
    client = createClient({
      url: origin,
      getToken: () => token,
      storage: keptIn === 'memory' ? memory() : indexedDb(),
    });
    const chat = client.chat(chatId);
    messages = chat.messages;
    send = (content) => void chat.send({ content });
    // As whoever shows it.
    messages.subscribe(() => {});
    client.connect();
  },
  send: (content) => send(content),
  seen: () => ({
    connection: client.status.getSnapshot().state,
    messages: messages.getSnapshot().items.map(({ content, state }) => ({ content, state })),
  }),
};
