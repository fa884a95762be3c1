import { connect } from 'node:net';
import { createServer, type TlsOptions } from 'node:tls';
import { tlsCertificate, tlsKey } from './tls.ts';

export interface TlsFront {
  readonly port: number;
  close(): void;
}

/** Speaks TLS, with the certificate of the tests, for a server that does not. @param port of the server, on 127.0.0.1 */
export async function createTlsFront(port: number, options: TlsOptions = {}): Promise<TlsFront> {
  const open = new Set<{ destroy(): void }>();
  const listener = createServer({ key: tlsKey, cert: tlsCertificate, ...options }, (client) => {
    const server = connect({ port, host: '127.0.0.1' });
    for (const socket of [client, server]) {
      open.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        open.delete(socket);
        client.destroy();
        server.destroy();
      });
    }
    client.pipe(server);
    server.pipe(client);
  });
  listener.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    close() {
      listener.close();
      for (const socket of open) socket.destroy();
    },
  };
}
