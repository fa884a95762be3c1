import { AsyncLocalStorage } from 'node:async_hooks';

/** A request: when its time is over it is answered, and its work goes on, because nothing can stop it. */
interface WorkedOn {
  readonly givenUp: boolean;
}

const current = new AsyncLocalStorage<WorkedOn>();

/** Runs `work` as that of one request. @param work given what says that the request was answered without it */
export function asRequest<Result>(work: (giveUp: () => void) => Result): Result {
  const request = { givenUp: false };
  return current.run(request, work, () => {
    request.givenUp = true;
  });
}

/** The request that the caller works on; undefined for what no request is waiting for. To be kept: who calls back later is another. */
export const currentRequest = (): WorkedOn | undefined => current.getStore();
