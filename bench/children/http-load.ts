/**
 * HTTP load: keeps a fixed number of requests in flight, one a connection, each sent when the one before it was answered,
 * or when its time has come.
 */
import { serveControl } from '../harness/control.ts';
import { openHttp } from '../harness/http-client.ts';
import { percentile } from '../harness/statistics.ts';

export interface HttpLoad {
  port: number;
  connections: number;
  seconds: number;
  /** No more than so many. */
  aSecond?: number;
  /** Whole requests, sent in turn. */
  requests: string[];
  /**
   * Stands in each request and is replaced: an id by another every time, a number of 12 digits by the next one each time that
   * all requests have had their turn.
   */
  uniqueId?: string;
  status: number;
}

export interface HttpLoadResult {
  answers: number;
  seconds: number;
  p50Ms: number;
  p99Ms: number;
}

let unique = Math.floor(Math.random() * 2 ** 39);
let turns = 0;

/** The last ones of what is replaced. */
const digits = 12;

serveControl({ run });

async function run(options: HttpLoad): Promise<HttpLoadResult> {
  const { port, connections, seconds, uniqueId, status, aSecond = Number.POSITIVE_INFINITY } = options;
  const requests = options.requests.map((request) => {
    const bytes = Buffer.from(request);
    return { bytes, idAt: uniqueId === undefined ? -1 : bytes.indexOf(uniqueId) + uniqueId.length - digits };
  });
  const nextDigits = (turn: number) =>
    uniqueId?.length === digits
      ? String(Number(uniqueId) + turns + turn)
      : (unique++).toString(16).padStart(digits, '0');
  const opened = await Promise.all(Array.from({ length: connections }, () => openHttp(port)));
  const took: number[] = [];
  let next = 0;
  const startedAt = performance.now();
  const endAt = startedAt + seconds * 1000;

  await Promise.all(
    opened.map(async (connection) => {
      for (let sentAt = performance.now(); sentAt < endAt; ) {
        const dueAt = startedAt + (next / aSecond) * 1000;
        const request = requests[next % requests.length];
        if (dueAt > sentAt) {
          await Bun.sleep(dueAt - sentAt);
          sentAt = performance.now();
          if (sentAt >= endAt) break;
        }
        if (!request) throw new Error('no requests were given');
        const turn = Math.floor(next++ / requests.length);
        if (request.idAt >= 0) request.bytes.write(nextDigits(turn), request.idAt, 'latin1');
        const answer = await connection.send(request.bytes);
        const now = performance.now();
        if (answer.status !== status) throw new Error(`unexpected answer: ${answer.text().slice(0, 600)}`);
        took.push(now - sentAt);
        sentAt = now;
      }
    }),
  );
  took.sort((a, b) => a - b);
  const result = {
    answers: took.length,
    seconds: (performance.now() - startedAt) / 1000,
    p50Ms: percentile(took, 0.5),
    p99Ms: percentile(took, 0.99),
  };
  for (const connection of opened) connection.close();
  turns += Math.ceil(next / requests.length);
  return result;
}
