import type { Server } from '../../src/commands/servers/server.ts';

/**
 * Several servers as one: what is done to it is done to the one that leads then. `restart` and `resume` end when all are together
 * again.
 * @param url by which the harness reaches the one that leads
 */
export function createLed(options: {
  name: string;
  url: string;
  leader: () => Promise<Server>;
  whole: () => Promise<void>;
  stop: () => Promise<unknown>;
}): Server {
  const { name, url, leader, whole } = options;
  let struck: Server | undefined;
  return {
    name,
    url,
    host: '127.0.0.1',
    port: Number(new URL(url).port),
    pid() {
      throw new Error(`${name} is several processes`);
    },
    async kill() {
      struck = await leader();
      await struck.kill();
    },
    async pause() {
      struck = await leader();
      await struck.pause();
    },
    async restart() {
      await struck?.restart();
      await whole();
    },
    async resume() {
      await struck?.resume();
      await whole();
    },
    async stop() {
      await options.stop();
    },
  };
}
