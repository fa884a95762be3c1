/** The far end of the idle hops: answers a POST and a WebSocket frame, and does nothing else. */
import { serveControl } from '../harness/control.ts';

const server = Bun.serve({
  port: 0,
  async fetch(request, self) {
    if (self.upgrade(request)) return undefined;
    JSON.parse(await request.text());
    return Response.json({ accepted: true }, { status: 202 });
  },
  websocket: {
    message(ws, message) {
      ws.send(message);
    },
  },
});

serveControl({ port: () => server.port });
