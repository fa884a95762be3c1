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
  for (const { counts } of routes) if (counts) metrics.counter(counts, { result: 'accepted' })(0);
  const kinds = new Map<Route, Map<string, (seconds: number) => void>>();

  function createKind({ route, method, status, refused }: Omit<Ended, 'startedAt'>) {
    const observe = metrics.histogram('http_server_request_duration_seconds', {
      http_request_method: methods.has(method) ? method : '_OTHER',
      http_route: route.path,
      http_response_status_code: String(status),
      error_type: refused ?? '',
    });
    const { counts } = route;
    if (!counts) return observe;
    const count = metrics.counter(counts, { result: refused ?? 'accepted' });
    return (seconds: number) => {
      observe(seconds);
      count();
    };
  }

  return {
    /** @returns when it began, by `performance.now()` */
    begin(): number {
      active += 1;
      return performance.now();
    },
    end({ startedAt, ...ended }: Ended): void {
      active -= 1;
      const { route, method, status, refused } = ended;
      const ofRoute = kinds.getOrInsertComputed(route, () => new Map());
      const known = methods.has(method) ? method : '';
      ofRoute.getOrInsertComputed(`${known} ${status} ${refused}`, () => createKind(ended))(
        (performance.now() - startedAt) / 1000,
      );
    },
  };
}
