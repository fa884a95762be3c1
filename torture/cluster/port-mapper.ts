import { connect } from 'node:net';

/** Erlang's distribution protocol: a normal node over TCP, versions 5 to 6. */
const normalNode = 77;
const tcp = 0;
const [highestVersion, lowestVersion] = [6, 5];
const aliveRequest = 120;
const aliveAnswers = [118, 121];
const retryMs = 50;
const deadlineMs = 10_000;

/**
 * Tells an `epmd` on 127.0.0.1 that the node `name` listens at `port`, and keeps it told for as long as this process lives.
 * Whoever asks this port mapper for the node is led there: to a proxy before it.
 */
export async function registerNode(mapperPort: number, name: string, port: number): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!(await register(mapperPort, name, port))) {
    if (performance.now() > deadline)
      throw new Error(`the port mapper at ${mapperPort} does not take ${name}`);
    await Bun.sleep(retryMs);
  }
}

function register(mapperPort: number, name: string, port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ port: mapperPort, host: '127.0.0.1' });
  socket.once('connect', () => socket.write(aliveMessage(name, port)));
  socket.once('data', ([answer = 0, result]: Uint8Array) =>
    resolve(aliveAnswers.includes(answer) && result === 0),
  );
  socket.once('error', () => resolve(false));
  socket.once('close', () => resolve(false));
  socket.unref();
  return promise;
}

/** ALIVE2_REQ, behind its length. */
function aliveMessage(name: string, port: number): Buffer {
  const text = Buffer.from(name);
  const message = Buffer.alloc(15 + text.length);
  message.writeUInt16BE(13 + text.length, 0);
  message.writeUInt8(aliveRequest, 2);
  message.writeUInt16BE(port, 3);
  message.writeUInt8(normalNode, 5);
  message.writeUInt8(tcp, 6);
  message.writeUInt16BE(highestVersion, 7);
  message.writeUInt16BE(lowestVersion, 9);
  message.writeUInt16BE(text.length, 11);
  text.copy(message, 13);
  return message;
}
