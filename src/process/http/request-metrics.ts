import type { ErrorCode } from '../../shared/contract.ts';
import type { Metrics } from '../../shared/metrics/metrics.ts';
import type { Route } from './route.ts';

interface Ended {
  route: Route;
  method: string;
  status: number;
  refused: ErrorCode | undefined;
  startedAt: number;
}

/** Any word may be sent as a method; each would be a series. */
const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** How many requests there are, how long they take, and how those end that a route counts. Of each kind of end the labels are made once. */
export function createRequestMetrics(metrics: Metrics, routes: readonly Route[]) {
  let active = 0;
  metrics.read('http_server_active_requests', () => active);
  for (const { counts } of routes) if (counts) metrics.counter(counts, { result: 'accepted' });
  const kinds = new Map<Route, Kind[]>(routes.map((route) => [route, []]));

  function createKind(route: Route, method: string, status: number, refused: ErrorCode | undefined): Kind {
    const observe = metrics.histogram('http_server_request_duration_seconds', {
      http_request_method: method,
      http_route: route.path,
      http_response_status_code: String(status),
      error_type: refused ?? '',
    });
    const count = route.counts && metrics.counter(route.counts, { result: refused ?? 'accepted' });
    return { method, status, refused, observe, count };
  }

  function kindOf(route: Route, given: string, status: number, refused: ErrorCode | undefined): Kind {
    const method = methods.has(given) ? given : '_OTHER';
    const known = kinds.getOrInsertComputed(route, () => []);
    for (const kind of known) {
      if (kind.status === status && kind.method === method && kind.refused === refused) return kind;
    }
    const made = createKind(route, method, status, refused);
    known.push(made);
    return made;
  }

  return {
    /** @returns when it began, by `performance.now()` */
    begin(): number {
      active += 1;
      return performance.now();
    },
    end({ startedAt, route, method, status, refused }: Ended): void {
      active -= 1;
      const { observe, count } = kindOf(route, method, status, refused);
      observe((performance.now() - startedAt) / 1000);
      count?.();
    },
  };
}

/** How requests of a route end, with what counts them. */
interface Kind extends Pick<Ended, 'method' | 'status' | 'refused'> {
  observe: (seconds: number) => void;
  count: (() => void) | undefined;
}
